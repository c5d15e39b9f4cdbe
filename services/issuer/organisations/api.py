"""The HTTP routes of organisations: publishing, renaming, closing and finding them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.organisations import Sought
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, ForbiddenError, NotFoundError
from libs.common.fields import Day, IssuerName, SoughtText
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.events import AUTHORITY_ID, OrganisationPublished
from libs.contracts.organisations import Closing, ClosingReason, FormerName, Identifier, OrganisationKind
from services.issuer.catalogue.api import (
    Body,
    IssuerAnswer,
    IssuerProfileRequest,
    Slug,
    not_reserved,
)
from services.issuer.catalogue.issuers import By, DidMethod
from services.issuer.organisations.finding import FoundOrganisation, OrganisationsFound
from services.issuer.organisations.identifiers import canonical
from services.issuer.organisations.publishing import Content, IssuerPart, Organisations

OrganisationId = Annotated[str, Path(description="the id of the organisation", examples=["north-region"])]
Scheme = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]

_MOST_IDENTIFIERS = 20


class IdentifierRequest(Body):
    """An id by which somebody else knows the organisation; no two organisations have one together."""

    scheme: Scheme = Field(description="whose: `acara`, `sif`, `department`, or a word of your own", examples=["acara"])
    value: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")] = Field(examples=["40123"])

    def identifier(self) -> Identifier:
        """Return it in the one form of its scheme.

        Raises:
            ValueError: it has not the form of its scheme.
        """
        return Identifier(scheme=self.scheme, value=canonical(self.scheme, self.value))


def _canonical(asked: list[IdentifierRequest]) -> list[IdentifierRequest]:
    schemes = [each.scheme for each in asked]
    if len(set(schemes)) != len(schemes):
        raise ValueError("has one identifier of each scheme at most")
    return [IdentifierRequest(scheme=each.scheme, value=each.identifier().value) for each in asked]


class OrganisationIssuer(IssuerProfileRequest):
    """The organisation as an issuer: its public profile but for the name, which is the organisation's."""

    did_method: DidMethod | None = Field(
        default=None, description="how its DID is resolved: `web` (the default), whose keys can change, or `key`"
    )


class OrganisationRequest(Body):
    """An organisation as it is to be; what is left out is empty."""

    id: Annotated[Slug, AfterValidator(not_reserved)] = Field(
        description="its id here, for good; as an issuer it has the same",
        examples=["wattle-grove"],
        json_schema_extra={"not": {"const": AUTHORITY_ID}},
    )
    kind: OrganisationKind = Field(examples=["school"])
    name: IssuerName = Field(
        description="of one that is here, the name that it has: renaming is a call of its own",
        examples=["Wattle Grove High School"],
    )
    parent: Slug | None = Field(default=None, description="the organisation above it", examples=["north-region"])
    identifiers: Annotated[list[IdentifierRequest], Field(max_length=_MOST_IDENTIFIERS), AfterValidator(_canonical)] = (
        Field(default=[], description="ids by which others know it, one of each scheme at most")
    )
    opened_on: Day | None = Field(default=None, description="when it opened, or opens")
    issuer: OrganisationIssuer | None = Field(
        default=None,
        description="where it issues: what it says of itself as an issuer. Left out, what is an issuer stays one as it"
        " is, and what is none stays none",
    )

    def content(self) -> Content:
        """Return what the request says of the organisation, but for its name."""
        identifiers = sorted((each.identifier() for each in self.identifiers), key=lambda each: each.text)
        return Content(self.kind, self.parent, tuple(identifiers), self.opened_on)

    def issuer_part(self) -> IssuerPart | None:
        """Return what the request says of the issuer that it is."""
        return None if self.issuer is None else IssuerPart(self.issuer.named(self.name), self.issuer.did_method)


class NameRequest(Body):
    """Another name for an organisation."""

    name: IssuerName = Field(examples=["Wattle Grove Secondary College"])
    since: Day = Field(description="its first day: today, or before", examples=["2026-07-01"])


