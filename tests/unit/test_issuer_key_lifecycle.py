"""Changes of signing keys that could not be announced: tried again, and never the end of the process."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from pymongo.errors import ServerSelectionTimeoutError

from libs.audit.entry import Cause
from libs.common.errors import ConflictError, UnavailableError
from libs.contracts.events import IssuerPublished
from services.issuer.keys.lifecycle import KeyLifecycle
from services.issuer.keys.states import MOST_OF_ISSUER, KeyState, SigningKey
from tests.issuer_doubles import TRACE, MemoryAudit, issuer

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class Unpublished:
    """A repository with two issuers whose keys are not announced."""

    async def unpublished_issuers(self) -> list[str]:
        return ["wattle", "banksia"]


class Publishing:
    """Issuers whose publication fails as it is told."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def repair(self) -> None:
        """All copies are current."""

    async def publish_keys(self, issuer_id: str, _trace: str, _cause: Cause) -> None:
        self.asked.append(issuer_id)
        if self.error is not None:
            raise self.error


class Exhausted:
    """An issuer with as many keys as its own API keys may add, none of them next."""

    def __init__(self) -> None:
        retired = KeyState.RETIRED
        self.known = [SigningKey(f"z{n}", "wattle", retired, {retired: NOW}) for n in range(MOST_OF_ISSUER)]

    async def current(self, issuer_id: str) -> IssuerPublished:
        return issuer(issuer_id)

    async def of_issuer(self, _issuer_id: str) -> list[SigningKey]:
        return self.known

    async def create(self, issuer_id: str, state: KeyState, at: datetime) -> tuple[SigningKey, bool]:
        self.known.append(SigningKey("next", issuer_id, state, {state: at}))
        return self.known[-1], True

    async def publish_keys(self, *_: object) -> None: ...


async def test_an_issuer_that_used_up_its_signing_keys_still_gets_one_from_an_administrator() -> None:
    store, audit = Exhausted(), MemoryAudit()
    parts: dict[str, Any] = {"issuers": store, "signing_keys": store, "repository": store, "audit": audit}
    keys = KeyLifecycle(**parts, copies=None, clock=lambda: NOW)  # type: ignore[arg-type]  # a fake
    cause = Cause("key:wattle/Office", "0af7651916cd43dd8448eb211c80319c")
    with pytest.raises(ConflictError, match="at most 80 keys"):
        await keys.add("wattle", TRACE, cause, most=MOST_OF_ISSUER)
    assert (await keys.add("wattle", TRACE, cause))[0].key_id == "next"


def lifecycle(issuers: Publishing) -> KeyLifecycle:
    parts: dict[str, Any] = {"issuers": issuers, "signing_keys": None, "repository": Unpublished(), "audit": None}
    return KeyLifecycle(**parts, copies=issuers, clock=lambda: NOW)  # type: ignore[arg-type]  # a fake


async def test_what_a_crash_left_unpublished_is_announced() -> None:
    issuers = Publishing(None)
    assert await lifecycle(issuers).repair() > 0
    assert issuers.asked == ["wattle", "banksia"]


@pytest.mark.parametrize("error", [ConflictError("at the same moment"), ValueError("what is stored is no JSON")])
async def test_an_issuer_whose_keys_cannot_be_announced_holds_up_no_other_and_is_left_for_the_next_time(
    error: Exception,
) -> None:
    issuers = Publishing(error)
    assert await lifecycle(issuers).repair() > 0
    assert issuers.asked == ["wattle", "banksia"]
    issuers.error = None
    await lifecycle(issuers).repair()
    assert issuers.asked[2:] == ["wattle", "banksia"]


@pytest.mark.parametrize("error", [ServerSelectionTimeoutError("away"), KafkaConnectionError("away")])
async def test_a_store_that_is_away_is_waited_for(error: Exception) -> None:
    with pytest.raises(type(error)):
        await lifecycle(Publishing(error)).repair()


async def test_what_cannot_be_announced_while_the_catalogue_is_slow_is_left_for_the_next_time() -> None:
    issuers = Publishing(UnavailableError("not arrived yet"))
    assert await lifecycle(issuers).repair() > 0
    assert issuers.asked == ["wattle"]
    issuers.error = None
    await lifecycle(issuers).repair()
    assert issuers.asked == ["wattle", "wattle", "banksia"]
