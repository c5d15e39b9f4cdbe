"""The HTTP calls of the evidence service."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from libs.access.api_keys import ApiKeys, Caller
from libs.common.body_limits import streamed_body
from libs.common.departures import Sender, watched
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
from services.evidence.batches.batch import ROW_STATES, Batch, FailedRow, Row, Upload
from services.evidence.batches.body import Limits, plain_blocks
from services.evidence.batches.closed_organisations import ClosedOrganisations
from services.evidence.batches.dry_run import dry_run
from services.evidence.batches.failed_csv import failed_csv
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.one_piece import OnePiece, good_fields, nothing
from services.evidence.batches.quotas import BYTES_OF_DRY_RUNS, ROWS_OF_DRY_RUNS, Quotas
from services.evidence.batches.repository import Batches
from services.evidence.batches.views import BatchView, DryRunView, RowPage, RowView
from services.evidence.batches.whole_files import WholeFiles
from services.evidence.sources.failed_columns import FAILED_COLUMNS
from services.evidence.sources.forms import CSV, NDJSON, OPENED, STREAMED, XLSX, ZIP, Form, is_sheet
from services.evidence.sources.schema import EXAMPLE, column_table, csv_template, evidence_schema

SOURCE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
_AFTER = r"^(?:[a-z0-9_]{0,60}\.)?[0-9]{1,9}$"

_Source = Annotated[
    str,
    Query(
        pattern=SOURCE_PATTERN,
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
CONTENT_ENCODING = Annotated[
    str | None,
    Header(
        alias="Content-Encoding",
        description="`gzip` where the body is compressed (RFC 1952); otherwise left out",
        json_schema_extra={"enum": ["gzip", "identity"]},
    ),
]

_DryRun = Annotated[
    bool, Query(alias="dry_run", description="read the file and say what its rows would become; take nothing in")
]

ACCEPTED: dict[int | str, dict[str, Any]] = {
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
    "content": {CSV: {"schema": {"type": "string"}, "example": csv_template().strip("\ufeff")}},
}
_FAILED: dict[str, Any] = {
    "description": f"The columns of evidence, then {', '.join(FAILED_COLUMNS)}. Where a row has several faults, they"
    " stand in one order in each of these, with ` | ` between them.",
    "content": {CSV: {"schema": {"type": "string"}}},
}
_EVIDENCE_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": evidence_schema()}}}
}
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Rows of UTF-8 text. CSV (RFC 4180, also with semicolons or tabs) names its columns in the first"
        " line; NDJSON has one JSON object per line with the same names; of a workbook (.xlsx) the one visible sheet is"
        " read whose row above the data names them. A ZIP has one of these files. Columns in any order; an unknown one"
        f" is an error.\n\n{column_table()}",
        "content": {
            CSV: {"schema": {"type": "string", "format": "binary"}, "example": _csv_example()},
            NDJSON: {
                "schema": {"type": "string", "format": "binary"},
                "example": orjson.dumps(EXAMPLE).decode() + "\n",
            },
            XLSX: {"schema": {"type": "string", "format": "binary"}},
            ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def upload_routes(
    intake: Intake,
    keys: ApiKeys,
    limits: Limits,
    *,
    longest_row: int,
    quotas: Quotas,
    closed: ClosedOrganisations,
    whole_files: WholeFiles,
) -> APIRouter:
    """Return the calls that take evidence in. `longest_row` is in characters (CSV) or bytes (JSON)."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    writer = Depends(keys.allowed("evidence:write"))

    @asynccontextmanager
    async def _opened(
        request: Request, sender: Sender, sent: AsyncIterator[bytes], *, gzipped: bool
    ) -> AsyncIterator[tuple[Form, AsyncIterator[bytes]]]:
        media_type = _media_type(request)
        if media_type in STREAMED:
            yield STREAMED[media_type], plain_blocks(sent, limits, gzipped=gzipped)
            return
        small = limits.of_bytes(whole_files.most_bytes)
        async with whole_files.opened(media_type, plain_blocks(sent, small, gzipped=gzipped), sender) as found:
            yield found

    def _answer(batch: Batch, response: Response) -> BatchView:
        view = BatchView.of(batch, intake.clock())
        response.headers["Location"] = view.links.self
        return view

    @router.post(
        "/evidence",
        status_code=202,
        responses=ACCEPTED,
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
        content_encoding: CONTENT_ENCODING = None,
    ) -> BatchView:
        """Send one piece of evidence; it becomes a batch of one row."""
        await closed.require_open(caller.issuer_id)
        upload = Upload(caller.issuer_id, source, "json", request_trace(request), idempotency_key)
        one = limits.of_bytes(longest_row)
        pieces = plain_blocks(quotas.counted(caller, request.stream()), one, gzipped=is_gzip(content_encoding))
        body, today = b"".join([block async for block in pieces]), intake.clock().date()
        fields = good_fields(body, today, intake.contact_policy, local=intake.local)
        charge = partial(quotas.take, caller, "rows")
        return _answer(await intake.receive(upload, OnePiece(fields), nothing(), charge), response)

    @router.post(
        "/batches",
        status_code=202,
        response_model=BatchView,
        responses={200: {"model": DryRunView, "description": "Of a dry run: nothing was taken in."}, **ACCEPTED},
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
        content_encoding: CONTENT_ENCODING = None,
        is_dry_run: _DryRun = False,
    ) -> BatchView | JSONResponse:
        """Send a file of evidence: CSV, NDJSON, a workbook, or one of these in a ZIP; answered when all of it is safe.

        With `dry_run=true` it is read as it would be, and nothing is taken in: no batch, no row, no mail, no use of the
        Idempotency-Key, nothing of the quotas of rows and bytes (so many of both a day again in dry runs, two at once).
        The numbers are those that the batch would have when it is accepted. What is decided afterwards is not foreseen:
        whether the achievement is there and asks for a level or a score, whether the result is enough, whether the
        evidence was sent before or the learner holds the badge, and whether the file has a source id twice.

        An organisation that has closed is refused (`organisation-closed`).
        """
        await closed.require_open(caller.issuer_id)
        with watched(request) as sender:
            stream = keys.while_valid(request, sender.stream())
            sent = quotas.counted(caller, stream, BYTES_OF_DRY_RUNS if is_dry_run else "bytes")
            async with _opened(request, sender, sent, gzipped=is_gzip(content_encoding)) as (form, pieces):
                upload = Upload(caller.issuer_id, source, form.name, request_trace(request), idempotency_key)
                reader = form.reader(longest_row)
                charge = partial(quotas.take, caller, ROWS_OF_DRY_RUNS if is_dry_run else "rows")
                if not is_dry_run:
                    return _answer(await intake.receive(upload, reader, pieces, charge), response)
                found = await dry_run(intake, upload, reader, sender.while_there(pieces), charge)
                return JSONResponse(DryRunView.of(found, upload, is_sheet=form.is_sheet).model_dump(mode="json"))

    @router.get("/evidence/template", response_class=Response, responses={200: _TEMPLATE})
    async def read_template(caller: Caller = writer) -> Response:  # whoever may send evidence
        """A CSV file to fill in: the names of the columns, with what becomes public marked beside them."""
        headers = {"Content-Disposition": 'attachment; filename="evidence.csv"'}
        return Response(csv_template(), media_type=CSV, headers=headers)

    return router


