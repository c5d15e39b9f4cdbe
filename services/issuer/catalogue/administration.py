"""Onboarding: issuers with their keys, API keys, and versions of achievements. The calls behind the HTTP routes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

import orjson
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from libs.access.api_keys import ADMIN_SCOPES, ALL_ISSUERS, ApiKeys, Caller, key_sha256, new_key
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError, UnavailableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AchievementLevel, AchievementPublished, ApiKeyGranted, IssuerPublished
from libs.contracts.results import SoloLevel
from libs.openbadges.crypto import did
from services.issuer.catalogue.publications import Publications, digest_of, wait_until
from services.issuer.catalogue.repository import Catalogue
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.urls import Urls

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]

_WAIT_SECONDS = 10.0


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IssuerRequest(_Body):
    """A school or department to be onboarded."""

    id: Slug = Field(description="its id here, for good", examples=["wattle-grove"])
    name: Line = Field(examples=["Wattle Grove High School"])
    url: AnyHttpUrl | None = Field(default=None, description="its website", examples=["https://wattlegrove.example/"])
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None = Field(
        default=None, description="where anybody may ask about its badges", examples=["office@wattlegrove.example"]
    )
    did_method: Literal["web", "key"] = Field(default="web", description="how its DID is resolved")
    parent: Slug | None = Field(default=None, description="the id of its department", examples=["education-department"])


class IssuerAnswer(BaseModel):
    """An issuer as it stands in the catalogue."""

    id: str = Field(examples=["wattle-grove"])
    did: str = Field(description="names it in credentials", examples=["did:web:badges.example:issuers:wattle-grove"])
    name: str = Field(examples=["Wattle Grove High School"])
    url: str | None
    parent: str | None = Field(description="the id of its department")


class KeyRequest(_Body):
    """What an API key is to be good for."""

    scopes: Annotated[frozenset[str], Field(min_length=1, max_length=20)] = Field(
        examples=[["evidence:read", "evidence:write"]]
    )


class KeyAnswer(BaseModel):
    """A new API key. It is shown this once: only its digest is kept."""

    key: str = Field(description="to be sent as `Authorization: Bearer …`", examples=["bb_…"])
    issuer_id: str = Field(examples=["wattle-grove"])
    scopes: list[str] = Field(examples=[["evidence:read", "evidence:write"]])


class LevelRequest(_Body):
    """What one SOLO level of the achievement looks like."""

    level: SoloLevel
    name: Line | None = Field(default=None, description="what the school calls it", examples=["Puts it together"])
    description: Text = Field(examples=["Links what was tried to why it helped."])


class AchievementRequest(_Body):
    """A version of an achievement. Without `version`: the newest if the content is the same, else the next."""

    id: Slug = Field(description="its id in the catalogue of its issuer", examples=["resilience"])
    version: int | None = Field(default=None, ge=1, le=10_000, description="the newest, or the next")
    name: Line = Field(examples=["Resilience"])
    description: Text = Field(description="what somebody who holds it can do", examples=["Goes on when it is hard."])
    criteria: Text = Field(
        description="what must be shown", examples=["Shows it in Values Week, at relational or above."]
    )
    levels: Annotated[list[LevelRequest], Field(max_length=5)] = Field(
        default=[], description="what the SOLO levels look like here, each at most once"
    )
    required_level: SoloLevel | None = Field(default=None, description="the lowest level that earns it")
    required_score: float | None = Field(
        default=None, ge=0, le=100, allow_inf_nan=False, description="the lowest score that earns it"
    )
    repeatable: bool = Field(default=False, description="each piece of evidence earns it anew")
    shared: bool = Field(default=False, description="the schools of the owner may award it too")

    @model_validator(mode="after")
    def _levels_differ(self) -> "AchievementRequest":
        if len({each.level for each in self.levels}) != len(self.levels):
            raise ValueError("each level is described once")
        return self


class AchievementAnswer(BaseModel):
    """Where the version stands in the catalogue."""

    id: str = Field(examples=["resilience"])
    version: int = Field(ge=1, examples=[1])
    owner: str = Field(description="the issuer that published it", examples=["wattle-grove"])
    key: str = Field(description="names this version", examples=["wattle-grove/resilience/1"])


class Administration:
    """The inner calls: they take who calls and what is asked, and answer it with whether it is new."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        publications: Publications,
        signing_keys: SigningKeys,
        api_keys: ApiKeys,
        urls: Urls,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._publications = publications
        self._signing_keys = signing_keys
        self._api_keys = api_keys
        self._urls = urls
        self._publish = publish
        self._clock = clock

    async def add_issuer(self, caller: Caller, asked: IssuerRequest, trace: str) -> tuple[IssuerAnswer, bool]:
        """Onboard an issuer: its signing key, then its profile and DID document.

        Raises:
            ForbiddenError: the caller's key is bound to an issuer.
            InvalidRequestError: the parent is not known.
            ConflictError: the id stands for an issuer of other content.
        """
        if caller.issuer_id != ALL_ISSUERS:
            raise ForbiddenError("only the administrator's key may add issuers")
        if asked.parent is not None and asked.parent not in await self._catalogue.issuers([asked.parent]):
            raise InvalidRequestError(
                "the parent is not known", [{"field": "parent", "reason": "add the department before its schools"}]
            )
        now = self._clock()
        key = await self._signing_keys.make(asked.id, now)
        multibase = key.public_multibase
        name = self._urls.did_web(asked.id) if asked.did_method == "web" else did.did_key(multibase)
        event = IssuerPublished(
            issuer_id=asked.id,
            version=1,
            parent=asked.parent,
            name=asked.name,
            url=None if asked.url is None else str(asked.url),
            email=asked.email,
            did=name,
            did_document=orjson.dumps(did.did_document(name, multibase)).decode(),
            published_at=now,
        )
        new = await self._publications.once(
            event,
            digest_of(asked.model_dump(mode="json")),
            trace,
            otherwise=f"the id {asked.id} belongs to an issuer with another name, address, parent or DID method",
        )
        answer = IssuerAnswer(id=asked.id, did=name, name=event.name, url=event.url, parent=event.parent)
        return answer, new

    async def grant_key(self, caller: Caller, issuer_id: str, asked: KeyRequest, trace: str) -> KeyAnswer:
        """Make an API key of an issuer and wait until it is known here.

        Raises:
            NotFoundError: no such issuer, or it is not the caller's.
            InvalidRequestError: a scope that does not exist.
            ForbiddenError: a scope that the caller may not give away.
        """
        caller.must_be(issuer_id)
        if issuer_id not in await self._catalogue.issuers([issuer_id]):
            raise NotFoundError("there is nothing under this id that your key may see")
        every = frozenset(Scope)
        unknown = asked.scopes - every
        if unknown:
            raise InvalidRequestError(
                "a scope is not known",
                [{"field": "scopes", "reason": f"known are {', '.join(sorted(every))}"}],
            )
        may_give = every - (ADMIN_SCOPES - {"keys:write"}) if caller.issuer_id == ALL_ISSUERS else caller.scopes
        if not asked.scopes <= may_give:
            raise ForbiddenError("a key gives no rights that its maker lacks, and no issuer's key adds issuers")
        key = new_key()
        sha256 = key_sha256(key)
        grant = ApiKeyGranted(key_sha256=sha256, issuer_id=issuer_id, scopes=asked.scopes, granted_at=self._clock())
        await self._publish([Outgoing(grant, trace)])
        if not await wait_until(lambda: self._api_keys.has_arrived(sha256), _WAIT_SECONDS):
            raise UnavailableError("the key has not arrived in time and is not shown; ask for another one")
        return KeyAnswer(key=key, issuer_id=issuer_id, scopes=sorted(asked.scopes))

    async def add_achievement(
        self, caller: Caller, asked: AchievementRequest, trace: str
    ) -> tuple[AchievementAnswer, bool]:
        """Publish a version of one of the caller's own achievements; a published version never changes.

        Raises:
            ConflictError: this version has other content, or versions before it are missing.
        """
        owner = caller.issuer_id
        content = asked.model_dump(mode="json", exclude={"version"})
        newest = await self._catalogue.newest_version(owner, asked.id)
        newest_number = 0 if newest is None else newest.version
        version = asked.version or newest_number + 1
        if asked.version is None and newest is not None and newest == _version(asked, owner, newest):
            version = newest.version
        if version > newest_number + 1:
            raise ConflictError(f"the newest version of {asked.id} is {newest_number}; the next is {newest_number + 1}")
        template = AchievementPublished(
            owner=owner,
            achievement_id=asked.id,
            version=version,
            name="",
            description="",
            criteria="",
            levels=[],
            published_at=self._clock(),
        )
        event = _version(asked, owner, template)
        new = await self._publications.once(
            event,
            digest_of(content),
            trace,
            otherwise=f"version {version} of {asked.id} is published with other content and never changes; "
            "raise the version",
        )
        return AchievementAnswer(id=asked.id, version=version, owner=owner, key=event.version_key), new


def _version(asked: AchievementRequest, owner: str, place: AchievementPublished) -> AchievementPublished:
    """What is asked for, as the version and with the moment of `place`."""
    levels = sorted(asked.levels, key=lambda each: each.level.rank)
    return AchievementPublished(
        owner=owner,
        achievement_id=asked.id,
        version=place.version,
        shared=asked.shared,
        name=asked.name,
        description=asked.description,
        criteria=asked.criteria,
        levels=[
            AchievementLevel(level=each.level, name=each.name or each.level.label, description=each.description)
            for each in levels
        ],
        required_level=asked.required_level,
        required_score=asked.required_score,
        repeatable=asked.repeatable,
        published_at=place.published_at,
    )
