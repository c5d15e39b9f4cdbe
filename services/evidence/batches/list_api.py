"""The HTTP route that lists batches of evidence."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import Moment
from libs.common.page_places import AFTER_PATTERN, place_of, place_text
from libs.common.problems import documented
from services.evidence.batches.batch import BatchState
from services.evidence.batches.listing import BatchLists, BatchPlace, ListedBatch, SoughtBatches


class BatchEntry(BaseModel):
    """A batch in a list; what became of its rows is read by its link."""

    id: UUID
    state: BatchState = Field(description="`accepted` once all of it is safe; only then was it answered 202")
    source: str = Field(description="the sender's system that the source ids come from", examples=["sis"])
    format: str = Field(description="csv, ndjson, xlsx or json; of a ZIP that of the file in it", examples=["csv"])
    received: int = Field(ge=0, description="rows received", examples=[31])
    problem: str | None = Field(description="why the upload was interrupted")
    created_at: AwareDatetime
    accepted_at: AwareDatetime | None
    link: str = Field(description="the batch, with its rows by state", examples=["/v1/batches/0"])


class BatchPage(BaseModel):
    """Some batches, the newest first."""

    batches: list[BatchEntry]
    next: str | None = Field(description="the path of the next page; none where this is the last")


def batch_list_routes(lists: BatchLists, keys: ApiKeys) -> APIRouter:
    """GET /v1/batches."""
    router = APIRouter(prefix="/v1", tags=["evidence"])

    @router.get("/batches", responses=documented(NotFoundError))
    async def list_batches(
        caller: Annotated[Caller, Depends(keys.reading(Scope.EVIDENCE_READ))],
        *,
        state: Annotated[BatchState | None, Query(description="in this state only")] = None,
        source: Annotated[
            str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="of this source only", examples=["sis"])
        ] = None,
        created_from: Annotated[Moment | None, Query(description="begun at this moment or later")] = None,
        created_before: Annotated[Moment | None, Query(description="begun before this moment")] = None,
        after: Annotated[
            str | None, Query(pattern=AFTER_PATTERN, description="where a page starts: taken from `next`")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="most batches of a page")] = 100,
    ) -> BatchPage:
        """Your batches of evidence, the newest first, for as long as they are kept."""
        place = None if after is None else BatchPlace(*place_of(after))
        sought = SoughtBatches(state, source, created_from, created_before)
        page = await lists.page(caller.issuer_id, sought, place, limit)
        asked = {"state": state, "source": source}
        asked |= {"created_from": _said(created_from), "created_before": _said(created_before)}
        return BatchPage(batches=[_entry(each) for each in page], next=_next(caller, page, asked, limit))

    return router


def _entry(batch: ListedBatch) -> BatchEntry:
    said = batch._asdict()
    return BatchEntry(id=said.pop("batch_id"), link=f"/v1/batches/{batch.batch_id}", **said)


def _next(caller: Caller, page: list[ListedBatch], asked: dict[str, str | None], limit: int) -> str | None:
    if len(page) < limit:
        return None
    query = {name: str(value) for name, value in asked.items() if value is not None}
    after = place_text(page[-1].created_at, page[-1].batch_id)
    return f"/v1/batches?{urlencode({**query, 'organisation': caller.issuer_id, 'limit': str(limit), 'after': after})}"


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
