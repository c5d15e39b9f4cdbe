"""Who may do what: API keys, each bound to one issuer (the tenant) and to scopes.

A process holds all keys that have not ended in memory, and brings them up to date from its database: at least every
quarter of a second while it is asked, and when a key is not known. So a key that nobody granted costs no query of its
own, and one that was withdrawn works for no longer once the withdrawal has arrived in that database.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from libs.access import metrics
from libs.access.administrators import Administrators
from libs.access.key_text import is_well_formed, key_id, key_sha256
from libs.access.repository import KeyChanges, StoredKey
from libs.access.scopes import READING, Scope
from libs.common.client_address import CLIENT
from libs.common.clock import now as utc_now
from libs.common.errors import ForbiddenError, OtherTenantError, UnauthenticatedError, UnavailableError
from libs.common.http import LOGGED
from libs.common.rate_limits import CALLER, COUNTED, KNOWN_KEY, RATES, RateLimits

ADMIN_SCOPES = frozenset(
    {
        Scope.ISSUERS_WRITE,
        Scope.ORGANISATIONS_READ,
        Scope.PROFILE_WRITE,
        Scope.SIGNING_KEYS_WRITE,
        Scope.KEYS_WRITE,
        Scope.CREDENTIALS_TAKE_DOWN,
        Scope.AUDIT_READ,
    }
)
ALL_ISSUERS = "*"

WITHDRAWN_WITHIN_SECONDS = 2.0
"""What is promised of a key that was withdrawn: so long after, no process takes it."""
FRESH_SECONDS = 0.25
"""Of that, how old what a process knows of keys may be; the rest is for the way over Kafka into its database."""

# How often the key of a request is looked at again that goes on.
_AGAIN_SECONDS = 0.5
# No more than ten queries a second, however many unknown keys are tried.
_BETWEEN_QUERIES_SECONDS = 0.1
# Everything is read again so often, whatever the clock of the database server did.
_COMPLETE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the tenant that the key is bound to, and what it may do.

    Attributes:
        name: what the key is called, or the administrator.
        key_id: the id of the key.
        ends_at: when the key ends; None for an administrator's.
    """

    issuer_id: str
    scopes: frozenset[str]
    name: str = ""
    key_id: str = ""
    ends_at: datetime | None = None

    @property
    def principal(self) -> str:
        """Who this is in the audit log: `administrator:NAME` or `key:ISSUER/NAME`."""
        if self.issuer_id == ALL_ISSUERS:
            return f"administrator:{self.name}"
        return f"key:{self.issuer_id}/{self.name}"

    def must_be(self, issuer_id: str) -> None:
        """Another tenant's things look as if they were not there.

        Raises:
            OtherTenantError: the caller is bound to another issuer.
        """
        if self.issuer_id not in {issuer_id, ALL_ISSUERS}:
            raise OtherTenantError.for_caller()


class Tree(Protocol):
    """Knows which organisations stand above another."""

    async def above(self, organisation_id: str) -> Sequence[str]:
        """Return the ids of those above it, the nearest first."""
        ...


class StoredKeys(Protocol):
    """Has the keys that have arrived at this service."""

    async def changed_since(self, moment: datetime | None) -> KeyChanges:
        """Return the keys that changed since then (all: None)."""
        ...


_Organisation = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="read what this organisation has, which stands below your own (scope `below:read`)",
        examples=["wattle-grove"],
    ),
]
_BEARER = HTTPBearer(
    scheme_name="apiKey",
    description="An API key, `Authorization: Bearer bb_…`: it belongs to one issuer and has scopes of its own.",
    auto_error=False,
)


