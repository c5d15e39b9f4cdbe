"""The HTTP calls of the evidence service."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.common.body_limits import streamed_body
from libs.common.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RequestTimeoutError,
    TooLargeError,
    TooManyRequestsError,
    UnsupportedMediaError,
)
from libs.common.http import request_trace
from libs.common.media_types import check_media_type, essence
from libs.common.problems import documented
from services.evidence.batches.batch import ROW_STATES, Batch, BatchState, FailedRow, Row, Upload
from services.evidence.batches.body import Limits, plain_blocks
from services.evidence.batches.failed_csv import failed_csv
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.one_piece import OnePiece, good_fields, nothing
from services.evidence.batches.quotas import Quotas
from services.evidence.batches.repository import Batches
from services.evidence.sources.csv_reader import CsvReader
from services.evidence.sources.failed_columns import FAILED_COLUMNS
from services.evidence.sources.ndjson import NdjsonReader
from services.evidence.sources.reader import Reader
from services.evidence.sources.schema import EXAMPLE, PUBLIC_COLUMNS, column_table, csv_template, evidence_schema

_AFTER = r"^(?:[a-z0-9_]{0,60}\.)?[0-9]{1,9}$"
_CSV, _NDJSON = "text/csv", "application/x-ndjson"
_FORMATS = {_CSV: "csv", _NDJSON: "ndjson"}
_READERS: Mapping[str, Callable[[int], Reader]] = {"csv": CsvReader, "ndjson": NdjsonReader}

_BATCH_ID = UUID("0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11")
_PATH = f"/v1/batches/{_BATCH_ID}"


class BatchLinks(BaseModel):
    """Where to go on from a batch."""

    self: str = Field(description="this batch", examples=[_PATH])
    rows: str = Field(description="its rows", examples=[f"{_PATH}/rows"])
    failed: str = Field(description="its refused rows as a file to correct", examples=[f"{_PATH}/failed.csv"])


class BatchView(BaseModel):
    """A batch and its numbers as of one moment. `received` is the sum of `counts`, always."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": str(_BATCH_ID),
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
                    "links": {"self": _PATH, "rows": f"{_PATH}/rows", "failed": f"{_PATH}/failed.csv"},
                }
            ]
        }
    )

    id: UUID
    state: BatchState = Field(description="`accepted` once all of it is safe; only then was it answered 202")
    complete: bool = Field(description="nothing can change any more: all rows are in, and each is decided")
    source: str = Field(description="the sender's system that the source ids come from")
    format: str = Field(description="csv, ndjson or json")
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
    links: BatchLinks

    @classmethod
    def of(cls, batch: Batch) -> "BatchView":
        """Return the view of a batch."""
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
            links=BatchLinks(self=path, rows=f"{path}/rows", failed=f"{path}/failed.csv"),
        )


class RowWarningView(BaseModel):
    """Why a row that was taken should be looked at: what it says becomes public, and perhaps should not."""

    model_config = ConfigDict(from_attributes=True)

    column: str = Field(description="the column that it speaks of", examples=["activity"])
    reason: str = Field(description="a stable code for programs", examples=["telephone_in_text"])
    detail: str = Field(description="the reason for people; never repeats what the row says")


class RowFaultView(BaseModel):
    """One thing that is wrong with a row that was refused."""

    model_config = ConfigDict(from_attributes=True)

    column: str | None = Field(description="the column that is not valid; none where it is the row", examples=["level"])
    reason: str = Field(description="a stable code for programs", examples=["level_unknown"])
    detail: str = Field(description="the reason for people; never repeats what the row says")


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

    @classmethod
    def of(cls, row: Row, *, is_sheet: bool) -> "RowView":
        """Return the view of a row of a batch, which a spreadsheet has or has not."""
        view = cls.model_validate(row)
        return view.model_copy(update={"sheet_row": row.row + 1}) if is_sheet else view


class RowPage(BaseModel):
    """A page of rows."""

    rows: list[RowView]
    next: str | None = Field(
        description="the path of the following page; none on the last", examples=[f"{_PATH}/rows?limit=100&after=100"]
    )


