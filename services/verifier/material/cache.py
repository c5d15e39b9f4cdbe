"""Remembers what a lookup answered for a moment; who asks while it runs waits for the same answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class ShortMemory(Generic[T]):
    """At most `entries` answers, none older than `seconds`. A lookup that failed is not remembered."""

    def __init__(
        self,
        lookup: Callable[[str], Awaitable[T]],
        *,
        seconds: float,
        entries: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lookup = lookup
        self._seconds = seconds
        self._entries = entries
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, asyncio.Task[T]]] = OrderedDict()

    async def get(self, key: str) -> T:
        """What the lookup answers for `key`, or answered a moment ago; raises what the lookup raises."""
        now = self._clock()
        held = self._answers.get(key)
        if held is None or held[0] <= now or (held[1].done() and held[1].exception() is not None):
            held = now + self._seconds, asyncio.ensure_future(self._run(key))
            self._answers[key] = held
            self._answers.move_to_end(key)
            if len(self._answers) > self._entries:
                self._answers.popitem(last=False)
        # One who gives up waiting must not cancel the lookup for the others.
        return await asyncio.shield(held[1])

    async def _run(self, key: str) -> T:
        return await self._lookup(key)