class ClosingRequest(Body):
    """When an organisation takes evidence last, why, and what follows it."""

    last_day: Day = Field(description="in UTC; it may be past, and evidence of later days that is here stays")
    reason: ClosingReason = Field(
        description="a public code; the codes stand in docs/reference/closing.md", examples=["merged"]
    )
    successor: Slug | None = Field(default=None, description="the organisation that follows it", examples=["banksia"])

    def closing(self) -> Closing:
        """Return it as it is published."""
        return Closing(last_day=self.last_day, reason=self.reason, successor=self.successor)


class OrganisationAnswer(BaseModel):
    """An organisation as its newest version has it."""

    id: str = Field(examples=["wattle-grove"])
    version: int = Field(ge=1, description="grows by one with each change of the organisation, not of its profile")
    kind: OrganisationKind
    name: str = Field(examples=["Wattle Grove High School"])
    parent: str | None = Field(description="the organisation above it")
    identifiers: list[Identifier] = Field(description="ids by which others know it")
    opened_on: date | None
    former_names: list[FormerName] = Field(description="the oldest first")
    closing: Closing | None = Field(description="where it closes, or has closed")
    takes_evidence: bool = Field(description="whether it has not closed by today")
    registered_at: AwareDatetime
    issuer: IssuerAnswer | None = Field(description="where it is an issuer: its profile")
    api_keys: int = Field(ge=0, description="how many API keys it ever had")


class OrganisationPage(BaseModel):
    """Some organisations, sorted by id."""

    organisations: list[OrganisationAnswer]
    next: str | None = Field(description="the path of the next page; none where this is the last")


def organisation_routes(
    keys: ApiKeys,
    organisations: Organisations,
    found: OrganisationsFound,
    clock: Callable[[], datetime],
    *,
    local: bool = False,
) -> APIRouter:
    """POST and GET /v1/organisations, and what is done to one; `local` as in `issuer_routes`."""
    router = APIRouter(prefix="/v1/organisations", tags=["organisations"])
    administrator = Annotated[Caller, Depends(keys.allowed(Scope.ISSUERS_WRITE))]

    async def answered(organisation: OrganisationPublished) -> OrganisationAnswer:
        (whole,) = await found.whole([organisation])
        return _answer(whole, clock().date())

    @router.post(
        "",
        status_code=201,
        responses={
            200: {"model": OrganisationAnswer, "description": "It is so already."},
            **documented(ConflictError),
        },
    )
    async def add_organisation(
        request: Request, response: Response, asked: OrganisationRequest, caller: administrator
    ) -> OrganisationAnswer:
        """Add an organisation, or publish its next version where anything differs; with the issuer that it is.

        The nearest issuer above it in the tree is the one whose shared achievements it awards. Where you make an issuer
        of an organisation in the middle of the tree, or move it, publish those below it again.
        """
        _only(ALL_ISSUERS, caller)
        if not local and asked.issuer is not None:
            asked.issuer.require_public()
        published, new = await organisations.apply(
            asked.id, asked.name, asked.content(), asked.issuer_part(), _by(request)
        )
        response.status_code = 201 if new else 200
        return await answered(published)

    @router.put("/{organisation_id}/name", responses=documented(NotFoundError, ConflictError))
    async def rename_organisation(
        request: Request, organisation_id: OrganisationId, asked: NameRequest, caller: administrator
    ) -> OrganisationAnswer:
        """Rename an organisation, and the issuer that it is; what was issued under its former name keeps that."""
        _only(ALL_ISSUERS, caller)
        return await answered(await organisations.rename(organisation_id, asked.name, asked.since, _by(request)))

    @router.put("/{organisation_id}/closing", responses=documented(NotFoundError, ConflictError))
    async def close_organisation(
        request: Request, organisation_id: OrganisationId, asked: ClosingRequest, caller: administrator
    ) -> OrganisationAnswer:
        """Close an organisation: after its last day it takes no evidence (`organisation-closed`).

        So it merges into its successor, or leaves. Evidence that was taken in is decided; what it issued verifies as
        before; its keys still read, revoke and take down. To ask for it again changes nothing.
        """
        _only(ALL_ISSUERS, caller)
        return await answered(await organisations.close(organisation_id, asked.closing(), _by(request)))

    @router.delete("/{organisation_id}/closing", responses=documented(NotFoundError, ConflictError))
    async def reopen_organisation(
        request: Request, organisation_id: OrganisationId, caller: administrator
    ) -> OrganisationAnswer:
        """Let an organisation go on that was closed by mistake. To ask for it again changes nothing."""
        _only(ALL_ISSUERS, caller)
        return await answered(await organisations.reopen(organisation_id, _by(request)))

    _add_finding(router, keys, found, clock)
    return router


