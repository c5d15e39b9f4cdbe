"""`bowerbird submit`: send a file of evidence, see what is wrong with it, wait, and get back the rows that failed."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from bowerbird import evidence_api, evidence_files, service_api
from bowerbird.evidence_api import Evidence
from bowerbird.evidence_files import EvidenceFile, FileError
from bowerbird.service_api import CallError
from bowerbird.showing import plain

TAKEN, FAILED, REFUSED_ROWS, UNDECIDED = 0, 1, 2, 3

_FIRST_FAULTS: Final = 10
_FIRST_POLL_SECONDS: Final = 0.25
_LONGEST_POLL_SECONDS: Final = 5.0
_KEY_CHARACTERS: Final = 40

File = Annotated[Path, Parameter(help="CSV, NDJSON, .xlsx, or one of these in .gz or .zip; told by its content")]
Source = Annotated[
    str, Parameter(help="your system that the source ids come from: small letters, digits and hyphens; always the same")
]
KeyFile = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="the file with an API key that may send and read evidence; - for standard input",
    ),
]
Url = Annotated[str, Parameter(help="where the evidence service answers")]
DryRun = Annotated[bool, Parameter(negative="", help="send nothing: show what its rows would become")]
Whole = Annotated[bool, Parameter(negative="", help="send nothing unless every row would be taken in")]
NoWait = Annotated[bool, Parameter(name="--no-wait", negative="", help="do not wait until the rows are decided")]
Patience = Annotated[float, Parameter(help="longest wait for decisions without one more, in seconds")]
IdempotencyKey = Annotated[
    str | None, Parameter(help="the name of this sending; from source and content where none is given")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print the answer as JSON, for programs")]


@dataclass(frozen=True, slots=True)
class _Wishes:
    dry_run: bool
    whole: bool
    wait: bool
    patience: float
    idempotency_key: str
    as_json: bool


def submit(
    file: File,
    *,
    source: Source = "upload",
    dry_run: DryRun = False,
    whole: Whole = False,
    no_wait: NoWait = False,
    patience: Patience = 300,
    idempotency_key: IdempotencyKey = None,
    key_file: KeyFile = "school.key",
    url: Url = "http://127.0.0.1:8101",
    as_json: Json = False,
) -> int:
    """Send a file of evidence, wait until its rows are decided, and write those that failed beside it.

    The text of its help, with what each exit status says, stands in `cli.py`.
    """
    try:
        key = service_api.read_key(key_file)
        found = evidence_files.opened(file)
        name = idempotency_key or f"submit-{source}-{found.digest[:_KEY_CHARACTERS]}"
        wishes = _Wishes(dry_run, whole, not no_wait, patience, name, as_json)
        return asyncio.run(_submit(found, source, wishes, key, url))
    except (CallError, FileError) as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return FAILED


async def _submit(file: EvidenceFile, source: str, wishes: _Wishes, key: str, url: str) -> int:
    async with service_api.client(url, key) as http:
        evidence = Evidence(http, source)
        with _progress() as bars:
            bar = bars.add_task("checked", total=file.size)
            tried = await evidence.dry_run(file, lambda sent: bars.advance(bar, sent))
        refused = tried["counts"]["refused"]
        # Whoever reads JSON finds nothing else on standard output.
        console = Console(highlight=False, markup=False, emoji=False, stderr=wishes.as_json)
        _show_dry_run(console, file, tried)
        if wishes.dry_run:
            if wishes.as_json:
                _print_json(tried)
            return REFUSED_ROWS if refused else TAKEN
        if wishes.whole and refused:
            raise CallError(f"nothing was sent: {refused} rows would be refused")
        with _progress() as bars:
            batch = await _send(evidence, file, wishes, bars)
            if wishes.wait:
                batch = await _decided(evidence, batch, wishes.patience, bars)
        status = await _tell(console, evidence, file, batch)
        if wishes.as_json:
            _print_json(batch)
        return status


async def _send(evidence: Evidence, file: EvidenceFile, wishes: _Wishes, bars: Progress) -> dict[str, Any]:
    bar = bars.add_task("sent", total=file.size)
    return await evidence.upload(file, wishes.idempotency_key, lambda sent: bars.advance(bar, sent))


async def _decided(evidence: Evidence, batch: dict[str, Any], patience: float, bars: Progress) -> dict[str, Any]:
    """Return the batch once none of its rows is pending, or nothing was decided for so long."""
    bar: TaskID = bars.add_task("decided", total=batch["received"])
    pause, moved_at, last = _FIRST_POLL_SECONDS, monotonic(), batch["counts"]["pending"]
    while batch["counts"]["pending"]:
        if monotonic() - moved_at > patience:
            return batch
        await evidence_api.wait(pause)
        pause = min(2 * pause, _LONGEST_POLL_SECONDS)
        batch = await evidence.batch(batch)
        if batch["counts"]["pending"] < last:
            moved_at, last = monotonic(), batch["counts"]["pending"]
        bars.update(bar, completed=batch["received"] - last)
    bars.update(bar, completed=batch["received"])
    return batch


async def _tell(console: Console, evidence: Evidence, file: EvidenceFile, batch: Mapping[str, Any]) -> int:
    """Show what became of the rows, write those that failed beside the file, and return the exit status."""
    counts = batch["counts"]
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    console.print(f"batch {plain(batch['id'])}: {batch['received']} rows: {said}")
    if counts["refused"]:
        content = await evidence.failed_rows(batch)
        beside = evidence_files.write_beside(file.path, content)
        console.print(f"{counts['refused']} rows were refused; correct them in {beside}, and submit that file")
    if counts["waiting"]:
        console.print(f"{counts['waiting']} rows wait for something, such as their achievement: see their reasons")
    if counts["pending"]:
        console.print(f"{counts['pending']} rows are not decided yet: the same command tells later")
        return UNDECIDED
    return REFUSED_ROWS if counts["refused"] else TAKEN


def _show_dry_run(console: Console, file: EvidenceFile, tried: Mapping[str, Any]) -> None:
    public = tried["public_columns"]
    console.print(f"{file.path}: {plain(tried['format'])}, {tried['received']} rows, source {plain(tried['source'])}")
    marks = ", ".join(f"{plain(name)} ({public[name]})" if name in public else plain(name) for name in tried["columns"])
    console.print(f"columns: {marks}")
    console.print(
        f"{tried['counts']['pending']} rows would be taken in, {tried['counts']['refused']} refused; what is decided"
        " afterwards is not foreseen"
    )
    for code, count in tried["warnings"].items():
        console.print(f"warning {plain(code)}: {count} rows")
    faults = [(row, fault) for row in tried["rows"] for fault in (*row["faults"], *row["warnings"])]
    if not faults:
        return
    table = Table()
    for name in ("row", "source id", "column", "code", "what is wrong"):
        table.add_column(name, overflow="fold")
    for row, fault in faults[:_FIRST_FAULTS]:
        number = row["row"] if row["sheet_row"] is None else row["sheet_row"]
        cells = (row["source_id"], fault["column"], fault["reason"], fault["detail"])
        table.add_row(str(number), *(plain(cell or "") for cell in cells))
    console.print(table)
    if len(faults) > _FIRST_FAULTS or tried["more"]:
        console.print(f"the first {min(_FIRST_FAULTS, len(faults))} of them; --json lists more")


@contextmanager
def _progress() -> Iterator[Progress]:
    """Bars on standard error, where a person sees them."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:
        yield bars


def _print_json(answer: Mapping[str, Any]) -> None:
    print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
