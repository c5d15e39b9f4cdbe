"""Request bodies at the edge: who calls is asked before one is received, and its size and time have limits.

A route that takes more than `MOST_BYTES` says so by name, where it is declared:
`@router.post("/v1/things", dependencies=[body_limit(512 * 1024)])`.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import metrics
from libs.common.client_address import client_of
from libs.common.errors import BowerbirdError, RequestTimeoutError, TooLargeError, UnavailableError

MOST_BYTES = 64 * 1024
"""The largest body of a route that names no other limit."""

SMALL_BYTES = 16 * 1024
"""What of each body is held in any case: how many there can be is limited by the number of connections."""

_LONGEST_SECONDS = 15.0
_MOST_HELD = 64 * 1024 * 1024
_LEAST_RATE = 1_000
_ENDING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
# A streamed body may be this late before its average rate counts.
_GRACE_SECONDS = 30.0


@runtime_checkable
class Gate(Protocol):
    """A FastAPI dependency that asks who calls: the edge asks it before it receives any part of a body."""

    async def admit(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            BowerbirdError: whoever calls may not.
        """
        ...


class UnreadBodyError(HTTPException):
    """An error in the one form that FastAPI lets through while it reads a body; any other would be the caller's fault.

    Attributes:
        error: what was raised, and is to be answered as from anywhere else.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.error = error


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """What the body of one route may take.

    Attributes:
        most_bytes: its size; None: any.
        seconds: how long it may be waited for in all; None: it is streamed, as long as it comes at the least rate.
    """

    most_bytes: int | None = MOST_BYTES
    seconds: float | None = _LONGEST_SECONDS

    async def __call__(self) -> None:
        """Do nothing: being a dependency of the route is what makes it count."""


def body_limit(most_bytes: int, seconds: float = _LONGEST_SECONDS) -> Any:
    """Return what a route declares among its `dependencies` to take a larger body, or one that takes longer."""
    return Depends(BodyLimit(most_bytes, seconds))


def streamed_body(most_bytes: int | None = None) -> Any:
    """Return what a route declares among its `dependencies` to stream its body; None: of any size."""
    return Depends(BodyLimit(most_bytes, None))


class LimitedBodies:
    """ASGI middleware that stands between a route and the body of its request.

    Before the first part is received, the gates of the route are asked who calls. A body that is held whole has a limit
    of size and time, and all of them together one of memory, of which no client has more than is left for the others;
    a streamed one has a least rate. A body that says in its Content-Length that it is too large is refused before any
    of it is received, and after a refusal for its size or its time the rest is not waited for: the connection ends.

    Attributes:
        held: bytes of bodies beyond the first `SMALL_BYTES` of each, over all requests under way.
        held_by: the same for each client address that has any, as limits count addresses.
    """

    def __init__(
        self,
        app: ASGIApp,
        default: BodyLimit = BodyLimit(),
        most_held: int = _MOST_HELD,
        least_rate: int = _LEAST_RATE,
    ) -> None:
        """Take the limits.

        Args:
            app: what is protected.
            default: the limit of a route that declares none.
            most_held: bytes of bodies that are held whole, beyond the first `SMALL_BYTES` of each, over all requests
                under way.
            least_rate: bytes a second of a streamed body, on average once its first half minute of waiting is over.
        """
        self._app = app
        self.default = default
        self.most_held = most_held
        self.least_rate = least_rate
        self.held = 0
        self.held_by: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, scope, receive)
        try:
            await self._app(scope, body.receive, body.ending(send))
        finally:
            self._give_back(body.client, body.held)

    def hold(self, client: str, size: int) -> None:
        """Count bytes of a body of this client.

        No client may hold more than what is still free afterwards: one alone half of all, and however many hold as much
        as they may, there is as much again for those who come next.

        Raises:
            UnavailableError: it would.
        """
        if self.held_by[client] + size > self.most_held - self.held - size:
            raise _refused("bodies_held", UnavailableError("too much is being sent at this moment; try again"))
        self.held += size
        self.held_by[client] += size

    def _give_back(self, client: str, size: int) -> None:
        self.held -= size
        self.held_by[client] -= size
        if self.held_by[client] <= 0:
            del self.held_by[client]


class _Body:
    """The body of one request on its way to the handler."""

    def __init__(self, limits: LimitedBodies, scope: Scope, receive: Receive) -> None:
        self._limits = limits
        self._scope = scope
        self._receive = receive
        self._limit: BodyLimit | None = None
        self._ended = False
        self._received = 0
        self._waited = 0.0
        self.client = client_of(scope)
        self.held = 0

    async def receive(self) -> Message:
        """Return the next part, or that the client has gone.

        Raises:
            BowerbirdError, UnreadBodyError: whoever calls may not, or a limit is passed.
        """
        if self._ended:
            # Behind the body comes only that the client is gone, which may take as long as it likes.
            return await self._receive()
        try:
            if self._limit is None:
                await self._admit()
                self._limit = _declared(self._scope) or self._limits.default
                self._check_size(self._limit, _declared_bytes(self._scope))
            return await self._next(self._limit)
        except HTTPException:
            raise
        except Exception as error:
            # FastAPI, where it is the reader, lets no error through but its own.
            if getattr(self._scope.get("route"), "body_field", None) is not None:
                raise UnreadBodyError(error) from None
            raise

    def ending(self, send: Send) -> Send:
        """Return `send` such that an answer about a body of which more would come says that the connection ends."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _ENDING and not self._ended:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        return sent

    async def _admit(self) -> None:
        request = Request(self._scope)
        for call in _calls(self._scope):
            if isinstance(call, Gate):
                await call.admit(request)

    async def _next(self, limit: BodyLimit) -> Message:
        message = await self._waited_for(limit)
        size = len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        self._received += size
        self._check_size(limit, self._received)
        if limit.seconds is None:
            return message
        beyond = max(0, self._received - SMALL_BYTES) - self.held
        if beyond:
            self._limits.hold(self.client, beyond)
            self.held += beyond
        return message

    @staticmethod
    def _check_size(limit: BodyLimit, size: int) -> None:
        if limit.most_bytes is not None and size > limit.most_bytes:
            raise _refused("body_too_large", TooLargeError(f"send at most {limit.most_bytes} bytes"))

    async def _waited_for(self, limit: BodyLimit) -> Message:
        clock = asyncio.get_running_loop().time
        if limit.seconds is None:
            longest = _GRACE_SECONDS + self._received / self._limits.least_rate
            words = f"the body must arrive at {self._limits.least_rate} bytes a second or faster"
        else:
            longest = limit.seconds
            words = f"the body must arrive within {longest:.0f} seconds"
        started = clock()
        try:
            async with asyncio.timeout_at(started + longest - self._waited):
                return await self._receive()
        except TimeoutError:
            raise _refused("body_slow", RequestTimeoutError(words)) from None
        finally:
            self._waited += clock() - started


def _refused(reason: str, error: BowerbirdError) -> BowerbirdError:
    metrics.HTTP_REFUSED.labels(reason).inc()
    return error


def _declared_bytes(scope: Scope) -> int:
    """Return what Content-Length says; 0 where nothing is said, as of a chunked body."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() else 0


def _declared(scope: Scope) -> BodyLimit | None:
    return next((call for call in _calls(scope) if isinstance(call, BodyLimit)), None)


def _calls(scope: Scope) -> Iterator[object]:
    """Go through the dependencies of the route that was found, and theirs."""
    dependant: Dependant | None = getattr(scope.get("route"), "dependant", None)
    waiting = [] if dependant is None else list(dependant.dependencies)
    while waiting:
        each = waiting.pop(0)
        waiting += each.dependencies
        if each.call is not None:
            yield each.call
