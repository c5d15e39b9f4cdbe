"""A command that is read before its credential is there waits for it, bounded, and ends as if it had come after."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.damage import Damage
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import CredentialDocument, CredentialRevoked, RevokeCredential, TakeDownCredential
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials import waiting as loop
from services.issuer.credentials import worker
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential, Revocation, TakeDown, Target
from services.issuer.credentials.waiting import WaitingClosing
from services.issuer.credentials.waiting_commands import Command, WaitingCommand, WaitingPage
from services.issuer.credentials.worker import Closing, TooManyWaitError
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from tests.ids import SEALING, event_id
from tests.issuer_doubles import NOW, TRACE, NothingStacked

LONGEST = timedelta(days=14)
BADGE = Credential(
    credential_id=uuid4(),
    issuer_id="wattle",
    learner_id=uuid4(),
    holding_id=uuid4(),
    achievement="wattle/resilience/1",
    level=None,
    evidence_id=None,
    decision_id=DecisionId(uuid4(), 1, 1),
    status=StatusEntry("1-1", 7),
    issued_at=NOW,
    document="{}",
)


class KilledError(BaseException):
    """Stands for SIGKILL."""


class World:
    """Credentials, what waits, and what was told; `closing` and `waiting` are processes upon them."""

    def __init__(self, most: int = 10) -> None:
        self.credentials: dict[UUID, Credential] = {}
        self.kept: dict[str, WaitingCommand] = {}
        self.told: dict[str, Outgoing] = {}
        self.lists: set[str] = set()
        self.now = NOW
        self._most = most

    async def by_ids(self, credential_ids: Iterable[UUID], _damage: Damage | None = None) -> dict[UUID, Credential]:
        return {each: self.credentials[each] for each in credential_ids if each in self.credentials}

    async def close(
        self, revocations: Mapping[Target, Revocation], take_downs: Mapping[Target, TakeDown]
    ) -> list[Credential]:
        closed = []
        for target in revocations:
            held = self.credentials.get(target[0])
            if held is None or held.issuer_id != target[1]:
                continue
            held = replace(held, revocation=held.revocation or revocations[target])
            if target in take_downs:
                held = replace(held, take_down=held.take_down or take_downs[target], document=None)
            self.credentials[target[0]] = held
            closed.append(held)
        return closed

    async def remove_texts(self, _decision_ids: Sequence[DecisionId]) -> None:
        return

    async def changed(self, list_ids: Sequence[str], _since: datetime) -> None:
        self.lists.update(list_ids)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        # Of documents the last one stays on the topic.
        for each in outgoing:
            is_document = isinstance(each.event, CredentialDocument)
            self.told[each.event.key if is_document else str(event_id(each.event))] = each

    async def keep(self, commands: Sequence[WaitingCommand]) -> None:
        for each in commands:
            self.kept.setdefault(each.key, each)

    async def about(self, credential_ids: Iterable[UUID]) -> list[WaitingCommand]:
        wanted = set(credential_ids)
        found = [each for each in self.kept.values() if each.command.credential_id in wanted]
        return sorted(found, key=lambda each: (each.command.requested_at, each.key))

    async def page(self, after: str, limit: int) -> WaitingPage:
        keys = [key for key in sorted(self.kept) if key > after][:limit]
        return WaitingPage([self.kept[key] for key in keys], keys[-1] if len(keys) == limit else "")

    async def remove(self, commands: Iterable[WaitingCommand]) -> None:
        for each in commands:
            self.kept.pop(each.key, None)

    async def count(self) -> int:
        return len(self.kept)

    async def oldest(self) -> datetime | None:
        return min((each.since for each in self.kept.values()), default=None)

    def closing(self) -> Closing:
        parts: Any = {"credentials": self, "lists": self, "waiting": self}
        return Closing(
            **parts,
            remove_evidence_texts=self.remove_texts,
            announcer=Announcer(Urls("https://badges.example"), SEALING),
            stacked=NothingStacked(),
            most_waiting=self._most,
            clock=lambda: self.now,
        )

    async def handle(self, *commands: Command) -> None:
        """As the consumer does: the batch, what it returns published, then its offsets committed."""
        await self.publish(await self.closing().handle([Received(each, each.key, TRACE) for each in commands]))

    async def tick(self) -> None:
        store: Any = self
        waiting = WaitingClosing(
            store,
            closing=self.closing(),
            credentials=store,
            publish=self.publish,
            clock=lambda: self.now,
            longest=LONGEST,
        )
        await waiting.tick()

    async def record(self) -> None:
        self.credentials[BADGE.credential_id] = BADGE

    def end(self) -> tuple[object, ...]:
        return self.credentials, self.kept, {key: each.event for key, each in self.told.items()}, self.lists


def revoke(seconds: int = 0, credential_id: UUID = BADGE.credential_id, issuer_id: str = "wattle") -> RevokeCredential:
    return RevokeCredential(
        credential_id=credential_id,
        issuer_id=issuer_id,
        request_id=UUID(int=seconds),
        reason=RevocationReason.WRONG_LEARNER,
        requested_at=NOW + timedelta(seconds=seconds),
    )


def take_down(seconds: int = 0) -> TakeDownCredential:
    return TakeDownCredential(
        credential_id=BADGE.credential_id,
        issuer_id="wattle",
        request_id=UUID(int=seconds),
        reason=TakeDownReason.SAFETY,
        requested_at=NOW + timedelta(seconds=seconds),
    )


async def after_its_credential(commands: Sequence[Command]) -> tuple[object, ...]:
    world = World()
    await world.record()
    for each in commands:
        await world.handle(each)
    return world.end()


async def test_a_command_before_its_credential_is_kept_and_applied_when_it_is_there() -> None:
    world = World()
    await world.handle(revoke())
    await world.tick()
    assert len(world.kept) == 1
    await world.record()
    await world.tick()
    assert world.end() == await after_its_credential([revoke()])
    assert world.kept == {}


@pytest.mark.parametrize("order", list(permutations(["record", "command", "loop"])))
async def test_any_order_of_credential_command_and_loop_ends_the_same(order: Sequence[str]) -> None:
    world = World()
    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "record": world.record,
        "command": lambda: world.handle(revoke()),
        "loop": world.tick,
    }
    for each in [*order, "loop"]:
        await steps[each]()
    assert world.end() == await after_its_credential([revoke()])


POINTS = ["issuer.revoking.1", "issuer.revoking.2", "issuer.revoking.3", "issuer.waiting_commands.1"]


@given(
    commands=st.lists(st.sampled_from(["revoke", "take down"]), min_size=1, max_size=4),
    recorded=st.integers(0, 4),
    loops=st.sets(st.integers(0, 4)),
    kills=st.dictionaries(st.integers(0, 8), st.sampled_from(POINTS), max_size=4),
)
async def test_wherever_the_credential_comes_and_whatever_is_killed_all_ends_as_if_it_had_come_first(
    commands: list[str], recorded: int, loops: set[int], kills: dict[int, str]
) -> None:
    asked = [revoke(place) if kind == "revoke" else take_down(place) for place, kind in enumerate(commands)]
    world, number = World(), 0

    async def done(step: Callable[[], Awaitable[None]]) -> None:
        nonlocal number
        kill, number = kills.get(number), number + 1

        def point(name: str) -> None:
            if name == kill:
                raise KilledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "failpoint", point)
            patch.setattr(loop, "failpoint", point)
            try:
                await step()
            except KilledError:
                kill = None
                await step()  # the next process: the same records again

    for place, command in enumerate(asked):
        if place == recorded:
            await world.record()
        if place in loops:
            await done(world.tick)
        await done(lambda command=command: world.handle(command))  # type: ignore[misc]  # a default of a lambda
    if recorded >= len(asked):
        await world.record()
    await done(world.tick)
    expected = await after_its_credential(asked)
    held, kept, told, lists = world.end()
    assert (held, kept, lists) == (expected[0], {}, expected[3])
    assert told == expected[2]


async def test_of_many_of_one_kind_the_first_waits_and_repeats_need_no_room() -> None:
    world = World(most=2)
    await world.handle(revoke(0), revoke(1), take_down(2))
    await world.handle(revoke(3), take_down(4))
    assert [each.command.requested_at for each in world.kept.values()] == [NOW, NOW + timedelta(seconds=2)]


async def test_beyond_the_most_a_command_is_refused_rather_than_lost_and_the_others_are_applied() -> None:
    world = World(most=1)
    await world.handle(revoke(0, uuid4()))
    kept = deepcopy(world.kept)
    await world.record()
    with pytest.raises(TooManyWaitError):
        await world.handle(revoke(1, uuid4()), revoke(2))
    assert world.kept == kept
    assert world.credentials[BADGE.credential_id].revocation is not None


async def test_one_about_another_issuers_credential_does_not_wait_before_or_after() -> None:
    world = World()
    await world.handle(revoke(0, issuer_id="banksia"))
    await world.record()
    await world.handle(revoke(0, issuer_id="banksia"))
    await world.tick()
    assert (world.kept, world.told) == ({}, {})
    assert world.credentials == {BADGE.credential_id: BADGE}


async def test_what_waited_its_time_is_given_up_and_the_log_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    await world.handle(revoke())
    world.now = NOW + LONGEST
    await world.tick()
    assert len(world.kept) == 1
    world.now += timedelta(seconds=1)
    await world.tick()
    assert world.kept == {}
    assert str(BADGE.credential_id) in capsys.readouterr().out


async def test_what_waited_its_time_is_applied_where_its_credential_has_come_meanwhile() -> None:
    world = World()
    await world.handle(revoke())
    world.now = NOW + 2 * LONGEST
    await world.record()
    await world.tick()
    assert any(isinstance(each.event, CredentialRevoked) for each in world.told.values())
