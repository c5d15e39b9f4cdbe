"""The HTTP routes of an issuer's signing keys. No secret ever leaves the service."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, NotFoundError
from libs.common.fields import Sentence
from libs.common.http import request_trace
from libs.common.problems import documented
from services.issuer.keys.lifecycle import KeyLifecycle
from services.issuer.keys.states import MOST_KEYS, MOST_OF_ISSUER, KeyState, SigningKey

IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]
KeyId = Annotated[
    str,
    Path(
        description="the public key as a Multikey",
        pattern=r"^z[1-9A-HJ-NP-Za-km-z]{1,100}$",
        examples=["z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"],
    ),
]


class SigningKeyAnswer(BaseModel):
    """A signing key as everybody may see it."""

    id: str = Field(description="the public key as a Multikey; the fragment of its verification method")
    state: KeyState
    times: dict[KeyState, AwareDatetime] = Field(description="when it entered each state that it was ever in")
    distrusted_from: AwareDatetime | None = Field(
        description="from when on signatures of a compromised key are not trusted"
    )


class SigningKeysAnswer(BaseModel):
    """All keys that an issuer ever had, the oldest first."""

    keys: list[SigningKeyAnswer]


_REASON = Field(
    default=None,
    description="why, in your own words: it stands in the audit log, for good; name no one",
    examples=["The yearly change of keys"],
)


class KeyAddition(BaseModel):
    """Why a signing key is added; the body may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Sentence | None = _REASON


class KeyChange(BaseModel):
    """The state that a key is to enter.

    `active`: sign with it from now on; the key that signed so far becomes `retiring`. `retired`: it never signs again,
    and what it signed stays good. `compromised`: nothing that it signed from `distrusted_from` on is trusted.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "if": {"properties": {"state": {"const": KeyState.COMPROMISED.value}}},
            "else": {"properties": {"distrusted_from": {"type": "null"}}},
        },
    )

    state: Literal[KeyState.ACTIVE, KeyState.RETIRED, KeyState.COMPROMISED]
    distrusted_from: AwareDatetime | None = Field(
        default=None, description="of a compromised key alone: not before it was made; else now"
    )
    reason: Sentence | None = _REASON

    @model_validator(mode="after")
    def _distrusts_what_is_compromised(self) -> "KeyChange":
        if self.distrusted_from is not None and self.state is not KeyState.COMPROMISED:
            raise ValueError("distrusted_from belongs to the state compromised")
        return self


def signing_key_routes(keys: ApiKeys, lifecycle: KeyLifecycle) -> APIRouter:
    """GET and POST /v1/issuers/{id}/signing-keys, and PATCH of one key."""
    router = APIRouter(prefix="/v1/issuers/{issuer_id}/signing-keys", tags=["signing keys"])
    allowed = Annotated[Caller, Depends(keys.allowed(Scope.SIGNING_KEYS_WRITE))]

    @router.get("", responses=documented(NotFoundError))
    async def list_signing_keys(issuer_id: IssuerId, caller: allowed) -> SigningKeysAnswer:
        """All signing keys that you ever had, the oldest first."""
        caller.must_be(issuer_id)
        return SigningKeysAnswer(keys=[_answer(each) for each in await lifecycle.keys(issuer_id)])

    @router.post(
        "",
        status_code=201,
        responses={
            200: {"model": SigningKeyAnswer, "description": "There is a next key already; this is it."},
            **documented(NotFoundError, ConflictError),
        },
    )
    async def add_signing_key(
        request: Request,
        response: Response,
        issuer_id: IssuerId,
        caller: allowed,
        asked: KeyAddition | None = None,
    ) -> SigningKeyAnswer:
        """Add the next signing key and announce it in the DID document, before it signs anything."""
        caller.must_be(issuer_id)
        most = MOST_KEYS if caller.issuer_id == ALL_ISSUERS else MOST_OF_ISSUER
        reason = None if asked is None else asked.reason
        key, new = await lifecycle.add(issuer_id, request_trace(request), cause_of(request), reason=reason, most=most)
        response.status_code = 201 if new else 200
        return _answer(key)

    @router.patch(
        "/{key_id}",
        responses=documented(NotFoundError, ConflictError),
    )
    async def change_signing_key(
        request: Request, issuer_id: IssuerId, key_id: KeyId, asked: KeyChange, caller: allowed
    ) -> SigningKeyAnswer:
        """Activate, retire or distrust a signing key, and say so in the DID document.

        Where the active key is distrusted, the next one takes its place at once, so add that first (else: 409).
        """
        caller.must_be(issuer_id)
        trace, cause = request_trace(request), cause_of(request)
        if asked.state is KeyState.ACTIVE:
            return _answer(await lifecycle.activate(issuer_id, key_id, trace, cause, reason=asked.reason))
        if asked.state is KeyState.RETIRED:
            return _answer(await lifecycle.retire(issuer_id, key_id, trace, cause, reason=asked.reason))
        return _answer(
            await lifecycle.distrust(issuer_id, key_id, asked.distrusted_from, trace, cause, reason=asked.reason)
        )

    return router


def _answer(key: SigningKey) -> SigningKeyAnswer:
    return SigningKeyAnswer(id=key.key_id, state=key.state, times=dict(key.times), distrusted_from=key.distrusted_from)
