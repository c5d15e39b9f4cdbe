"""Waiting until this process or another replica has applied an event: woken by the consumer, with slow polling."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from libs.contracts.cloudevents import EventT, Outgoing, Received

# Where another replica applies the event, nobody wakes us.
_POLL_SECONDS = 0.25


class Arrivals:
    """Wakes those who wait whenever a consumer of this process has applied a batch."""

    def __init__(self, *, poll_seconds: float = _POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._applied = asyncio.Event()

    def after(
        self, handle: Callable[[Sequence[Received[EventT]]], Awaitable[Sequence[Outgoing]]]
    ) -> Callable[[Sequence[Received[EventT]]], Awaitable[Sequence[Outgoing]]]:
        """Return the handler, made to wake those who wait once it has applied a batch."""

        async def handle_and_wake(batch: Sequence[Received[EventT]]) -> Sequence[Outgoing]:
            outgoing = await handle(batch)
            self.wake()
            return outgoing

        return handle_and_wake

    def wake(self) -> None:
        """Let everybody who waits look again."""
        applied, self._applied = self._applied, asyncio.Event()
        applied.set()

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Return whether the condition holds within `seconds`; it is asked at least once, and after each batch."""
        give_up_at = monotonic() + seconds
        while True:
            # Taken before asking, so that a batch that is applied meanwhile is not missed.
            applied = self._applied
            if await condition():
                return True
            left = give_up_at - monotonic()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(min(self._poll_seconds, left)):
                    await applied.wait()
            except TimeoutError:
                continue