_Source = Annotated[
    str,
    Query(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="the sender's system that the source ids come from",
        examples=["sis"],
    ),
]
_IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="1 to 200 visible ASCII characters: the same upload sent again under it becomes the same batch",
        examples=["values-week-2026-7b"],
    ),
]
_Encoding = Annotated[
    str | None,
    Header(
        alias="Content-Encoding",
        description="`gzip` where the body is compressed (RFC 1952); otherwise left out",
        json_schema_extra={"enum": ["gzip", "identity"]},
    ),
]

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "All of it is safe: on Kafka and in the database. What it earns is decided next.",
        "headers": {"Location": {"description": "the path of the batch", "schema": {"type": "string"}}},
    },
    **documented(
        InvalidRequestError,
        RequestTimeoutError,
        ConflictError,
        TooLargeError,
        UnsupportedMediaError,
        TooManyRequestsError,
    ),
}


def _csv_example() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([EXAMPLE.keys(), EXAMPLE.values()])
    return text.getvalue()


_TEMPLATE: dict[str, Any] = {
    "description": "The names of the columns, and no row.",
    "content": {_CSV: {"schema": {"type": "string"}, "example": csv_template().strip("\ufeff")}},
}
_FAILED: dict[str, Any] = {
    "description": f"The columns of evidence, then {', '.join(FAILED_COLUMNS)}. Where a row has several faults, they"
    " stand in one order in each of these, with ` | ` between them.",
    "content": {_CSV: {"schema": {"type": "string"}}},
}
_EVIDENCE_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": evidence_schema()}}}
}
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Rows of UTF-8 text. CSV (RFC 4180, also with semicolons or tabs) names its columns in the first"
        " line; NDJSON has one JSON object per line with the same names. Columns in any order; an unknown one is an"
        f" error.\n\n{column_table()}",
        "content": {
            _CSV: {"schema": {"type": "string", "format": "binary"}, "example": _csv_example()},
            _NDJSON: {
                "schema": {"type": "string", "format": "binary"},
                "example": orjson.dumps(EXAMPLE).decode() + "\n",
            },
        },
    }
}


