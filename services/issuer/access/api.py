"""The HTTP routes of API keys: make, list, rotate and withdraw."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.key_text import key_id
from libs.access.repository import StoredKey
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, NotFoundError
from libs.common.fields import NumberInJson, Sentence
from libs.common.http import request_trace
from libs.common.problems import documented
from services.issuer.access.administration import By, EndReason, KeyAdministration, Words
from services.issuer.access.rights import LONGEST_OVERLAP
from services.issuer.catalogue.repository import Catalogue

IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]
KeyId = Annotated[
    str, Path(description="the id of the API key", pattern=r"^[0-9a-f]{16}$", examples=["9f86d081884c7d65"])
]
KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]

_LONGEST_HOURS = LONGEST_OVERLAP // timedelta(hours=1)


_REASON = Field(
    default=None,
    description="why, in your own words: it stands in the list of keys and in the audit log, for good; name no one",
    examples=["The attendance system sends marks from term 3 on"],
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyRequest(_Body):
    """What an API key is for, what it may do, and for how long."""

    name: KeyName = Field(
        description="what uses it, not who: it stands in the audit log", examples=["School management system"]
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = Field(
        examples=[["evidence:read", "evidence:write"]]
    )
    expires_at: AwareDatetime | None = Field(
        default=None,
        description="at most two years from now, and not after the key that makes it; else in a year, or with that key",
        examples=["2027-06-30T00:00:00Z"],
    )
    reason: Sentence | None = _REASON


class RotationRequest(_Body):
    """For how long both keys work."""

    overlap_hours: Annotated[int, Field(ge=0, le=_LONGEST_HOURS), NumberInJson] = Field(
        default=24, description="how long the old key works still"
    )
    reason: Sentence | None = _REASON


class KeyAnswer(BaseModel):
    """An API key as it is known here: everything but the key."""

    id: str = Field(description="the first 16 digits of its SHA-256", examples=["9f86d081884c7d65"])
    issuer_id: str = Field(examples=["wattle-grove"])
    name: str = Field(examples=["School management system"])
    scopes: list[str] = Field(examples=[["evidence:read", "evidence:write"]])
    granted_at: AwareDatetime
    granted_by: str = Field(description="who made it", examples=["administrator:first", "key:wattle-grove/Office"])
    granted_with: str | None = Field(description="the id of the key that made it, if it is known")
    reason: str | None = Field(description="why it was made, in the words of who asked for it")
    expires_at: AwareDatetime
    ends_at: AwareDatetime = Field(description="from then on it is refused: when it expires, or was withdrawn for")
    end_reason: str | None = Field(description="why it ends before it expires, where it does: a code")
    end_note: str | None = Field(description="the same in the words of who asked for it")
    last_used: AwareDatetime | None = Field(description="the hour in which it was used last, of those known here")


class NewKeyAnswer(KeyAnswer):
    """A new API key. It is shown this once: only its digest is stored."""

    key: str = Field(description="to be sent as `Authorization: Bearer …`", examples=["bb_…"])


class KeysAnswer(BaseModel):
    """The API keys of an issuer, the oldest first."""

    keys: list[KeyAnswer]


def access_routes(keys: ApiKeys, administration: KeyAdministration, catalogue: Catalogue) -> APIRouter:
    """GET and POST /v1/issuers/{id}/keys; DELETE of one key, and POST of its rotation."""
    router = APIRouter(
        prefix="/v1/issuers/{issuer_id}/keys", tags=["issuers"], dependencies=[Depends(_not_to_be_stored)]
    )
    allowed = Annotated[Caller, Depends(keys.allowed(Scope.KEYS_WRITE))]

    async def answer(issuer_id: str, stored: Sequence[StoredKey]) -> KeysAnswer:
        words = await administration.words(issuer_id, stored)
        return KeysAnswer(keys=[KeyAnswer(**_fields(each, words[each.sha256])) for each in stored])

    @router.get("", responses=documented(NotFoundError))
    async def list_keys(issuer_id: IssuerId, caller: allowed) -> KeysAnswer:
        """All API keys that the issuer ever had, those that have ended too, without the keys themselves."""
        caller.must_be(issuer_id)
        return await answer(issuer_id, await administration.keys(issuer_id))

    @router.post("", status_code=201, responses=documented(NotFoundError, ConflictError))
    async def grant_key(request: Request, issuer_id: IssuerId, asked: KeyRequest, caller: allowed) -> NewKeyAnswer:
        """Make an API key of an issuer or organisation; it works at once where this answers, and is shown this once."""
        caller.must_be(issuer_id)
        if not await catalogue.is_known(issuer_id):
            raise NotFoundError.for_caller()
        made = await administration.make(
            issuer_id,
            asked.name,
            asked.scopes,
            asked.expires_at,
            _by(request, caller, asked.reason),
        )
        return NewKeyAnswer(key=made.key, **_fields(made.stored, Words(made=asked.reason)))

    @router.post("/{key_id}/rotate", status_code=201, responses=documented(NotFoundError, ConflictError))
    async def rotate_key(
        request: Request, issuer_id: IssuerId, key_id: KeyId, asked: RotationRequest, caller: allowed
    ) -> NewKeyAnswer:
        """Make a key of the same name and scopes that follows this one; this one works for the overlap still."""
        caller.must_be(issuer_id)
        made = await administration.rotate(
            issuer_id,
            key_id,
            timedelta(hours=asked.overlap_hours),
            _by(request, caller, asked.reason),
        )
        return NewKeyAnswer(key=made.key, **_fields(made.stored, Words(made=asked.reason)))

    @router.delete("/{key_id}", responses=documented(NotFoundError))
    async def withdraw_key(
        request: Request,
        issuer_id: IssuerId,
        key_id: KeyId,
        caller: allowed,
        *,
        leaked: Annotated[
            bool, Query(description="somebody else has it: withdraw every key that was made with it, too")
        ] = False,
        reason: Annotated[Sentence | None, Query(description=_REASON.description)] = None,
    ) -> KeysAnswer:
        """Withdraw a key: within two seconds no service takes it. To withdraw it again changes nothing."""
        caller.must_be(issuer_id)
        ended = await administration.withdraw(
            issuer_id,
            key_id,
            EndReason.LEAKED if leaked else EndReason.WITHDRAWN,
            with_made=leaked,
            by=_by(request, caller, reason),
        )
        return await answer(issuer_id, ended)

    return router


def _by(request: Request, caller: Caller, reason: str | None) -> By:
    return By(caller, cause_of(request), request_trace(request), reason)


def _not_to_be_stored(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def _fields(stored: StoredKey, words: Words) -> dict[str, Any]:
    return {
        "id": key_id(stored.sha256),
        "issuer_id": stored.issuer_id,
        "name": stored.name,
        "scopes": sorted(stored.scopes),
        "granted_at": stored.granted_at,
        "granted_by": stored.granted_by,
        "granted_with": stored.granted_with,
        "reason": words.made,
        "expires_at": stored.expires_at,
        "ends_at": stored.ends_at,
        "end_reason": stored.end_reason,
        "end_note": words.ended,
        "last_used": stored.last_used,
    }