class ApiKeys:
    """The keys that have arrived and have not ended."""

    def __init__(
        self,
        stored: StoredKeys,
        *,
        administrators: Administrators | None = None,
        tree: Tree | None = None,
        used: Callable[[str], None] | None = None,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take where the keys are stored.

        Args:
            stored: the service's own database.
            administrators: of the issuer service alone; their keys are in no database.
            tree: of organisations; without it no key reads what another has.
            used: is told the digest of each key that is used.
            now: the time by which keys end.
            clock: seconds, for how old is what is known here.
        """
        self._stored = stored
        self._administrators = administrators
        self._tree = tree
        self._used = used
        self._now = now
        self._clock = clock
        self._caught_up: Callable[[], bool] = _always
        self._keys: dict[str, StoredKey] = {}
        # Remembered, lest a database that is set back beneath this process lets one in before that is found out.
        self._withdrawn: set[str] = set()
        self._since: datetime | None = None
        self._read_at = self._complete_at = float("-inf")
        self._turn = asyncio.Lock()

    async def caller(self, key: str) -> Caller:
        """Return who calls with this API key.

        Raises:
            UnauthenticatedError: nobody granted it, or it has ended.
            UnavailableError: what the database says of keys may be of an earlier moment.
        """
        if not is_well_formed(key):
            raise _unauthenticated()
        sha256 = key_sha256(key)
        administrator = None if self._administrators is None else self._administrators.name_of(sha256)
        if self._administrators is not None and administrator is not None:
            self._administrators.note_use(sha256, administrator)
            return Caller(ALL_ISSUERS, ADMIN_SCOPES, administrator, key_id(sha256))
        if not self._caught_up():
            raise UnavailableError("this service has just started, and reads which API keys there are")
        asked = self._clock()
        await self._read_after(asked - FRESH_SECONDS)
        if self._valid(sha256) is None:
            # One that has ended takes the way of one that nobody granted, and as long: else it would tell that it was.
            await self._read_after(asked)
        stored = self._valid(sha256)
        if stored is None:
            raise UnauthenticatedError(
                "this API key is not known here or has ended; a new one takes a moment to arrive"
            )
        if self._used is not None:
            self._used(sha256)
        return Caller(stored.issuer_id, stored.scopes, stored.name, key_id(sha256), stored.ends_at)

    def wait_until(self, caught_up: Callable[[], bool]) -> None:
        """Let nobody in but the administrators of the file, until this returns True."""
        self._caught_up = caught_up

    def count_known(self, app: FastAPI) -> None:
        """Have the edge of an application count requests with keys that are known here for those keys alone."""
        setattr(app.state, KNOWN_KEY, self.known)

    def known(self, key: str) -> tuple[str, str] | None:
        """Return the digest and the issuer of a key that is known in memory and has not ended; asks no database."""
        if not is_well_formed(key):
            return None
        sha256 = key_sha256(key)
        if self._administrators is not None and self._administrators.name_of(sha256) is not None:
            return sha256, ALL_ISSUERS
        stored = self._valid(sha256)
        return None if stored is None else (sha256, stored.issuer_id)

    def _valid(self, sha256: str) -> StoredKey | None:
        stored = self._keys.get(sha256)
        return None if stored is None or stored.ends_at <= self._now() else stored

    async def while_valid(self, request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of a body for as long as the key of its request works: an upload may take an hour.

        Raises:
            UnauthenticatedError: the key has ended meanwhile.
        """
        credentials = await _BEARER(request)
        looked = self._clock()
        async for piece in pieces:
            if credentials is not None and self._clock() - looked >= _AGAIN_SECONDS:
                await self.caller(credentials.credentials)
                looked = self._clock()
            yield piece

    async def _read_after(self, moment: float) -> None:
        """Bring what is known here up to date, unless that was begun after `moment`; callers at once share one query.

        Raises:
            PyMongoError: the database is unavailable, so nobody can be let in.
        """
        while self._read_at < moment:
            async with self._turn:
                if self._read_at >= moment:
                    return
                wait = self._read_at + _BETWEEN_QUERIES_SECONDS - self._clock()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self._read()

    async def _read(self) -> None:
        started = self._clock()
        complete = started - self._complete_at >= _COMPLETE_SECONDS
        changed = await self._stored.changed_since(None if complete else self._since)
        now = self._now()
        if complete:
            self._keys, self._complete_at = {}, started
        self._withdrawn.update(each.sha256 for each in changed.keys if each.ended_at_once)
        for sha256 in changed.unreadable:
            self._keys.pop(sha256, None)
        for each in changed.keys:
            if each.ends_at > now and each.sha256 not in self._withdrawn:
                self._keys[each.sha256] = each
            else:
                self._keys.pop(each.sha256, None)
        metrics.KEYS.set(len(self._keys))
        self._since, self._read_at = changed.until, started

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
                request.scope[LOGGED] = {"tenant": caller.issuer_id, "key": caller.key_id}
                # Schools may share an address, and one may call from many.
                CLIENT.set(f"issuer {caller.issuer_id}")
                rates: RateLimits | None = request.scope.get(RATES)
                if rates is not None and COUNTED not in request.scope:
                    rates.take_caller(key_sha256(credentials.credentials), caller.issuer_id)
            if required not in caller.scopes:
                raise ForbiddenError(f"your API key lacks the scope {required}")
            return caller

        return _ApiKeyGate(dependency)

    def reading(self, scope: str) -> Callable[..., Awaitable[Caller]]:
        """Return a dependency for a call that reads the caller's own, or what `organisation` has, which is below it.

        This and `reading_of_path` are the only places in which a caller gets another tenant than its key's own: for
        that call, and with no right but to read.

        Raises:
            ValueError: the scope does more than read.
        """
        allowed, required = self.allowed(scope), _reading(scope)

        async def dependency(
            request: Request,
            credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER, scopes=[required.value])],
            organisation: _Organisation = None,
        ) -> Caller:
            return await self._as_one_of(organisation, await allowed(request=request, credentials=credentials))

        return ReadingGate(dependency)

    def reading_of_path(self, scope: str) -> Callable[..., Awaitable[Caller]]:
        """Return a dependency for a call that reads what the issuer in its path has: the caller's own, or one below.

        Raises:
            ValueError: the scope does more than read.
        """
        allowed, required = self.allowed(scope), _reading(scope)

        async def dependency(
            request: Request,
            credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER, scopes=[required.value])],
        ) -> Caller:
            caller = await allowed(request=request, credentials=credentials)
            return await self._as_one_of(request.path_params.get("issuer_id"), caller)

        return ReadingGate(dependency)

    async def _as_one_of(self, organisation: str | None, caller: Caller) -> Caller:
        """Return the caller as one of this organisation that reads.

        Raises:
            OtherTenantError: it stands not below the caller's own, or the key may not read there.
        """
        if organisation is None or caller.issuer_id in {organisation, ALL_ISSUERS}:
            return caller
        may_read = self._tree is not None and Scope.BELOW_READ in caller.scopes
        if self._tree is None or not may_read or caller.issuer_id not in await self._tree.above(organisation):
            raise OtherTenantError.for_caller()
        return replace(caller, issuer_id=organisation, scopes=caller.scopes & READING)


class _ApiKeyGate:
    """The dependency, which the edge can ask by itself, before a body is received."""

    def __init__(self, dependency: Callable[..., Awaitable[Caller]]) -> None:
        self._dependency = dependency
        # FastAPI reads from it what the dependency needs.
        self.__signature__ = inspect.signature(dependency)

    async def __call__(self, **needed: Any) -> Caller:
        return await self._dependency(**needed)

    async def admit(self, request: Request) -> None:
        """Let the request pass; see `ApiKeys.allowed` for who does not."""
        await self._dependency(request=request, credentials=await _BEARER(request))


class ReadingGate(_ApiKeyGate):
    """The dependency of a call that reads, and may read what stands below the caller."""


def _reading(scope: str) -> Scope:
    required = Scope(scope)
    if required not in READING:
        raise ValueError(f"{scope} does more than read")
    return required


def _always() -> bool:
    return True


def _unauthenticated() -> UnauthenticatedError:
    return UnauthenticatedError("send `Authorization: Bearer bb_…` with an API key of yours")
