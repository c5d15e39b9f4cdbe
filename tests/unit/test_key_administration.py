"""A leaked key and all that was made with it end, however fast more are made meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka.errors import KafkaConnectionError

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.access.key_text import key_id
from libs.access.repository import StoredKey
from libs.access.scopes import Scope
from libs.access.signatures import GrantSigner
from libs.audit.entry import Cause
from libs.common.arrivals import Arrivals
from libs.common.errors import ConflictError, UnauthenticatedError, UnavailableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn
from services.issuer.access import administration as administering
from services.issuer.access.administration import MOST_KEYS, By, EndReason, KeyAdministration
from tests.issuer_doubles import NOW, TRACE

LEAKED = "ab" * 32
LATER = NOW + timedelta(days=5)


def stored_key(sha256: str, granted_with: str | None) -> StoredKey:
    scopes = frozenset({Scope.KEYS_WRITE.value, Scope.EVIDENCE_READ.value})
    return StoredKey(sha256, "wattle", "Office", scopes, NOW, "key:wattle/Office", granted_with, LATER, LATER)


class Keys:
    """Keys that arrive as soon as they are published, and what else happens at that moment."""

    def __init__(self) -> None:
        self.keys = {LEAKED: stored_key(LEAKED, None)}
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.late: list[Outgoing] | None = None
        self.refused: tuple[type, ...] = ()

    async def of_issuer(self, issuer_id: str) -> list[StoredKey]:
        return list(self.keys.values())

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        if self.late is not None and not any(isinstance(each.event, self.refused) for each in outgoing):
            self.late.extend(outgoing)
            return
        for each in outgoing:
            if isinstance(each.event, self.refused):
                raise KafkaConnectionError
            if isinstance(each.event, ApiKeyGranted):
                self.add(each.event.key_sha256, each.event.granted_with)
            elif isinstance(each.event, ApiKeyWithdrawn):
                self.keys[each.event.key_sha256] = replace(
                    self.keys[each.event.key_sha256], ends_at=each.event.ends_at, end_reason=each.event.reason
                )

    def add(self, sha256: str, granted_with: str | None) -> None:
        self.keys[sha256] = stored_key(sha256, granted_with)

    def works(self) -> list[str]:
        return [each.sha256 for each in self.keys.values() if each.ends_at > NOW]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def administration(keys: Keys) -> KeyAdministration:
    parts: Any = {"audit": AsyncMock(), "publish": keys.publish, "clock": lambda: NOW}
    return KeyAdministration(keys, signer=GrantSigner(b"x" * 32), arrivals=Arrivals(), **parts)  # type: ignore[arg-type]  # a fake


def caller(key: str) -> By:
    scopes = frozenset({Scope.KEYS_WRITE, Scope.EVIDENCE_READ})
    return By(
        Caller("wattle", scopes, "Office", key_id(key), LATER),
        Cause("key:wattle/Office", "0af7651916cd43dd8448eb211c80319c"),
        TRACE,
    )


async def test_what_is_made_while_its_maker_is_being_ended_ends_too(
    keys: Keys, administration: KeyAdministration
) -> None:
    keys.add("01" * 32, key_id(LEAKED))

    async def make_more() -> None:
        keys.add("02" * 32, key_id("01" * 32))

    keys.meanwhile = make_more
    ended = await administration.withdraw(
        "wattle", key_id(LEAKED), EndReason.LEAKED, with_made=True, by=caller("ff" * 32)
    )
    assert keys.works() == []
    assert [each.sha256 for each in ended] == [LEAKED, "01" * 32, "02" * 32]


async def test_a_school_that_used_up_its_keys_makes_no_more_and_an_administrator_does(
    keys: Keys, administration: KeyAdministration
) -> None:
    for number in range(MOST_KEYS - 1):
        keys.add(f"{number:064x}", key_id(LEAKED))
    with pytest.raises(ConflictError, match="100 keys"):
        await administration.make("wattle", "One more", [Scope.EVIDENCE_READ], None, caller(LEAKED))
    administrator = Caller(ALL_ISSUERS, frozenset({Scope.KEYS_WRITE}), "first", "ff" * 8)
    by = By(administrator, Cause("administrator:first", "0af7651916cd43dd8448eb211c80319c"), TRACE)
    made = await administration.make("wattle", "Office", [Scope.KEYS_WRITE], None, by)
    await administration.rotate("wattle", key_id(made.stored.sha256), timedelta(0), by)
    assert len(keys.works()) == MOST_KEYS + 1


async def test_a_key_whose_maker_ended_before_it_arrived_is_not_shown_and_does_not_work(
    keys: Keys, administration: KeyAdministration
) -> None:
    async def withdrawn() -> None:
        await administration.withdraw("wattle", key_id(LEAKED), EndReason.LEAKED, with_made=True, by=caller("ff" * 32))

    keys.meanwhile = withdrawn
    with pytest.raises(UnauthenticatedError):
        await administration.make("wattle", "Sensor", [Scope.EVIDENCE_READ], None, caller(LEAKED))
    assert len(keys.keys) == 2
    assert keys.works() == []


async def test_a_key_that_arrives_too_late_to_be_shown_works_for_nobody_and_its_maker_is_told(
    keys: Keys, administration: KeyAdministration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administering, "_WAIT_SECONDS", 0.0)
    keys.late = []
    with pytest.raises(UnavailableError, match="not shown; it was withdrawn") as told:
        await administration.make("wattle", "Sensor", [Scope.EVIDENCE_READ], None, caller(LEAKED))
    late, keys.late = keys.late, None
    await keys.publish(late)
    assert keys.works() == [LEAKED]
    (sensor,) = [each for each in keys.keys.values() if each.sha256 != LEAKED]
    assert sensor.end_reason == EndReason.NOT_SHOWN
    assert key_id(sensor.sha256) in str(told.value), "so that it can be found in the list"


@pytest.mark.parametrize("refused", [ApiKeyWithdrawn, ApiKeyGranted])
async def test_a_key_that_was_not_shown_is_withdrawn_once_the_store_is_back(
    keys: Keys, administration: KeyAdministration, monkeypatch: pytest.MonkeyPatch, refused: type
) -> None:
    monkeypatch.setattr(administering, "_WAIT_SECONDS", 0.0)
    keys.late, keys.refused = [], (refused,)
    for _ in range(2):
        with pytest.raises(KafkaConnectionError):
            await administration.make("wattle", "Sensor", [Scope.EVIDENCE_READ], None, caller(LEAKED))
        if refused is ApiKeyWithdrawn:
            with pytest.raises(KafkaConnectionError):
                await administration.end_not_shown()
    keys.refused = ()
    assert await administration.end_not_shown() > 0
    late, keys.late = keys.late, None
    granted = {each.event.key_sha256 for each in late if isinstance(each.event, ApiKeyGranted)}
    withdrawn = {each.event.key_sha256 for each in late if isinstance(each.event, ApiKeyWithdrawn)}
    assert len(withdrawn) == 2
    assert granted == (withdrawn if refused is ApiKeyWithdrawn else set())
    await administration.end_not_shown()
    assert keys.works() == [LEAKED], "each is withdrawn once"
