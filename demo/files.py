"""Rows to bytes, as the schools' programs write them: CSV with its quirks, NDJSON, gzip; and to disk, to look at."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

from demo.data import COLUMNS, Department, SchoolFile
from demo.mishaps import Row


def content(file: SchoolFile) -> bytes:
    """The bytes of the file, the same every time."""
    name = file.name.removesuffix(".gz")
    plain = _ndjson(file.rows) if name.endswith(".ndjson") else _csv(file.rows, bom_and_crlf=file.bom_and_crlf)
    # No time and no file name in the gzip header.
    return gzip.compress(plain, mtime=0) if file.name.endswith(".gz") else plain


def headers(file: SchoolFile) -> dict[str, str]:
    """Return the HTTP headers that state the file's form."""
    headers = {"Content-Type": "application/x-ndjson" if ".ndjson" in file.name else "text/csv; charset=utf-8"}
    if file.name.endswith(".gz"):
        headers["Content-Encoding"] = "gzip"
    return headers


def write_files(department: Department, directory: Path) -> list[Path]:
    """Write every school's files to `directory`/SCHOOL, over earlier ones, and return where they are.

    Raises:
        OSError: the directory cannot be written.
    """
    written = []
    for school in department.schools:
        folder = directory / school.id
        folder.mkdir(parents=True, exist_ok=True)
        for file in school.files:
            path = folder / file.name
            path.write_bytes(content(file))
            written.append(path)
    return written


def _csv(rows: Sequence[Row], *, bom_and_crlf: bool) -> bytes:
    end = "\r\n" if bom_and_crlf else "\n"
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(COLUMNS)
    for row in rows:
        values = [row.values[column] for column in COLUMNS]
        if row.damage == "unquoted":
            text.write(",".join(values) + end)
        else:
            writer.writerow(values)
    return text.getvalue().encode("utf-8-sig" if bom_and_crlf else "utf-8")


def _ndjson(rows: Sequence[Row]) -> bytes:
    return b"".join(_json_line(row) + b"\n" for row in rows)


def _json_line(row: Row) -> bytes:
    # A platform leaves out what it does not know, instead of writing it as empty.
    text = json.dumps({column: value for column, value in row.values.items() if value}, ensure_ascii=False)
    match row.damage:
        case "cut":
            return text[: len(text) // 2].encode()
        case "latin-1":
            return text.encode("latin-1", errors="replace")
        case _:
            return text.encode()
