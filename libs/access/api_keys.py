"""Who may do what: API keys, each bound to one issuer (the tenant) and to scopes.

A key is 256 random bits; only its SHA-256 is stored and travels, on the restricted topic `access.keys`.
"""

import hashlib
import hmac
import inspect
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any

from cachetools import TTLCache
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.access.scopes import Scope
from libs.common.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from libs.common.mongo import Database, Document, upsert_newest
from libs.common.rate_limits import CALLER, RATES, RateLimits
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyGranted

ADMIN_SCOPES = frozenset(
    {
        Scope.ISSUERS_WRITE,
        Scope.PROFILE_WRITE,
        Scope.SIGNING_KEYS_WRITE,
        Scope.KEYS_WRITE,
        Scope.CREDENTIALS_TAKE_DOWN,
    }
)
ALL_ISSUERS = "*"

_KEY_PREFIX = "bb_"
# A withdrawn key may work this much longer; a lookup for every request would cost more than it protects.
_REMEMBERED_SECONDS = 5.0
_REMEMBERED_KEYS = 10_000
_LONGEST_KEY = 100


def new_key() -> str:
    """Return a new API key: 256 random bits, base64url, after a prefix that secret scanners can find."""
    return _KEY_PREFIX + secrets.token_urlsafe(32)


def key_sha256(key: str) -> str:
    """Return what is stored of a key, SHA-256 in hex. Of 256 random bits it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the tenant that the key is bound to, and what it may do."""

    issuer_id: str
    scopes: frozenset[str]

    def must_be(self, issuer_id: str) -> None:
        """Another tenant's things look as if they were not there.

        Raises:
            NotFoundError: the caller is bound to another issuer.
        """
        if self.issuer_id not in {issuer_id, ALL_ISSUERS}:
            raise NotFoundError.for_caller()


_BEARER = HTTPBearer(
    scheme_name="apiKey",
    description="An API key, `Authorization: Bearer bb_…`: it belongs to one issuer and has scopes of its own.",
    auto_error=False,
)


class ApiKeys:
    """The keys that have arrived, materialised from `access.keys` into the service's own database."""

    def __init__(
        self, database: Database, *, admin_key_sha256: str | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._collection = database["api_keys"]
        self._admin_key_sha256 = admin_key_sha256
        self._callers: TTLCache[str, Caller] = TTLCache(_REMEMBERED_KEYS, _REMEMBERED_SECONDS, clock)

    async def apply(self, batch: Sequence[Received[ApiKeyGranted]]) -> Sequence[Outgoing]:
        """Handle a batch of `access.keys`: the newest grant of each key takes precedence."""
        events = [received.event for received in batch if received.event is not None]
        await upsert_newest(self._collection, [_grant(event) for event in events], order="granted_at")
        return []

    async def has_arrived(self, sha256: str) -> bool:
        """Return whether a grant of this key is in this service's database."""
        return await self._collection.find_one({"_id": sha256}, {"_id": 1}) is not None

    async def caller(self, key: str) -> Caller:
        """Return who calls with this API key.

        Raises:
            UnauthenticatedError: nobody granted it, or it was withdrawn.
        """
        if not key.startswith(_KEY_PREFIX) or len(key) > _LONGEST_KEY:
            raise _unauthenticated()
        sha256 = key_sha256(key)
        if self._admin_key_sha256 is not None and hmac.compare_digest(sha256, self._admin_key_sha256):
            return Caller(ALL_ISSUERS, ADMIN_SCOPES)
        caller = self._callers.get(sha256)
        if caller is None:
            stored = await self._collection.find_one({"_id": sha256})
            if stored is None or not stored["scopes"]:
                raise UnauthenticatedError("this API key is not known here; a new one takes a moment to arrive")
            caller = self._callers[sha256] = Caller(stored["issuer_id"], frozenset(stored["scopes"]))
        return caller

    def allowed(self, scope: str) -> Callable[..., Awaitable[Caller]]:
        """Return a FastAPI dependency that gives the caller, who must hold `scope`; OpenAPI shows both.

        Raises:
            ValueError: there is no such scope.
        """
        required = Scope(scope)

        async def dependency(
            request: Request,
            credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER, scopes=[required.value])],
        ) -> Caller:
            if credentials is None:
                raise _unauthenticated()
            caller: Caller | None = request.scope.get(CALLER)
            if caller is None:
                caller = request.scope[CALLER] = await self.caller(credentials.credentials)
                rates: RateLimits | None = request.scope.get(RATES)
                if rates is not None:
                    rates.take_caller(key_sha256(credentials.credentials), caller.issuer_id)
            if required not in caller.scopes:
                raise ForbiddenError(f"your API key lacks the scope {required}")
            return caller

        return _ApiKeyGate(dependency)


class _ApiKeyGate:
    """The dependency, which the edge can ask by itself, before a body is received (`libs.common.body_limits.Gate`)."""

    def __init__(self, dependency: Callable[..., Awaitable[Caller]]) -> None:
        self._dependency = dependency
        # FastAPI reads from it what the dependency needs.
        self.__signature__ = inspect.signature(dependency)

    async def __call__(self, **needed: Any) -> Caller:
        return await self._dependency(**needed)

    async def admit(self, request: Request) -> None:
        """Let the request pass; see `ApiKeys.allowed` for who does not."""
        await self._dependency(request=request, credentials=await _BEARER(request))


def _grant(event: ApiKeyGranted) -> Document:
    return {
        "_id": event.key_sha256,
        "schema": 1,
        "issuer_id": event.issuer_id,
        "scopes": sorted(event.scopes),
        "granted_at": event.granted_at,
    }


def _unauthenticated() -> UnauthenticatedError:
    return UnauthenticatedError("send `Authorization: Bearer bb_…` with an API key of yours")
