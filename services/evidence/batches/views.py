"""What the evidence service answers about batches and their rows."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.evidence.batches.batch import ROW_STATES, Batch, BatchState, Row, Upload
from services.evidence.batches.dry_run import ROWS_TOLD, DryRun
from services.evidence.sources.columns import COLUMNS
from services.evidence.sources.schema import PUBLIC_COLUMNS

BATCH_EXAMPLE = UUID("0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11")
PATH_EXAMPLE = f"/v1/batches/{BATCH_EXAMPLE}"


class BatchLinks(BaseModel):
    """Where to go on from a batch."""

    self: str = Field(description="this batch", examples=[PATH_EXAMPLE])
    rows: str = Field(description="its rows", examples=[f"{PATH_EXAMPLE}/rows"])
    failed: str = Field(description="its refused rows as a file to correct", examples=[f"{PATH_EXAMPLE}/failed.csv"])


class BatchView(BaseModel):
    """A batch and its numbers as of one moment. `received` is the sum of `counts`, always."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": str(BATCH_EXAMPLE),
                    "state": "accepted",
                    "complete": False,
                    "source": "upload",
                    "format": "csv",
                    "received": 3,
                    "counts": {**dict.fromkeys(map(str, ROW_STATES), 0), "pending": 2, "refused": 1},
                    "reasons": {"refused": {"level_unknown": 1}},
                    "warnings": {"telephone_in_text": 1},
                    "public_columns": dict(PUBLIC_COLUMNS),
                    "problem": None,
                    "created_at": "2026-03-09T01:02:03.000Z",
                    "accepted_at": "2026-03-09T01:02:03.210Z",
                    "rate": 0.5,
                    "estimated_finish": "2026-03-09T01:02:09.000Z",
                    "links": {
                        "self": PATH_EXAMPLE,
                        "rows": f"{PATH_EXAMPLE}/rows",
                        "failed": f"{PATH_EXAMPLE}/failed.csv",
                    },
                }
            ]
        }
    )

    id: UUID
    state: BatchState = Field(description="`accepted` once all of it is safe; only then was it answered 202")
    complete: bool = Field(description="nothing can change any more: all rows are in, and each is decided")
    source: str = Field(description="the sender's system that the source ids come from")
    format: str = Field(description="csv, ndjson, xlsx or json; of a ZIP that of the file in it")
    received: int = Field(ge=0, description="rows received")
    counts: dict[str, int] = Field(description=f"rows by state; the states are {', '.join(ROW_STATES)}")
    reasons: dict[str, dict[str, int]] = Field(description="rows by state and reason code")
    warnings: dict[str, int] = Field(description="rows that each code warns of, by code; such rows were taken")
    public_columns: dict[str, str] = Field(
        default=dict(PUBLIC_COLUMNS),
        description="what of issued rows anybody can read on the badge's open page, signed and for good: `public`, or "
        "`public by choice`, where the issuer's profile says so (`public_evidence`)",
    )
    problem: str | None = Field(description="why the upload was interrupted")
    created_at: AwareDatetime
    accepted_at: AwareDatetime | None
    rate: float | None = Field(
        description="rows a second that were decided since the batch began; none where no row is pending, or all are"
    )
    estimated_finish: AwareDatetime | None = Field(
        description="when no row is `pending` any more, should it go on so; what others send may come first"
    )
    links: BatchLinks

    @classmethod
    def of(cls, batch: Batch, now: datetime) -> "BatchView":
        """Return the view of a batch at this moment."""
        path = f"/v1/batches/{batch.batch_id}"
        return cls(
            id=batch.batch_id,
            state=batch.state,
            complete=batch.complete,
            source=batch.source,
            format=batch.format,
            received=batch.tally.received,
            counts=batch.tally.by_state,
            reasons=batch.tally.by_reason,
            warnings=dict(batch.warnings),
            problem=batch.problem,
            created_at=batch.created_at,
            accepted_at=batch.accepted_at,
            rate=batch.rate(now),
            estimated_finish=batch.estimated_finish(now),
            links=BatchLinks(self=path, rows=f"{path}/rows", failed=f"{path}/failed.csv"),
        )


class RowWarningView(BaseModel):
    """Why a row that was taken should be looked at: what it says becomes public, and perhaps should not."""

    model_config = ConfigDict(from_attributes=True)

    column: str | None = Field(
        description="the column that it speaks of; none where it is the row", examples=["activity"]
    )
    reason: str = Field(description="a stable code for programs", examples=["telephone_in_text"])
    detail: str = Field(description="the reason for people; never repeats what the row says")


