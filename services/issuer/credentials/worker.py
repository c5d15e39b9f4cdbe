"""The handler of `credential.commands`: revoke credentials and take them down, permanently and idempotently."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from libs.common.damage import Damage
from libs.common.failpoints import failpoint
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ReconsiderHolding, RevokeCredential, TakeDownCredential
from services.issuer.credentials import metrics
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential, Revocation, TakeDown, Target
from services.issuer.credentials.waiting_commands import Command, WaitingCommand, WaitingCommandStore
from services.issuer.decision_ids import DecisionId

COMMANDS: Final[list[type[Command]]] = [RevokeCredential, TakeDownCredential]
"""What is asked for on the topic."""


class TooManyWaitError(Exception):
    """As many commands wait for their credentials as may: this one is set aside as a dead letter, to be sent again."""


class CredentialsToClose(Protocol):
    """What closing needs of credentials; unit tests run against a fake."""

    async def by_ids(self, credential_ids: Iterable[UUID], damage: Damage | None = None) -> dict[UUID, Credential]:
        """Return these credentials as they stand now; `damage` as for `without_damaged`."""
        ...

    async def close(
        self, revocations: Mapping[Target, Revocation], take_downs: Mapping[Target, TakeDown]
    ) -> list[Credential]:
        """Revoke and take down these, and return those credentials as they stand then; the first of each holds."""
        ...


class ChangedLists(Protocol):
    """Counts the changes of status lists."""

    async def changed(self, list_ids: Sequence[str], since: datetime) -> None:
        """Credentials of these lists were revoked, as was first asked for at `since`."""
        ...


class StackedUpon(Protocol):
    """Knows what stacks on credentials."""

    async def reconsider(self, closed: Sequence[Credential]) -> Sequence[ReconsiderHolding]:
        """Return what asks for it to be looked at, now that these are closed."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of some commands.

    Attributes:
        unknown: those about a credential that this issuer does not have here.
    """

    announcements: list[Outgoing]
    unknown: list[tuple[Command, str]]


class Closing:
    """Applies the commands to revoke and to take down; keeps those whose credential is not here."""

    def __init__(
        self,
        *,
        credentials: CredentialsToClose,
        remove_evidence_texts: Callable[[Sequence[DecisionId]], Awaitable[None]],
        lists: ChangedLists,
        announcer: Announcer,
        stacked: StackedUpon,
        waiting: WaitingCommandStore,
        most_waiting: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._remove_evidence_texts = remove_evidence_texts
        self._lists = lists
        self._announcer = announcer
        self._stacked = stacked
        self._waiting = waiting
        self._most_waiting = most_waiting
        self._clock = clock

    async def handle(self, batch: Sequence[Received[Command]]) -> Sequence[Outgoing]:
        """Revoke and take down, count the changes of the lists, keep what must wait, and return the announcements.

        1. and 2. See `apply`. What waits for the same credentials goes first, in the order in which it was asked for.
        3. Keep the commands whose credential is not here, before their offsets are committed. Again: it is kept.
        4. Return the announcements, made from what is stored: the same each time.

        Raises:
            TooManyWaitError: there is no room for a command that must wait; the others are applied.
        """
        commands = [(each.event, each.trace) for each in batch if each.event is not None]
        waiting = await self._waiting.about({command.credential_id for command, _ in commands})
        # What is read again was published before.
        asked = (each.event.requested_at for each in batch if each.event is not None and not each.known)
        since = min(asked, default=self._clock())
        closed = await self.apply([*((each.command, each.trace) for each in waiting), *commands], since)
        await self._keep(closed.unknown, {each.key for each in waiting})
        failpoint("issuer.revoking.3")
        return closed.announcements

    async def apply(self, commands: Sequence[tuple[Command, str]], since: datetime) -> Closed:
        """Close the credentials that are here, by commands with their traces; of two reasons the first holds.

        Since when people wait for it to be seen, is told by `since`.

        1. Revoke those that are active, take down what is to be taken down: its signed text goes, then what was
           written of the evidence for it. Again after a crash: it is done, nothing changes.
        2. Count a change of each list, after the credentials that it speaks of; a loop publishes it within seconds.
           Again: one publication more, of the same bits.
        """
        revocations: dict[Target, Revocation] = {}
        take_downs: dict[Target, TakeDown] = {}
        traces: dict[UUID, str] = {}
        for command, trace in commands:
            target = command.credential_id, command.issuer_id
            traces.setdefault(command.credential_id, trace)
            if isinstance(command, RevokeCredential):
                revocation = Revocation(command.requested_at, command.reason, command.request_id)
            else:
                take_down = TakeDown(command.requested_at, command.reason, command.request_id)
                revocation = take_downs.setdefault(target, take_down).revocation
            revocations.setdefault(target, revocation)
        closed = await self._credentials.close(revocations, take_downs)  # 1
        withheld = [each.decision_id for each in closed if each.take_down is not None]
        if withheld:
            await self._remove_evidence_texts(withheld)
        failpoint("issuer.revoking.1")
        await self._lists.changed(sorted({each.status.list_id for each in closed}), since)  # 2
        failpoint("issuer.revoking.2")
        metrics.REVOCATIONS.labels("revoked").inc(len(closed))
        metrics.TAKE_DOWNS.inc(sum(1 for each in closed if (each.credential_id, each.issuer_id) in take_downs))
        announcements = [
            announcement
            for each in closed
            for announcement in self._announcer.of_closing(each, traces[each.credential_id])
        ]
        asked = await self._stacked.reconsider(closed)
        announcements += [Outgoing(each, traces[each.credential_id]) for each in asked]
        found = {(each.credential_id, each.issuer_id) for each in closed}
        return Closed(
            announcements, [each for each in commands if (each[0].credential_id, each[0].issuer_id) not in found]
        )

    async def _keep(self, unknown: Sequence[tuple[Command, str]], kept: set[str]) -> None:
        """Keep these, but for those that are about another issuer's credential, and those that wait already."""
        if not unknown:
            return
        here = await self._credentials.by_ids((command.credential_id for command, _ in unknown), Damage(logged=True))
        now, new = self._clock(), dict[str, WaitingCommand]()
        for command, trace in unknown:
            held = here.get(command.credential_id)
            if held is not None and held.issuer_id != command.issuer_id:
                metrics.REVOCATIONS.labels("no_such_credential").inc()
                continue
            waiting = WaitingCommand(command, trace, now)
            if waiting.key not in kept:
                new.setdefault(waiting.key, waiting)
        if new and await self._waiting.count() + len(new) > self._most_waiting:
            raise TooManyWaitError(f"{self._most_waiting} commands wait for their credentials; no more may")
        await self._waiting.keep(list(new.values()))
        metrics.REVOCATIONS.labels("waiting").inc(len(new))
