"""The HTTP routes that list credentials: of an issuer, of one of its learners, and as a file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import Moment
from libs.common.page_places import AFTER_PATTERN, place_of, place_text
from libs.common.problems import documented
from libs.contracts.ids import Ids
from services.issuer.awards.listing import CredentialLists, ListedCredential
from services.issuer.credentials.api import CredentialSummary
from services.issuer.credentials.credential import CredentialState
from services.issuer.credentials.sought import Place, SoughtCredentials
from services.issuer.urls import Urls

_CSV = "text/csv"
_ACHIEVEMENT = r"^[a-z0-9][a-z0-9-]{0,63}/[a-z0-9][a-z0-9-]{0,63}(?:/[1-9][0-9]{0,4})?$"

_LearnerId = Annotated[UUID | None, Query(description="of this learner, by the id that credentials are answered with")]
_Achievement = Annotated[
    str | None,
    Query(
        pattern=_ACHIEVEMENT,
        description="of this achievement, OWNER/ID, or of one version of it, OWNER/ID/VERSION",
        examples=["wattle-grove/resilience"],
    ),
]
_State = Annotated[CredentialState | None, Query(description="in this state only")]
_From = Annotated[Moment | None, Query(description="issued at this moment or later")]
_Before = Annotated[Moment | None, Query(description="issued before this moment")]
_FILE: dict[str, Any] = {
    "description": "A line for each credential, the newest first.",
    "content": {_CSV: {"schema": {"type": "string"}}},
}


class SearchRequest(BaseModel):
    """Whose credentials are asked for. It is a body since a student's number stands in no address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learner_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(
        description="the learner as in your evidence: your own student number", examples=["1042"]
    )
    state: CredentialState | None = Field(default=None, description="in this state only")


class CredentialEntry(CredentialSummary):
    """A credential in a list: what it is, and the evidence that it rests on."""

    batch_id: UUID = Field(description="the batch of the evidence that it was issued for")
    row: int = Field(ge=1, description="the row of that batch", examples=[17])
    source: str | None = Field(description="your system that the evidence came from, if known", examples=["sis"])
    source_id: str | None = Field(description="the evidence's id there", examples=["VW-2026-1042"])


class CredentialPage(BaseModel):
    """Some credentials, the newest first."""

    credentials: list[CredentialEntry]
    next: str | None = Field(description="the path of the next page; none where this is the last")


class LearnersCredentials(BaseModel):
    """The credentials of one learner, the newest first."""

    learner_id: UUID = Field(description="the learner, by an id that nobody can compute from outside")
    credentials: list[CredentialEntry]
    next: str | None = Field(description="the path of the next page, by that id; none where this is the last")


def credential_list_routes(keys: ApiKeys, lists: CredentialLists, ids: Ids, urls: Urls) -> APIRouter:
    """GET /v1/credentials, …/export.csv and …/{id}/evidence, and POST /v1/credentials/search."""
    router = APIRouter(prefix="/v1/credentials", tags=["credentials"])
    reader = Annotated[Caller, Depends(keys.reading(Scope.CREDENTIALS_READ))]

    def entries(page: list[ListedCredential]) -> list[CredentialEntry]:
        return [_entry(each, urls) for each in page]

    @router.get("", responses=documented(NotFoundError))
    async def list_credentials(
        caller: reader,
        *,
        learner_id: _LearnerId = None,
        achievement: _Achievement = None,
        state: _State = None,
        issued_from: _From = None,
        issued_before: _Before = None,
        after: Annotated[
            str | None, Query(pattern=AFTER_PATTERN, description="where a page starts: taken from `next`")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="most credentials of a page")] = 100,
    ) -> CredentialPage:
        """Your credentials, the newest first, without what was signed."""
        sought = SoughtCredentials(learner_id, achievement, state, issued_from, issued_before)
        page = await lists.page(caller.issuer_id, sought, None if after is None else Place(*place_of(after)), limit)
        asked = {"learner_id": learner_id, "achievement": achievement, "state": state}
        asked |= {"issued_from": _said(issued_from), "issued_before": _said(issued_before)}
        return CredentialPage(credentials=entries(page), next=_next(caller, page, asked, limit))

    @router.get("/export.csv", response_class=StreamingResponse, responses={200: _FILE, **documented(NotFoundError)})
    async def export_credentials(
        request: Request,
        caller: reader,
        *,
        learner_id: _LearnerId = None,
        achievement: _Achievement = None,
        state: _State = None,
        issued_from: _From = None,
        issued_before: _Before = None,
    ) -> StreamingResponse:
        """Your credentials as a CSV file for a spreadsheet, the newest first.

        An apostrophe stands before what a spreadsheet would take for a formula. No learner's name stands in it: your
        own system knows by `source_id` whose evidence it was. Each export is an entry of your audit log.
        """
        sought = SoughtCredentials(learner_id, achievement, state, issued_from, issued_before)
        headers = {"Content-Disposition": f'attachment; filename="awards-{caller.issuer_id}.csv"'}
        lines = await lists.export(caller.issuer_id, sought, cause_of(request))
        return StreamingResponse(lines, media_type=_CSV, headers=headers)

    @router.get("/{credential_id}/evidence", responses=documented(NotFoundError))
    async def read_credential_evidence(credential_id: UUID, caller: reader) -> CredentialEntry:
        """Whose badge one of yours is: the evidence that it rests on, by your own ids, in which your system has it."""
        return _entry(await lists.one(caller.issuer_id, credential_id), urls)

    @router.post("/search", responses=documented(NotFoundError))
    async def search_credentials(asked: SearchRequest, caller: reader) -> LearnersCredentials:
        """Which credentials one of your learners has, the newest hundred of them; of one you do not know, none."""
        learner_id = ids.learner_id(caller.issuer_id, asked.learner_id)
        limit = 100
        page = await lists.page(caller.issuer_id, SoughtCredentials(learner_id, None, asked.state), None, limit)
        following = _next(caller, page, {"learner_id": learner_id, "state": asked.state}, limit)
        return LearnersCredentials(learner_id=learner_id, credentials=entries(page), next=following)

    return router


def _entry(listed: ListedCredential, urls: Urls) -> CredentialEntry:
    credential, source = listed
    return CredentialEntry(
        id=credential.credential_id,
        url=urls.credential(credential.credential_id),
        issuer_id=credential.issuer_id,
        learner_id=credential.learner_id,
        achievement=credential.achievement,
        level=credential.level,
        state=credential.state,
        issued_at=credential.issued_at,
        supersedes=credential.supersedes,
        superseded_by=credential.superseded_by,
        batch_id=credential.decision_id.batch_id,
        row=credential.decision_id.row,
        source=None if source is None else source.source,
        source_id=None if source is None else source.source_id,
    )


def _next(caller: Caller, page: list[ListedCredential], asked: Mapping[str, object], limit: int) -> str | None:
    if len(page) < limit:
        return None
    last = page[-1].credential
    after = place_text(last.issued_at, last.credential_id)
    query = {name: str(value) for name, value in asked.items() if value is not None}
    query |= {"organisation": caller.issuer_id, "limit": str(limit), "after": after}
    return f"/v1/credentials?{urlencode(query)}"


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
