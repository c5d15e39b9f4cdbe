"""The key of grants is recorded where none is, and never one that signed nothing of what was published."""

from datetime import timedelta

import pytest

from libs.access.grant_probe import GrantProbe, OtherGrantKeyError
from libs.access.signatures import GrantKeys, GrantSigner
from libs.contracts.events import ApiKeyWithdrawn, SignedEvent
from tests.collection_in_memory import MemoryCollection
from tests.issuer_doubles import NOW

OLD, NEW = GrantSigner(bytes(32)), GrantSigner(bytes(range(32)))
BOTH = GrantKeys([OLD.public_key, NEW.public_key])
ONLY_OLD, ONLY_NEW = GrantKeys([OLD.public_key]), GrantKeys([NEW.public_key])


class Store:
    """A database that was lost, beside a topic with withdrawals that these have signed."""

    def __init__(self, *signed_by: GrantSigner) -> None:
        self.authority = MemoryCollection()
        self.probe = GrantProbe({"authority": self.authority})  # type: ignore[arg-type]  # a fake
        self.published = [each.sign(withdrawal(n)) for n, each in enumerate(signed_by)]
        self.asked = 0

    async def make(self, signer: GrantSigner, keys: GrantKeys) -> None:
        await self.probe.require(keys)
        await self.probe.make(signer, keys, self._read)

    async def _read(self) -> list[SignedEvent]:
        self.asked += 1
        return [*self.published]

    @property
    def recorded(self) -> list[str]:
        return [each["public_key"] for each in self.authority.kept.values()]


def withdrawal(number: int) -> ApiKeyWithdrawn:
    at = NOW + timedelta(minutes=number)
    return ApiKeyWithdrawn(
        key_sha256=f"{number:064x}", issuer_id="wattle", ends_at=at, reason="withdrawn", requested_at=at
    )


async def test_an_empty_database_is_not_taken_by_other_files_while_grants_stand_on_the_topic() -> None:
    lost = Store(OLD, OLD)
    with pytest.raises(OtherGrantKeyError, match=f"that are published .* {OLD.public_key}, which"):
        await lost.make(NEW, ONLY_NEW)
    assert lost.recorded == []
    await lost.make(OLD, ONLY_OLD)
    assert lost.recorded == [OLD.public_key]


async def test_where_nothing_was_ever_granted_the_first_key_is_the_one() -> None:
    new = Store()
    await new.make(NEW, ONLY_NEW)
    assert new.recorded == [NEW.public_key]
    with pytest.raises(OtherGrantKeyError):
        await new.make(OLD, ONLY_OLD)


async def test_what_is_recorded_is_asked_and_no_topic_read() -> None:
    known = Store()
    for _ in range(2):
        await known.make(NEW, ONLY_NEW)
    assert known.asked == 1


async def test_a_key_that_has_signed_nothing_yet_is_not_recorded_while_the_one_before_it_counts() -> None:
    lost = Store(OLD)
    await lost.make(NEW, BOTH)
    assert lost.recorded == []
    with pytest.raises(OtherGrantKeyError):
        await lost.make(NEW, ONLY_NEW)
    lost.published.append(NEW.sign(withdrawal(7)))
    await lost.make(NEW, BOTH)
    assert lost.recorded == [NEW.public_key]


async def test_what_is_forged_neither_opens_the_door_nor_shuts_it() -> None:
    lost = Store(OLD)
    lost.published.append(OLD.sign(withdrawal(8)).model_copy(update={"signed_by": NEW.public_key}))
    with pytest.raises(OtherGrantKeyError):
        await lost.make(NEW, ONLY_NEW)
    await lost.make(OLD, ONLY_OLD)
    assert lost.recorded == [OLD.public_key]