def upload_routes(intake: Intake, keys: ApiKeys, limits: Limits, *, longest_row: int, quotas: Quotas) -> APIRouter:
    """Return the calls that take evidence in. `longest_row` is in characters (CSV) or bytes (JSON)."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    writer = Depends(keys.allowed("evidence:write"))

    def _answer(batch: Batch, response: Response) -> BatchView:
        view = BatchView.of(batch)
        response.headers["Location"] = view.links.self
        return view

    @router.post(
        "/evidence",
        status_code=202,
        responses=_ACCEPTED,
        openapi_extra=_EVIDENCE_BODY,
        dependencies=[streamed_body(longest_row)],
    )
    async def submit_evidence(
        request: Request,
        response: Response,
        *,
        caller: Caller = writer,
        source: _Source = "upload",
        idempotency_key: _IdempotencyKey = None,
        content_encoding: _Encoding = None,
    ) -> BatchView:
        """Send one piece of evidence; it becomes a batch of one row."""
        upload = Upload(caller.issuer_id, source, "json", request_trace(request), idempotency_key)
        one = replace(limits, sent_bytes=longest_row, plain_bytes=longest_row)
        pieces = plain_blocks(quotas.counted(caller, request.stream()), one, gzipped=_is_gzip(content_encoding))
        body, today = b"".join([block async for block in pieces]), intake.clock().date()
        fields = good_fields(body, today, intake.contact_policy, local=intake.local)
        charge = partial(quotas.take, caller, "rows")
        return _answer(await intake.receive(upload, OnePiece(fields), nothing(), charge), response)

    @router.post(
        "/batches",
        status_code=202,
        responses=_ACCEPTED,
        openapi_extra=_UPLOAD_BODY,
        dependencies=[streamed_body(limits.sent_bytes)],
    )
    async def upload_batch(
        request: Request,
        response: Response,
        *,
        caller: Caller = writer,
        source: _Source = "upload",
        idempotency_key: _IdempotencyKey = None,
        content_encoding: _Encoding = None,
    ) -> BatchView:
        """Send a file of evidence: CSV or NDJSON, plain or gzip; answered when all of it is safe."""
        name = _file_format(request)
        upload = Upload(caller.issuer_id, source, name, request_trace(request), idempotency_key)
        sent = quotas.counted(caller, keys.while_valid(request, request.stream()))
        pieces = plain_blocks(sent, limits, gzipped=_is_gzip(content_encoding))
        charge = partial(quotas.take, caller, "rows")
        return _answer(await intake.receive(upload, _READERS[name](longest_row), pieces, charge), response)

    @router.get("/evidence/template", response_class=Response, responses={200: _TEMPLATE})
    async def read_template(caller: Caller = writer) -> Response:  # whoever may send evidence
        """A CSV file to fill in: the names of the columns, with what becomes public marked beside them."""
        headers = {"Content-Disposition": 'attachment; filename="evidence.csv"'}
        return Response(csv_template(), media_type=_CSV, headers=headers)

    return router


def batch_routes(batches: Batches, keys: ApiKeys) -> APIRouter:
    """Return the calls that tell what became of it."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    reader = Depends(keys.allowed("evidence:read"))

    @router.get("/batches/{batch_id}", responses=documented(NotFoundError))
    async def read_batch(batch_id: UUID, caller: Caller = reader) -> BatchView:
        """Where a batch stands, and its rows by state and reason."""
        return BatchView.of(await batches.batch(batch_id, caller.issuer_id))

    @router.get("/batches/{batch_id}/rows", responses=documented(InvalidRequestError, NotFoundError))
    async def list_batch_rows(
        batch_id: UUID,
        *,
        caller: Caller = reader,
        state: Annotated[
            str | None,
            Query(pattern=f"^({'|'.join(ROW_STATES)})$", description="rows in this state only", examples=["refused"]),
        ] = None,
        after: Annotated[
            str, Query(pattern=_AFTER, max_length=100, description="where a page starts: taken from `next`")
        ] = "0",
        limit: Annotated[int, Query(ge=1, le=1000, description="most rows of a page")] = 100,
        warned: Annotated[
            bool, Query(description="rows that have warnings only, in any state; not together with `state`")
        ] = False,
    ) -> RowPage:
        """A page of rows: in the order of the file, or of reason and row where one state is asked for."""
        if warned and state is not None:
            raise InvalidRequestError("Ask for rows with warnings, or for rows in one state.")
        is_sheet = await batches.format(batch_id, caller.issuer_id) == "csv"
        reason, _, number = after.rpartition(".")
        if warned:
            page = await batches.warned_rows(batch_id, caller.issuer_id, after=int(number), limit=limit)
        else:
            page = await batches.rows(batch_id, caller.issuer_id, state=state, after=(reason, int(number)), limit=limit)
        rows = [RowView.of(row, is_sheet=is_sheet) for row in page]
        return RowPage(rows=rows, next=_next_page(batch_id, page, state, warned=warned, limit=limit))

    @router.get(
        "/batches/{batch_id}/failed.csv",
        response_class=Response,
        responses={200: _FAILED, **documented(ForbiddenError, NotFoundError)},
    )
    async def read_failed_rows(batch_id: UUID, *, caller: Caller = reader) -> StreamingResponse:
        """The refused rows as they were sent, with all that is wrong: correct the file, and send it under another key.

        Its `failed_` columns are passed over when it is sent again, and may stay. A row that was not corrected is
        refused again; of one that was, nothing was taken in before, so it counts once. Of a row that was refused when
        it was decided, name and address are left empty: they were taken in, and are kept for the mail. An apostrophe
        stands before what a spreadsheet would take for a formula, and is taken off when the file is sent again. What
        was sent is kept for 30 days, unless the operator has set another time; later the rows have their reasons alone.
        Names stand in it, so the key must hold `evidence:write` too.
        """
        if "evidence:write" not in caller.scopes:
            raise ForbiddenError(
                "what was sent is given to a key that may send evidence, with the scope evidence:write"
            )
        is_sheet = await batches.format(batch_id, caller.issuer_id) == "csv"

        async def page(after: int, limit: int) -> Sequence[FailedRow]:
            return await batches.failed.page(batch_id, caller.issuer_id, after=after, limit=limit)

        headers = {"Content-Disposition": f'attachment; filename="failed-{batch_id}.csv"'}
        return StreamingResponse(failed_csv(page, is_sheet=is_sheet), media_type=_CSV, headers=headers)

    return router


def _file_format(request: Request) -> str:
    media_type = request.headers.get("content-type", "")
    check_media_type(media_type, tuple(_FORMATS))
    return _FORMATS[essence(media_type)]


def _is_gzip(content_encoding: str | None) -> bool:
    encoding = (content_encoding or "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise UnsupportedMediaError("Content-Encoding is gzip, or there is none.")
    return encoding == "gzip"


def _next_page(batch_id: UUID, page: Sequence[Row], state: str | None, *, warned: bool, limit: int) -> str | None:
    if len(page) < limit:
        return None
    last = page[-1]
    after = f"{last.row}" if state is None else f"{last.reason or ''}.{last.row}"
    query = {"limit": limit, "after": after} | ({} if state is None else {"state": state})
    query |= {"warned": "true"} if warned else {}
    return f"/v1/batches/{batch_id}/rows?{urlencode(query)}"
