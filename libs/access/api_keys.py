"""Who may do what: API keys, each bound to one issuer (the tenant) and to scopes.

A key is 256 random bits; only its SHA-256 is stored and travels, on the restricted topic `access.keys`.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from fastapi import Request

from libs.common.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from libs.common.mongo import Database, insert_new
from libs.common.runtime import Plumbing
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyGranted

SCOPES = frozenset(
    {
        "issuers:write",
        "keys:write",
        "catalogue:write",
        "evidence:write",
        "evidence:read",
        "credentials:read",
        "credentials:revoke",
        "deliveries:read",
    }
)
ADMIN_SCOPES = frozenset({"issuers:write", "keys:write"})
ALL_ISSUERS = "*"

_KEY_PREFIX = "bb_"
# A withdrawn key may work this much longer; a lookup for every request would cost more than it protects.
_REMEMBERED_SECONDS = 5.0
_REMEMBERED_KEYS = 10_000


def new_key() -> str:
    """A fresh API key: 256 random bits, base64url, after a prefix that secret scanners can find."""
    return _KEY_PREFIX + secrets.token_urlsafe(32)


def key_sha256(key: str) -> str:
    """What is stored of a key. It has 256 bits of entropy, so it needs no salt and no slow hash."""
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
            raise NotFoundError("there is nothing under this id that your key may see")


class ApiKeys:
    """The keys that this service knows, materialised from `access.keys` into its own database."""

    def __init__(
        self, database: Database, *, admin_key_sha256: str | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._collection = database["api_keys"]
        self._admin_key_sha256 = admin_key_sha256
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    async def learn(self, batch: Sequence[Received[ApiKeyGranted]]) -> Sequence[Outgoing]:
        """Effect of a batch of `access.keys`: the newest grant of each key holds."""
        for received in batch:
            event = received.event
            if event is None:
                continue
            grant = {
                "schema": 1,
                "issuer_id": event.issuer_id,
                "scopes": sorted(event.scopes),
                "granted_at": event.granted_at,
            }
            if await insert_new(self._collection, [{"_id": event.key_sha256, **grant}]):
                older = {"_id": event.key_sha256, "granted_at": {"$lt": event.granted_at}}
                await self._collection.update_one(older, {"$set": grant})
        return []

    async def knows(self, sha256: str) -> bool:
        """Whether this key has arrived in this service's database."""
        return await self._collection.find_one({"_id": sha256}, {"_id": 1}) is not None

    async def caller(self, authorization: str | None) -> Caller:
        """Who sent this `Authorization` header.

        Raises:
            UnauthenticatedError: no bearer token, or a key that nobody granted.
        """
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.startswith(_KEY_PREFIX) or len(key) > 100:
            raise UnauthenticatedError("send `Authorization: Bearer bb_…` with an API key of yours")
        sha256 = key_sha256(key)
        if self._admin_key_sha256 is not None and hmac.compare_digest(sha256, self._admin_key_sha256):
            return Caller(ALL_ISSUERS, ADMIN_SCOPES)
        remembered = self._remembered.get(sha256)
        if remembered is not None and self._clock() < remembered[0]:
            return remembered[1]
        stored = await self._collection.find_one({"_id": sha256})
        if stored is None or not stored["scopes"]:
            self._remembered.pop(sha256, None)
            raise UnauthenticatedError("this API key is not known here; a new one takes a moment to arrive")
        found = Caller(stored["issuer_id"], frozenset(stored["scopes"]))
        self._remembered[sha256] = (self._clock() + _REMEMBERED_SECONDS, found)
        if len(self._remembered) > _REMEMBERED_KEYS:
            self._remembered.popitem(last=False)
        return found

    def allowed(self, scope: str) -> Callable[[Request], Awaitable[Caller]]:
        """A FastAPI dependency: the caller, who must hold `scope`."""

        async def dependency(request: Request) -> Caller:
            caller = await self.caller(request.headers.get("authorization"))
            if scope not in caller.scopes:
                raise ForbiddenError(f"your API key lacks the scope {scope}")
            return caller

        return dependency


def api_keys(plumbing: Plumbing, *, admin_key_sha256: str | None = None) -> ApiKeys:
    """This service's keys, kept up to date by a consumer of its own."""
    keys = ApiKeys(plumbing.database, admin_key_sha256=admin_key_sha256)
    plumbing.consume(name="access", topics=[topics.ACCESS_KEYS], contracts=[ApiKeyGranted], handle=keys.learn)
    return keys
