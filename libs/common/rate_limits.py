"""How many requests one address, one API key and one issuer may send: a bucket each, in the memory of the process."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from cachetools import LRUCache
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common import metrics
from libs.common.client_address import CLIENT, client_of
from libs.common.errors import TooManyRequestsError
from libs.common.problems import problem_response

RATES = "bowerbird.rates"
"""Where the scope of a request holds the `RateLimits`, for whoever finds out which key it has."""
CALLER = "bowerbird.caller"
"""Where the scope of a request holds who calls, once that is known."""
COUNTED = "bowerbird.counted"
"""Where the scope of a request says that it was counted for its key already."""
KNOWN_KEY = "known_key"
"""The attribute of the application's state that tells, of the text of a key, its digest and its issuer where it is
known in memory, and None else."""

_MINUTE = 60.0
_HEALTH = "/health/"
# What an anonymous request counts as whose answer takes work, and one whose key is not known.
_EXPENSIVE = 5
# Beyond these the ones unused for longest are forgotten, so memory is bounded whoever calls.
_MOST_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute, over all replicas; 0 is without limit. Half a minute's may come at once.

    Attributes:
        address: from one address without a valid key.
        key: with one API key.
        issuer: with all keys of one issuer.
        replicas: processes that share the traffic of a service; each allows its part.
    """

    address: int = 0
    key: int = 0
    issuer: int = 0
    replicas: int = 1


class Buckets:
    """A bucket for each name, full at first and filled again evenly (generic cell rate algorithm)."""

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        """Take the requests a minute; 0 is without limit."""
        self._interval = _MINUTE / per_minute if per_minute else 0.0
        self._clock = clock
        # When each bucket will be full again.
        self._full_at: LRUCache[str, float] = LRUCache(_MOST_BUCKETS)

    def seconds_until_free(self, name: str) -> float:
        """Return how long to wait until one more request is allowed; 0 where it is now."""
        if not self._interval:
            return 0.0
        return max(0.0, self._full_at.get(name, 0.0) + self._interval - self._clock() - _MINUTE / 2)

    def take(self, name: str, count: int = 1) -> float:
        """Count `count` requests if one is allowed; return as `seconds_until_free` does."""
        wait = self.seconds_until_free(name)
        if not wait:
            self.charge(name, count)
        return wait

    def charge(self, name: str, count: int) -> None:
        """Count `count` requests, whether they are allowed or not: what comes next waits for them."""
        if self._interval:
            self._full_at[name] = max(self._full_at.get(name, 0.0), self._clock()) + count * self._interval


class RateLimits:
    """The buckets of one process."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = monotonic) -> None:
        """Take the rates."""
        self._address = Buckets(rates.address / rates.replicas, clock)
        self._key = Buckets(rates.key / rates.replicas, clock)
        self._issuer = Buckets(rates.issuer / rates.replicas, clock)

    def take_address(self, address: str, count: int) -> None:
        """Count anonymous requests of an address; raises as `check_address` does."""
        _check("address", self._address.take(address, count))

    def charge_address(self, address: str, count: int) -> None:
        """Count what an anonymous request that was let in turns out to ask for beyond one."""
        self._address.charge(address, count)

    def check_address(self, address: str) -> None:
        """Check that an address may send more.

        Raises:
            TooManyRequestsError: not now.
        """
        _check("address", self._address.seconds_until_free(address))

    def take_caller(self, key: str, issuer_id: str) -> None:
        """Count a request with a valid key.

        Args:
            key: its digest.
            issuer_id: whose key it is.

        Raises:
            TooManyRequestsError: the key or its issuer may not send more now.
        """
        _check("key", self._key.take(key))
        _check("issuer", self._issuer.take(issuer_id))


class RateLimited:
    """ASGI middleware: whoever sends too much is answered 429, before anything is looked up.

    A request without a key counts towards its address whatever it asks for, HEAD and paths that do not exist too. One
    with a key that is known in memory counts towards the key alone: what strangers behind the same address send does
    not shut its owner out. With another key it is counted by whoever finds that valid (`RateLimits.take_caller`), and
    otherwise afterwards here.
    """

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_HEALTH):
            await self._app(scope, receive, send)
            return
        scope[RATES] = self._limits
        address = client_of(scope)
        CLIENT.set(address)
        has_key = "authorization" in Headers(scope=scope)
        known = _known_key(scope)
        try:
            if known is not None:
                scope[COUNTED] = True
                self._limits.take_caller(*known)
            elif has_key:
                self._limits.check_address(address)
            else:
                self._limits.take_address(address, _EXPENSIVE if scope["method"] == "POST" else 1)
        except TooManyRequestsError as error:
            await problem_response(error, scope["path"])(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            if has_key and known is None and CALLER not in scope:
                with contextlib.suppress(TooManyRequestsError):  # another request was faster; this one is answered
                    self._limits.take_address(address, _EXPENSIVE)


def _known_key(scope: Scope) -> tuple[str, str] | None:
    scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
    known: Callable[[str], tuple[str, str] | None] | None = getattr(
        getattr(scope.get("app"), "state", None), KNOWN_KEY, None
    )
    return known(key) if known is not None and scheme.lower() == "bearer" else None


def charge_request(scope: Scope, count: int) -> None:
    """Count an anonymous request as `count` more: its body asks for so many things."""
    limits = scope.get(RATES)
    if isinstance(limits, RateLimits):
        limits.charge_address(client_of(scope), count)


def _check(whose: str, wait: float) -> None:
    if wait:
        metrics.HTTP_REFUSED.labels(f"rate_of_{whose}").inc()
        words = {"address": "your address", "key": "this API key", "issuer": "the keys of your issuer together"}[whose]
        raise TooManyRequestsError(f"{words} sent more requests than is allowed; slow down", math.ceil(wait))