def batch_routes(batches: Batches, keys: ApiKeys, clock: Callable[[], datetime]) -> APIRouter:
    """Return the calls that tell what became of it."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    reader = Depends(keys.reading("evidence:read"))

    @router.get("/batches/{batch_id}", responses=documented(NotFoundError))
    async def read_batch(batch_id: UUID, caller: Caller = reader) -> BatchView:
        """Where a batch stands, and its rows by state and reason."""
        return BatchView.of(await batches.batch(batch_id, caller.issuer_id), clock())

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
        numbered = is_sheet(await batches.format(batch_id, caller.issuer_id))
        reason, _, number = after.rpartition(".")
        if warned:
            page = await batches.warned_rows(batch_id, caller.issuer_id, after=int(number), limit=limit)
        else:
            page = await batches.rows(batch_id, caller.issuer_id, state=state, after=(reason, int(number)), limit=limit)
        rows = [RowView.of(row, is_sheet=numbered) for row in page]
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
        numbered = is_sheet(await batches.format(batch_id, caller.issuer_id))

        async def page(after: int, limit: int) -> Sequence[FailedRow]:
            return await batches.failed.page(batch_id, caller.issuer_id, after=after, limit=limit)

        headers = {"Content-Disposition": f'attachment; filename="failed-{batch_id}.csv"'}
        return StreamingResponse(failed_csv(page, is_sheet=numbered), media_type=CSV, headers=headers)

    return router


def _media_type(request: Request) -> str:
    media_type = request.headers.get("content-type", "")
    check_media_type(media_type, (*STREAMED, *OPENED))
    return essence(media_type)


def is_gzip(content_encoding: str | None) -> bool:
    """Return whether the body is compressed.

    Raises:
        UnsupportedMediaError: it is encoded otherwise.
    """
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
