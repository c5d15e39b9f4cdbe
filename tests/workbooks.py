"""Workbooks as schools send them, for tests."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from openpyxl import Workbook

HEADER = ("source_id", "learner_id", "achievement", "level", "score", "date", "activity", "comment")
DAY = date(2026, 3, 9)
GOOD = ("VW-1", "S1", "resilience", "relational", None, DAY, "Raft building", None)


def saved(book: Workbook) -> bytes:
    """Return a workbook as a file."""
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def workbook(*rows: Sequence[Any], header: Sequence[Any] = HEADER, formats: Mapping[str, str] | None = None) -> bytes:
    """Return a workbook of one sheet; `formats` are number formats of single cells."""
    book = Workbook()
    sheet = book.worksheets[0]
    for row in (header, *rows):
        sheet.append([*row])
    for place, number_format in (formats or {}).items():
        sheet[place].number_format = number_format
    return saved(book)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return archive.getvalue()


def edited(content: bytes, old: str, new: str) -> bytes:
    """Return a workbook with a text of its first sheet's XML replaced."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    text = files[name].decode()
    assert old in text
    files[name] = text.replace(old, new).encode()
    return packed(files)
