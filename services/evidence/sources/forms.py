"""The table of forms in which evidence comes: what each is called, what reads it, and what opens a file as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from libs.common.workers.jobs import Job
from services.evidence.sources.csv_reader import CsvReader
from services.evidence.sources.ndjson import NdjsonReader
from services.evidence.sources.reader import Reader
from services.evidence.sources.unpacking import archive_job, workbook_job
from services.evidence.sources.workbook.reader import WorkbookReader

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP: Final = "application/zip"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of evidence.

    Attributes:
        name: as batches say it.
        reader: makes the reader of one file; takes the longest row, in characters (JSON: bytes).
        is_sheet: a spreadsheet numbers its rows, one more than we do.
    """

    name: str
    reader: Callable[[int], Reader]
    is_sheet: bool


FORMS: Final[Mapping[str, Form]] = {
    form.name: form
    for form in (
        Form("csv", CsvReader, is_sheet=True),
        Form("ndjson", NdjsonReader, is_sheet=False),
        Form("xlsx", lambda _longest: WorkbookReader(), is_sheet=True),
    )
}

STREAMED: Final[Mapping[str, Form]] = {CSV: FORMS["csv"], NDJSON: FORMS["ndjson"]}
"""Media types that are read as they come."""

OPENED: Final[Mapping[str, Callable[..., Job[None]]]] = {XLSX: workbook_job, ZIP: archive_job}
"""Media types of which all must be there: jobs for a worker process, from the file, its longest row and the most bytes
that it may unpack to, to the name of a form and what its reader reads."""


def is_sheet(name: str) -> bool:
    """Return whether a spreadsheet numbers the rows of a batch of this form; one piece alone (`json`) has none."""
    return name in FORMS and FORMS[name].is_sheet