def _add_finding(router: APIRouter, keys: ApiKeys, found: OrganisationsFound, clock: Callable[[], datetime]) -> None:
    reader = Annotated[Caller, Depends(keys.allowed(Scope.ORGANISATIONS_READ))]

    @router.get("", responses=documented(NotFoundError))
    async def list_organisations(
        caller: reader,
        *,
        below: Annotated[Slug | None, Query(description="this organisation, and those below it")] = None,
        kind: Annotated[OrganisationKind | None, Query(description="of this kind only")] = None,
        q: Annotated[SoughtText | None, Query(description="stands in the name, whatever its case")] = None,
        identifier: Annotated[
            str | None,
            Query(
                pattern=r"^[a-z][a-z0-9-]{0,31}:[\x21-\x7e]{1,255}$",
                description="SCHEME:VALUE, an id by which others know it",
                examples=["acara:40123"],
            ),
        ] = None,
        takes_evidence: Annotated[
            bool | None, Query(description="whether it takes evidence today; left out, all")
        ] = None,
        after: Annotated[str, Query(max_length=64, description="where a page starts: taken from `next`")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="most organisations of a page")] = 100,
    ) -> OrganisationPage:
        """Your organisation and those below it; with an administrator's key, all."""
        today = clock().date()
        sought = Sought(kind, q, identifier, takes_evidence, today)
        page = await found.page(caller, below, sought, after, limit)
        asked = {"below": below, "kind": kind, "q": q, "identifier": identifier}
        query = {name: value for name, value in asked.items() if value is not None}
        query |= {} if takes_evidence is None else {"takes_evidence": str(takes_evidence).lower()}
        last = page[-1].organisation.organisation_id if len(page) == limit else None
        return OrganisationPage(
            organisations=[_answer(each, today) for each in page],
            next=None
            if last is None
            else f"/v1/organisations?{urlencode({**query, 'limit': str(limit), 'after': last})}",
        )

    @router.get("/{organisation_id}", responses=documented(NotFoundError))
    async def read_organisation(organisation_id: OrganisationId, caller: reader) -> OrganisationAnswer:
        """An organisation of yours: your own, or one below it."""
        return _answer(await found.one(caller, organisation_id), clock().date())


def _only(tenant: str, caller: Caller) -> None:
    if caller.issuer_id != tenant:
        raise ForbiddenError("only the administrator's key may change organisations")


def _by(request: Request) -> By:
    return By(cause_of(request), request_trace(request))


def _answer(found: FoundOrganisation, today: date) -> OrganisationAnswer:
    organisation = found.organisation
    said = organisation.model_dump(include={"version", "kind", "name", "parent", "opened_on", "registered_at"})
    return OrganisationAnswer(
        id=organisation.organisation_id,
        identifiers=list(organisation.identifiers),
        former_names=list(organisation.former_names),
        closing=organisation.closing,
        takes_evidence=organisation.closing is None or today <= organisation.closing.last_day,
        issuer=None if found.issuer is None else IssuerAnswer.of(organisation.organisation_id, found.issuer),
        api_keys=found.api_keys,
        **said,
    )
