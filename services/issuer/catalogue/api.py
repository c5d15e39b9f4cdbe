"""The HTTP routes of issuers: their profiles and suspension."""

from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, FieldProblem, ForbiddenError, InvalidRequestError, NotFoundError
from libs.common.fields import EmailAddress, IssuerName, NumberInJson, TimeZone, Truth, WebUrl
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.common.public_url import leads_to_private
from libs.contracts.events import AUTHORITY_ID, IssuerPublished, Suspension
from libs.contracts.reasons import SuspensionReason
from services.issuer.catalogue.issuers import By, DidMethod, Issuers, Profile

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


def not_reserved(issuer_id: str) -> str:
    """Return the id of an issuer or organisation.

    Raises:
        ValueError: it is the authority's own.
    """
    if issuer_id == AUTHORITY_ID:
        raise ValueError("this id is the authority's own; choose another one")
    return issuer_id


IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]

EXISTING = {"description": "It exists already, with the same content."}


class Body(BaseModel):
    """A request body: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IssuerProfileRequest(Body):
    """The public profile of an issuer, but for its name."""

    url: WebUrl | None = Field(default=None, description="its website", examples=["https://wattlegrove.example/"])
    email: EmailAddress | None = Field(
        default=None, description="where anybody may ask about its badges", examples=["office@wattlegrove.example"]
    )
    logo: WebUrl | None = Field(
        default=None, description="URL of a picture", examples=["https://wattlegrove.example/logo.svg"]
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="in which pages show the times of its badges; without one that of its department, else UTC",
        examples=["Australia/Sydney"],
    )
    public_evidence: Truth = Field(
        default=False,
        description="whether the columns `activity` and `link` of your evidence become public: they then stand, signed,"
        " on the open page of every badge that is issued from now on, also for evidence sent before, and nobody can"
        " call them back; without it they stay with you",
    )
    linkedin_id: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,19}$")] | None = Field(
        default=None,
        description="the number of its page on LinkedIn; it stands in new badges, so that a learner who shows one on"
        " LinkedIn shows the issuer's logo and page",
        examples=["13370000"],
    )
    learners_from_16: Truth = Field(
        default=False,
        description="whether all its learners are 16 or older: pages of its badges then offer LinkedIn, which is for"
        " people of 16 and more; without it they do not",
    )

    def require_public(self) -> None:
        """Refuse URLs that lead to a machine of one's own or to a private network.

        Raises:
            InvalidRequestError: one does.
        """
        found = [
            FieldProblem(field=name, reason="must lead to where anybody reaches it", code="url_private")
            for name, url in (("url", self.url), ("logo", self.logo))
            if url is not None and leads_to_private(url)
        ]
        if found:
            raise InvalidRequestError("A URL leads to this machine or to a private network.", found)

    def named(self, name: str) -> Profile:
        """Return what the request says of the profile of an issuer of this name."""
        return Profile(
            name=name,
            url=self.url,
            email=self.email,
            logo=self.logo,
            time_zone=self.time_zone,
            public_evidence=self.public_evidence,
            linkedin_id=self.linkedin_id,
            learners_from_16=self.learners_from_16,
        )


class ProfileRequest(IssuerProfileRequest):
    """The whole public profile of an issuer: what is left out is empty in the next version."""

    name: IssuerName = Field(examples=["Wattle Grove High School"])
    expected_version: Annotated[int, Field(ge=0), NumberInJson] | None = Field(
        default=None,
        description="the version that this one is to follow; if another is the newest: 409",
    )

    def profile(self) -> Profile:
        """Return what the request says of the profile."""
        return self.named(self.name)


class IssuerRequest(ProfileRequest):
    """A school or department. Its id and its DID never change; everything else may, by publishing it again."""

    id: Annotated[Slug, AfterValidator(not_reserved)] = Field(
        description="its id here, for good",
        examples=["wattle-grove"],
        json_schema_extra={"not": {"const": AUTHORITY_ID}},
    )
    did_method: DidMethod | None = Field(
        default=None, description="how its DID is resolved: `web` (the default), whose keys can change, or `key`"
    )
    parent: Slug | None = Field(
        default=None,
        description="the id of its department, whose shared achievements it awards",
        examples=["education-department"],
    )


class IssuerAnswer(BaseModel):
    """An issuer as its newest version has it."""

    id: str = Field(examples=["wattle-grove"])
    version: int = Field(ge=1, description="grows by one with each change of the profile or of the keys")
    did: str = Field(description="names it in credentials", examples=["did:web:badges.example:issuers:wattle-grove"])
    name: str = Field(examples=["Wattle Grove High School"])
    url: str | None
    email: str | None
    logo: str | None
    time_zone: str | None
    parent: str | None = Field(description="the id of its department")
    linkedin_id: str | None = Field(description="the number of its page on LinkedIn")
    learners_from_16: bool = Field(description="whether its pages offer LinkedIn")
    public_evidence: bool = Field(description="whether new badges show `activity` and `link` on their open page")
    suspension: Suspension | None = Field(description="while it may issue nothing: since when, and why")
    look_alikes: list[str] = Field(
        default=[], description="ids of issuers here whose names could be taken for this one: a warning"
    )

    @classmethod
    def of(cls, issuer_id: str, version: IssuerPublished, look_alikes: Sequence[str] = ()) -> Self:
        """Return what a version says."""
        said = version.model_dump(include=cls.model_fields.keys() - {"id", "look_alikes"})
        return cls(id=issuer_id, look_alikes=list(look_alikes), **said)


class SuspensionRequest(Body):
    """Why the issuer may issue nothing."""

    reason: SuspensionReason = Field(
        description="a public code; the codes stand in docs/reference/suspension.md", examples=["under_review"]
    )


def issuer_routes(keys: ApiKeys, issuers: Issuers, *, local: bool = False) -> APIRouter:
    """POST /v1/issuers, and PUT and DELETE /v1/issuers/{id}/suspension: the administrator's.

    `local` takes URLs that only this machine or a private network reaches.
    """
    router = APIRouter(tags=["issuers"])
    allowed = Annotated[Caller, Depends(keys.allowed(Scope.ISSUERS_WRITE))]

    @router.post(
        "/v1/issuers",
        status_code=201,
        responses={200: {"model": IssuerAnswer, **EXISTING}, **documented(ConflictError)},
    )
    async def add_issuer(request: Request, response: Response, asked: IssuerRequest, caller: allowed) -> IssuerAnswer:
        """Onboard an issuer: its signing key, its profile and its DID document.

        Where anything differs from its newest version, this publishes the next one.
        """
        _only(ALL_ISSUERS, caller)
        if not local:
            asked.require_public()
        published, new = await issuers.onboard(
            asked.id,
            asked.profile(),
            parent=asked.parent,
            did_method=asked.did_method,
            expected_version=asked.expected_version,
            by=_by(request),
        )
        response.status_code = 201 if new else 200
        return await _answered(issuers, asked.id, published)

    @router.put(
        "/v1/issuers/{issuer_id}/suspension",
        responses=documented(NotFoundError, ConflictError),
    )
    async def suspend_issuer(
        request: Request, issuer_id: IssuerId, asked: SuspensionRequest, caller: allowed
    ) -> IssuerAnswer:
        """Suspend an issuer: nothing is signed for it until it is resumed. To suspend it again changes nothing.

        Its evidence is taken in and waits. What it issued verifies as before, and reports and pages say that it is
        suspended; it can still read, revoke and take down.
        """
        _only(ALL_ISSUERS, caller)
        version = await issuers.set_suspension(issuer_id, asked.reason, _by(request))
        return await _answered(issuers, issuer_id, version)

    @router.delete(
        "/v1/issuers/{issuer_id}/suspension",
        responses=documented(NotFoundError, ConflictError),
    )
    async def resume_issuer(request: Request, issuer_id: IssuerId, caller: allowed) -> IssuerAnswer:
        """Let an issuer issue again: evidence that waited for it is decided. To resume it again changes nothing."""
        _only(ALL_ISSUERS, caller)
        return await _answered(issuers, issuer_id, await issuers.set_suspension(issuer_id, None, _by(request)))

    return router


def profile_routes(keys: ApiKeys, issuers: Issuers, *, local: bool = False) -> APIRouter:
    """GET and PUT /v1/issuers/{id}/profile; `local` as in `issuer_routes`."""
    router = APIRouter(tags=["issuers"])

    @router.get("/v1/issuers/{issuer_id}/profile", responses=documented(NotFoundError))
    async def read_profile(
        issuer_id: IssuerId, caller: Annotated[Caller, Depends(keys.allowed(Scope.PROFILE_WRITE))]
    ) -> IssuerAnswer:
        """Your newest profile, and its version."""
        caller.must_be(issuer_id)
        return await _answered(issuers, issuer_id, await issuers.current(issuer_id))

    @router.put(
        "/v1/issuers/{issuer_id}/profile",
        responses=documented(NotFoundError, ConflictError),
    )
    async def change_profile(
        request: Request,
        issuer_id: IssuerId,
        asked: ProfileRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.PROFILE_WRITE))],
    ) -> IssuerAnswer:
        """Publish the next version of your profile; to publish what it says already changes nothing.

        Badges that were issued keep the name that they were signed with, and verify as before. A new name that could be
        taken for another issuer's is refused, unless the administrator publishes it.
        """
        caller.must_be(issuer_id)
        if not local:
            asked.require_public()
        published, _ = await issuers.change_profile(
            issuer_id,
            asked.profile(),
            expected_version=asked.expected_version,
            may_resemble=caller.issuer_id == ALL_ISSUERS,
            by=_by(request),
        )
        return await _answered(issuers, issuer_id, published)

    return router


def _only(tenant: str, caller: Caller) -> None:
    if caller.issuer_id != tenant:
        raise ForbiddenError("only the administrator's key may add, suspend or resume issuers")


def _by(request: Request) -> By:
    return By(cause_of(request), request_trace(request))


async def _answered(issuers: Issuers, issuer_id: str, version: IssuerPublished) -> IssuerAnswer:
    return IssuerAnswer.of(issuer_id, version, await issuers.look_alikes(version))
