"""The HTTP calls of the evidence service."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from libs.access.api_keys import ApiKeys, Caller
from libs.common.errors import InvalidRequestError, UnsupportedMediaError
from libs.common.http import request_trace
from services.evidence.batches.batch import ROW_STATES, Batch, Row, Upload
from services.evidence.batches.body import Limits, plain_blocks
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.repository import Batches
from services.evidence.sources.readers import CsvReader, NdjsonReader, Reader, text_fields
from services.evidence.sources.rows import Refusal, read_row

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_AFTER = r"^(?:[a-z0-9_]{0,60}\.)?[0-9]{1,9}$"
_FORMATS = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
_READERS: Mapping[str, Callable[[int], Reader]] = {"csv": CsvReader, "ndjson": NdjsonReader}

_Source = Annotated[
    str, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="the sender's system that the source ids come from")
]


def routes(intake: Intake, batches: Batches, keys: ApiKeys, limits: Limits, longest_row: int) -> APIRouter:
    """The calls, over what they need. `longest_row` is in characters (CSV) or bytes (JSON)."""
    router = APIRouter(prefix="/v1")
    writer = Depends(keys.allowed("evidence:write"))
    reader = Depends(keys.allowed("evidence:read"))

    @router.post("/evidence", status_code=202)
    async def submit(request: Request, caller: Caller = writer, source: _Source = "upload") -> Response:
        """Take in one piece of evidence: a JSON object with the fields of a row."""
        upload = _upload(request, caller, source, "json")
        one = replace(limits, sent_bytes=longest_row, plain_bytes=longest_row)
        pieces = plain_blocks(request.stream(), one, gzipped=_is_gzip(request))
        line = _one_line(b"".join([block async for block in pieces]), intake.clock().date())
        batch_id = await intake.receive(upload, NdjsonReader(longest_row), _only(line))
        return _batch_answer(await batches.batch(batch_id, caller.issuer_id), 202)

    @router.post("/batches", status_code=202)
    async def send(request: Request, caller: Caller = writer, source: _Source = "upload") -> Response:
        """Take in a file of evidence: CSV or NDJSON, plain or gzip; answered when all of it is safe."""
        name = _file_format(request)
        upload = _upload(request, caller, source, name)
        pieces = plain_blocks(request.stream(), limits, gzipped=_is_gzip(request))
        batch_id = await intake.receive(upload, _READERS[name](longest_row), pieces)
        return _batch_answer(await batches.batch(batch_id, caller.issuer_id), 202)

    @router.get("/batches/{batch_id}")
    async def batch(batch_id: UUID, caller: Caller = reader) -> Response:
        """Where a batch stands, and its rows by state and reason."""
        return _batch_answer(await batches.batch(batch_id, caller.issuer_id), 200)

    @router.get("/batches/{batch_id}/rows")
    async def rows(
        batch_id: UUID,
        caller: Caller = reader,
        state: Annotated[str | None, Query(pattern=f"^({'|'.join(ROW_STATES)})$")] = None,
        after: Annotated[str, Query(pattern=_AFTER, max_length=100)] = "0",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """A page of rows; `next`, where there is more, is the address of the following page."""
        await batches.exists(batch_id, caller.issuer_id)
        reason, _, number = after.rpartition(".")
        page = await batches.rows(batch_id, caller.issuer_id, state=state, after=(reason, int(number)), limit=limit)
        return _rows_answer(batch_id, page, state, limit)

    return router


def _upload(request: Request, caller: Caller, source: str, name: str) -> Upload:
    key = request.headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidRequestError(
            "The header Idempotency-Key takes 1 to 200 visible ASCII characters.",
            [{"field": "Idempotency-Key", "reason": "1 to 200 visible ASCII characters"}],
        )
    return Upload(caller.issuer_id, source, name, request_trace(request), key)


def _file_format(request: Request) -> str:
    media, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if media not in _FORMATS:
        raise UnsupportedMediaError(f"Send evidence as {' or '.join(_FORMATS)} in the header Content-Type.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedMediaError("Send evidence as UTF-8 text.")
    return _FORMATS[media]


def _is_gzip(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise UnsupportedMediaError("Content-Encoding is gzip, or there is none.")
    return encoding == "gzip"


def _one_line(body: bytes, today: date) -> bytes:
    """The object in `body` as one line of NDJSON, if its form is good."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidRequestError("The body is not JSON; send one object with the fields of a row.") from None
    fields = text_fields(document)
    row = fields if isinstance(fields, Refusal) else read_row(fields, today)
    if isinstance(row, Refusal):
        error = {"field": row.column or "body", "reason": row.sentence, "code": row.reason.value}
        raise InvalidRequestError(row.sentence, [error])
    return orjson.dumps(document)


async def _only(block: bytes) -> AsyncIterator[bytes]:
    yield block


def _batch_answer(batch: Batch, status: int) -> Response:
    address = f"/v1/batches/{batch.batch_id}"
    body = {
        "id": batch.batch_id,
        "state": batch.state,
        "complete": batch.complete,
        "source": batch.source,
        "format": batch.format,
        "received": batch.tally.received,
        "counts": batch.tally.by_state,
        "reasons": batch.tally.by_reason,
        "problem": batch.problem,
        "created_at": batch.created_at,
        "accepted_at": batch.accepted_at,
        "links": {"self": address, "rows": f"{address}/rows"},
    }
    headers = {"Location": address} if status == 202 else {}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _rows_answer(batch_id: UUID, page: Sequence[Row], state: str | None, limit: int) -> Response:
    more = None
    if len(page) == limit:
        last = page[-1]
        after = f"{last.row}" if state is None else f"{last.reason or ''}.{last.row}"
        query = {"limit": limit, "after": after} | ({} if state is None else {"state": state})
        more = f"/v1/batches/{batch_id}/rows?{urlencode(query)}"
    return Response(orjson.dumps({"rows": page, "next": more}), media_type="application/json")
