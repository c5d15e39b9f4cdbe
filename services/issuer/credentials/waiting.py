"""The loop over commands that wait for their credential: applied once it is there, given up when their time is over.

What a crash does between the steps:

1. read what waits, and which of its credentials are here by now   nothing happened yet
2. apply it by the steps of closing, and publish                   it is applied and still listed: the same again
3. remove it                                                       it is done
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from libs.common.damage import Damage
from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import Outgoing
from services.issuer.credentials import metrics
from services.issuer.credentials.repository import CredentialStore
from services.issuer.credentials.waiting_commands import WaitingCommand, WaitingCommandStore
from services.issuer.credentials.worker import Closing

_DELAY_SECONDS: Final = 2.0
_TOGETHER: Final = 500


class WaitingClosing:
    """Ends the waiting of commands; several processes may do so at once."""

    def __init__(
        self,
        store: WaitingCommandStore,
        *,
        closing: Closing,
        credentials: CredentialStore,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
        longest: timedelta,
    ) -> None:
        self._store = store
        self._closing = closing
        self._credentials = credentials
        self._publish = publish
        self._clock = clock
        self._longest = longest
        # Where the walk over what waits has come to; it begins again at the end.
        self._after = ""

    async def tick(self) -> float:
        """Apply what can be applied of some that wait; return the seconds until it is worth looking again."""
        now = self._clock()
        oldest = await self._store.oldest()
        metrics.WAITING_COMMANDS.set(await self._store.count())
        metrics.WAITING_OLDEST.set(0.0 if oldest is None else (now - oldest).total_seconds())
        found, self._after = await self._store.page(self._after, _TOGETHER)
        if found:
            asked = {each.command.credential_id for each in found}
            damage = Damage(logged=True)
            here = await self._credentials.by_ids(asked, damage)  # 1
            if here:
                # Whatever waits for one credential goes together, wherever the page ends.
                waiting = await self._store.about(here)
                # Nobody could see such a credential before.
                closed = await self._closing.apply([(each.command, each.trace) for each in waiting], now)  # 2
                await self._publish(closed.announcements)
                failpoint("issuer.waiting_commands.1")
                await self._store.remove(waiting)  # 3
            missing = [each for each in found if each.command.credential_id not in here.keys() | damage.ids]
            await self._give_up([each for each in missing if now - each.since > self._longest])
        return 0.0 if self._after else _DELAY_SECONDS

    async def _give_up(self, ended: Sequence[WaitingCommand]) -> None:
        for each in ended:
            get_logger().error(
                "a command is given up: its credential never came",
                credential=str(each.command.credential_id),
                issuer=each.command.issuer_id,
                kind=each.kind.value,
                request=str(each.command.request_id),
            )
        if ended:
            metrics.REVOCATIONS.labels("no_such_credential").inc(len(ended))
            await self._store.remove(ended)