class RowFaultView(BaseModel):
    """One thing that is wrong with a row that was refused."""

    model_config = ConfigDict(from_attributes=True)

    column: str | None = Field(description="the column that is not valid; none where it is the row", examples=["level"])
    reason: str = Field(description="a stable code for programs", examples=["level_unknown"])
    detail: str = Field(description="the reason for people; never repeats what the row says")


class FollowingAwardView(BaseModel):
    """A badge that followed from what a row has earned."""

    model_config = ConfigDict(from_attributes=True)

    achievement: str = Field(description="the version of the achievement", examples=["wattle-grove/character/1"])
    credential_id: UUID


class RowView(BaseModel):
    """One row and what became of it."""

    model_config = ConfigDict(from_attributes=True)

    row: int = Field(
        ge=1,
        description="of CSV, one less than the sheet's row (of a sheet without blank rows on top, the first row of data"
        " is 1); of NDJSON, the line",
        examples=[4],
    )
    sheet_row: int | None = Field(
        default=None, ge=2, description="of CSV, the row as a spreadsheet program numbers it", examples=[5]
    )
    source_id: str | None = Field(description="as it was sent; none where it has not the form of one")
    state: str = Field(description=f"one of {', '.join(ROW_STATES)}", examples=["refused"])
    column: str | None = Field(description="the column that is not valid", examples=["level"])
    reason: str | None = Field(description="a stable code for programs", examples=["level_unknown"])
    detail: str | None = Field(description="the reason for people; never repeats what the row says")
    credential_id: UUID | None = Field(description="the credential that was issued, or the one held already")
    faults: list[RowFaultView] = Field(
        description="of a refused row all that is wrong with it, the first of each column; `column`, `reason` and"
        " `detail` are those of the first, under whose reason the batch counts it"
    )
    warnings: list[RowWarningView]
    stacked: list[FollowingAwardView] = Field(
        description="the badges that came with it: they ask to hold what this row has earned, or, of a row that was"
        " withdrawn, are earned without it"
    )
    revoked: list[UUID] = Field(description="of a row that was withdrawn, the badges that rested on it")

    @classmethod
    def of(cls, row: Row, *, is_sheet: bool) -> "RowView":
        """Return the view of a row of a batch, which a spreadsheet has or has not."""
        view = cls.model_validate(row)
        return view.model_copy(update={"sheet_row": row.row + 1}) if is_sheet else view


class RowPage(BaseModel):
    """A page of rows."""

    rows: list[RowView]
    next: str | None = Field(
        description="the path of the following page; none on the last",
        examples=[f"{PATH_EXAMPLE}/rows?limit=100&after=100"],
    )


class DryRunView(BaseModel):
    """What a file would come to, read and not taken in: its rows have the states of a batch that was just accepted."""

    dry_run: Literal[True] = True
    source: str = Field(description="the sender's system that the source ids come from")
    format: str = Field(description="csv, ndjson or xlsx; of a ZIP that of the file in it")
    received: int = Field(ge=0, description="rows of the file")
    counts: dict[str, int] = Field(
        description="rows by state: `refused` would be so; `pending` would be taken in, and then be decided, which is"
        " not foreseen here"
    )
    reasons: dict[str, dict[str, int]] = Field(description="rows by state and reason code")
    warnings: dict[str, int] = Field(description="rows that each code warns of, by code; such rows would be taken")
    columns: list[str] = Field(description="the columns of evidence that the file has", examples=[list(COLUMNS)])
    public_columns: dict[str, str] = Field(
        default=dict(PUBLIC_COLUMNS), description="what of issued rows anybody could read on the badge's open page"
    )
    rows: list[RowView] = Field(
        max_length=ROWS_TOLD,
        description=f"the first {ROWS_TOLD:,} rows that would be refused or taken with a warning, in their order",
    )
    more: bool = Field(description="there are more of these rows than are listed")

    @classmethod
    def of(cls, found: DryRun, upload: Upload, *, is_sheet: bool) -> "DryRunView":
        """Return the view of a dry run."""
        return cls(
            source=upload.source,
            format=upload.format,
            received=found.tally.received,
            counts=found.tally.by_state,
            reasons=found.tally.by_reason,
            warnings=dict(sorted(found.warnings.items())),
            columns=list(found.columns),
            rows=[RowView.of(row, is_sheet=is_sheet) for row in found.rows],
            more=not found.is_whole,
        )
