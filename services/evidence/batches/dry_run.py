"""Reads a file as an upload of it would be read, and takes nothing in: what each row would become at ingestion."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from time import monotonic
from typing import Final

from libs.common.errors import BowerbirdError, InvalidRequestError
from libs.common.telemetry import get_logger, trace_id
from libs.contracts.events import Outcome
from services.evidence.batches import metrics
from services.evidence.batches.batch import PENDING, Row, RowFault, RowWarning, Tally, Upload
from services.evidence.batches.ingestion import Charge, Intake
from services.evidence.batches.row_checks import MOST_REFUSED, RowChecks
from services.evidence.sources.reader import RawRow, Reader, rows_of
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import presentable_source_id

ROWS_TOLD: Final = 1_000
_HOPELESS: Final = (
    f"More than {MOST_REFUSED:,} rows would be refused, and most of all; no more of the file was read. Correct it, and"
    " try a part of it first."
)


@dataclass(slots=True)
class DryRun:
    """What an upload of a file would come to when it is read.

    Attributes:
        counts: rows by state and reason.
        warnings: rows that each code warns of.
        columns: those of evidence that the file has, in its order.
        rows: the first that would be refused, or taken with a warning.
        is_whole: whether these are all of them.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    columns: dict[str, None] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    is_whole: bool = True

    @property
    def tally(self) -> Tally:
        return Tally(dict(self.counts))

    def add(self, raw: RawRow, checks: RowChecks, today: date) -> None:
        """Count one row."""
        number, fields = raw
        row = checks.check(raw, today)
        sent = (fields.sent or {}) if isinstance(fields, Refusal) else fields
        if not isinstance(fields, Refusal):
            self.columns |= dict.fromkeys(fields)
        if isinstance(row, Refusal):
            self.counts[Outcome.REFUSED.value, row.reason.value] += 1
            also = tuple(RowFault(each.column, each.reason.value, each.message) for each in row.also)
            said = (row.column, row.reason.value, row.message)
            self._tell(Row(number, presentable_source_id(sent), Outcome.REFUSED.value, *said, also=also))
            return
        self.counts[PENDING, ""] += 1
        if row.warnings:
            self.warnings.update({each.reason.value for each in row.warnings})
            warnings = tuple(RowWarning(each.column, each.reason.value, each.message) for each in row.warnings)
            self._tell(Row(number, row.source_id, PENDING, warnings=warnings))

    def _tell(self, row: Row) -> None:
        if len(self.rows) < ROWS_TOLD:
            self.rows.append(row)
        else:
            self.is_whole = False


async def dry_run(
    intake: Intake,
    upload: Upload,
    reader: Reader,
    blocks: AsyncIterator[bytes],
    charge: Charge,
) -> DryRun:
    """Return what this upload would come to at ingestion; nothing is stored, published or decided.

    Args:
        intake: which an upload goes through.
        upload: what it would be.
        reader: of its form.
        blocks: its bytes.
        charge: is told how many rows were read, and may refuse more of them.

    Raises:
        InvalidRequestError: the file as a whole cannot be read, holds no rows, or nearly all of very many are bad.
        TooManyRequestsError: so many dry runs of this issuer are under way already.
        BowerbirdError: a limit was passed (body.py).
    """
    with intake.under_way(upload.issuer_id, "dry runs", intake.dry_runs_per_issuer):
        return await _dry_run(intake, upload, reader, blocks, charge)


async def _dry_run(
    intake: Intake,
    upload: Upload,
    reader: Reader,
    blocks: AsyncIterator[bytes],
    charge: Charge,
) -> DryRun:
    started, end, found, came = monotonic(), "failed", DryRun(), 0
    checks = RowChecks(intake.contact_policy, local=intake.local)

    async def count(block: bytes | None) -> None:
        before = found.counts.total()
        await intake.compute(came, partial(_count, found, reader, block, checks, intake.clock().date()))
        await charge(found.counts.total() - before)

    try:
        async for block in blocks:
            came += len(block)
            await count(block)
        await count(None)
        if not found.counts:
            raise InvalidRequestError("There are no rows of data in the file.")
        end = "checked"
    except BowerbirdError as error:
        end = error.code
        raise
    finally:
        metrics.UPLOADS.labels(end).inc()
        get_logger().info(
            "dry run",
            issuer_id=upload.issuer_id,
            source=upload.source,
            format=upload.format,
            end=end,
            rows=found.counts.total(),
            refused=checks.refused,
            seconds=round(monotonic() - started, 4),
            trace=trace_id(upload.trace),
        )
    return found


def _count(found: DryRun, reader: Reader, block: bytes | None, checks: RowChecks, today: date) -> None:
    for raw in rows_of(reader, block):
        found.add(raw, checks, today)
    if checks.is_hopeless:
        raise InvalidRequestError(_HOPELESS)
