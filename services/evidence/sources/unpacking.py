"""The job of opening a file that is read as a whole: a workbook, or a ZIP archive with one file. For worker processes.

It yields the form of what is in it, then the bytes for the reader of that form, a piece at a time.
"""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import IO, Final

from libs.common.errors import InvalidRequestError, TooLargeError
from libs.common.workers.jobs import Job
from services.evidence.sources.reader import RawRow
from services.evidence.sources.workbook.reader import written
from services.evidence.sources.workbook.sheet import rows_of_workbook

_PIECE_BYTES: Final = 256 * 1024
_ROWS_TOGETHER: Final = 250
_CHARACTERS_TOGETHER: Final = 256 * 1024
_MOST_ENTRIES: Final = 1_000
_BY_ENDING: Final = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_DAMAGED: Final = "The ZIP archive is damaged, or protected by a password."


def workbook_job(content: bytes, longest_row: int, _most_bytes: int) -> Job[None]:
    """Yield `xlsx`, then the rows of a workbook as `WorkbookReader` reads them.

    Raises:
        InvalidRequestError: it cannot be read as a whole.
        TooLargeError: there is more in it than is read.
    """
    yield "xlsx"
    yield from _pieces(content, longest_row)


def archive_job(content: bytes, longest_row: int, most_bytes: int) -> Job[None]:
    """Yield the form of the one file in a ZIP archive, then what its reader reads.

    Raises:
        InvalidRequestError: it is no archive, has not one file, or that file cannot be read.
        TooLargeError: it unpacks to more than `most_bytes`.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entry = _only_file(archive)
            ending = "." + entry.filename.rpartition(".")[2].lower()
            if entry.file_size > most_bytes:
                raise TooLargeError(f"The upload has more than {most_bytes} bytes once it is unpacked.")
            with archive.open(entry) as file:
                if ending == ".xlsx":
                    yield "xlsx"
                    yield from _pieces(_whole(file, len(content) * 4), longest_row)
                    return
                form = _BY_ENDING.get(ending)
                if form is None:
                    raise InvalidRequestError("The file in the ZIP archive is neither .csv, .ndjson nor .xlsx.")
                yield form
                yield from iter(lambda: file.read(_PIECE_BYTES), b"")
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InvalidRequestError(_DAMAGED) from error


def _pieces(content: bytes, longest_row: int) -> Iterator[bytes]:
    rows: list[RawRow] = []
    held = 0
    for row in rows_of_workbook(content, longest_row):
        rows.append(row)
        held += sum(map(len, row[1].values())) if isinstance(row[1], dict) else 0
        if len(rows) >= _ROWS_TOGETHER or held > _CHARACTERS_TOGETHER:
            yield written(rows)
            rows, held = [], 0
    if rows:
        yield written(rows)


def _only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise InvalidRequestError("The ZIP archive has more than one file; send them one by one.")
    # What macOS adds is no file of anybody's.
    files = [each for each in entries if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        said = "no file" if not files else "more than one file"
        raise InvalidRequestError(f"The ZIP archive has {said}; put one into it, .csv, .ndjson or .xlsx.")
    return files[0]


def _whole(file: IO[bytes], most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise TooLargeError("The workbook in the ZIP archive is packed twice; send it as it is.")
    return content


def warm_up() -> None:
    """Nothing is to be made beforehand: importing this is all."""
