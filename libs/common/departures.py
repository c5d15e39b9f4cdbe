"""Whether who sent a request still waits for its answer: work for an answer that nobody reads can end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.types import Message

from libs.common.errors import InvalidRequestError

CONNECTION: Final = "bowerbird.connection"
"""The extension of a request's scope in which the server puts its socket."""

T = TypeVar("T")

# How often a connection is looked at of which the server says nothing, since what was sent before is unread.
_LOOK_SECONDS: Final = 1.0
_LEFT: Final = "The connection ended before its request was answered."
_ESTABLISHED: Final = 1  # of TCP, as Linux has it (tcp_states.h)


class Sender:
    """Who sends a request, as its connection shows it."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._request = Request(request.scope, self._noting_the_end)
        self._departure: asyncio.Future[Message] | None = None
        self._socket: socket.socket | None = request.scope.get("extensions", {}).get(CONNECTION, {}).get("socket")

    def stream(self) -> AsyncIterator[bytes]:
        """Return the body, to be read through this alone."""
        return self._request.stream()

    async def while_there(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of what is made of the body, for as long as somebody waits for what comes of them.

        Raises:
            InvalidRequestError: nobody does.
        """
        async for piece in pieces:
            if self._has_left():
                raise InvalidRequestError(_LEFT)
            yield piece

    async def while_waiting(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what comes of work for a request whose body was read; it is cancelled where nobody waits for it.

        Raises:
            InvalidRequestError: nobody does.
        """
        task = asyncio.ensure_future(work)
        awaited: set[asyncio.Future[Any]] = {task} if self._departure is None else {task, self._departure}
        try:
            while not task.done():
                if self._has_left():
                    raise InvalidRequestError(_LEFT)
                unsettled = {each for each in awaited if not each.done()}
                await asyncio.wait(unsettled, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _has_left(self) -> bool:
        found = self._departure
        if found is not None and found.done():
            return bool(found.result()["type"] == "http.disconnect")
        return self._socket is not None and _has_ended(self._socket)

    async def _noting_the_end(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            # Behind a body nothing else comes.
            self._departure = asyncio.ensure_future(self._receive())
        return message

    def forget(self) -> None:
        """Look no longer."""
        if self._departure is not None:
            self._departure.cancel()


def _has_ended(connection: socket.socket) -> bool:
    """Return whether the other side has ended a connection, also while what it sent before is still unread."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
    except (OSError, ValueError):
        return True


@contextmanager
def watched(request: Request) -> Iterator[Sender]:
    """Watch who sent a request whose body was not read yet."""
    sender = Sender(request)
    try:
        yield sender
    finally:
        sender.forget()
