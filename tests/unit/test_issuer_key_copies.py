"""Sealed copies of signing keys: confirmed before a key is used, and enough to have every key and state back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.audit.entry import Action
from libs.common.errors import ConflictError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import SigningKeySealed
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys import states
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.copies import KeyCopies, sealed_event
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import StoredKey
from services.issuer.keys.sealing import opened
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import Copy, KeyState, SigningKey
from tests.issuer_doubles import NOW, MemoryAudit
from tests.signing_keys_in_memory import KEK, CopyTopic, MemorySigningKeys, copies_of

OTHER_KEK = FileKeyEncryption(bytes(32), other=bytes(range(32)))


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class House:
    """The keys of an issuer service, whose process dies at the step that is named."""

    def __init__(self, dies: str = "") -> None:
        self.stored, self.topic, self.dies = MemorySigningKeys(), CopyTopic(), dies

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self._die("before publishing")
        await self.topic.publish(outgoing)
        self._die("after publishing")

    def _die(self, where: str) -> None:
        if self.dies == where:
            self.dies = ""
            raise KilledError

    @property
    def copies(self) -> KeyCopies:
        return KeyCopies(self.stored, KEK, publish=self.publish, clock=lambda: NOW)  # type: ignore[arg-type]  # a fake

    @property
    def keys(self) -> SigningKeys:
        return SigningKeys(self.stored, KEK, self.copies)  # type: ignore[arg-type]  # a fake


def adoption(stored: MemorySigningKeys, encryption: FileKeyEncryption = KEK) -> KeyAdoption:
    return KeyAdoption(stored, encryption, MemoryAudit())  # type: ignore[arg-type]  # a fake


async def test_a_new_key_is_given_out_when_its_copy_is_confirmed_and_the_copy_holds_no_readable_secret() -> None:
    house = House()
    key, new = await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    (copy,) = house.topic.records
    assert (new, key.copy, copy.key_id, copy.state) == (True, Copy.CURRENT, key.key_id, "active")
    secret = await house.keys.key("wattle")
    assert secret.seed not in copy.model_dump_json().encode()
    assert Ed25519Key.from_seed(secret.seed).public_multibase == copy.key_id


@pytest.mark.parametrize("dies", ["before publishing", "after publishing"])
async def test_killed_before_its_copy_is_confirmed_a_key_is_not_given_out_and_the_next_call_goes_on_with_it(
    dies: str,
) -> None:
    house = House(dies)
    with pytest.raises(KilledError):
        await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    (left,) = house.stored.kept.values()
    assert left.key.copy is Copy.NONE
    key, new = await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    assert (key.key_id, new, key.copy) == (left.key.key_id, False, Copy.CURRENT)
    assert {each.key_id for each in house.topic.records} == {key.key_id}


async def test_a_key_without_a_copy_signs_nothing_before_it_has_one() -> None:
    house = House("before publishing")
    with pytest.raises(KilledError):
        await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    assert house.topic.records == []
    await house.keys.key("wattle")
    assert [each.key_id for each in house.topic.records] == list(house.stored.kept)


async def test_a_copy_that_another_process_has_overtaken_is_not_the_last() -> None:
    house = House()
    await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    await house.keys.create("wattle", KeyState.NEXT, NOW)
    house.stored.change(replace(each.key, published=True) for each in house.stored.kept.values())
    known = await house.stored.of_issuer("wattle")
    (next_id,) = (each.key_id for each in known if each.state is KeyState.NEXT)
    late = await house.stored.with_secrets("wattle")
    house.stored.change(states.activate(known, next_id, NOW))
    await house.copies.confirm("wattle")
    # A process that had read them before publishes only now.
    await house.topic.publish([Outgoing(sealed_event(each, NOW), "") for each in late])
    await house.copies._copy(await house.stored.mark_copied(late))
    last = {each.key_id: each.state for each in house.topic.records}
    assert last == {each.key_id: each.state.value for each in await house.stored.of_issuer("wattle")}


async def test_a_secret_that_does_not_open_displaces_no_good_copy() -> None:
    house = House()
    key, _ = await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    stored = house.stored.kept[key.key_id]
    damaged = Sealed(stored.sealed.kek_id, stored.sealed.ciphertext[:-1] + bytes([stored.sealed.ciphertext[-1] ^ 1]))
    house.stored.kept[key.key_id] = StoredKey(stored.key.changed(state=KeyState.RETIRING), damaged)
    await house.copies.confirm("wattle")
    await house.copies.repair()
    done = await house.copies.republish()
    assert (len(house.topic.records), done.count) == (1, 0)
    assert key.key_id in done.problems[0]
    assert await adoption(house.stored).adopt(house.topic.records) == 1
    assert opened(house.stored.kept[key.key_id], KEK).public_multibase == key.key_id


async def test_republishing_gives_a_topic_that_was_lost_the_copy_of_every_key() -> None:
    house = House()
    for issuer_id in ("wattle", "banksia"):
        await house.keys.create(issuer_id, KeyState.ACTIVE, NOW)
    house.topic.records.clear()
    assert (await house.copies.republish()).count == 2
    assert {each.key_id for each in house.topic.records} == set(house.stored.kept)


# What is done to the keys of an issuer, one after another.
_OPERATIONS = ("add", "activate", "retire", "distrust", "reseal", "copy")


class History:
    """The keys of one issuer through such operations; each is stored, and copied where the process lives so long."""

    def __init__(self) -> None:
        self.stored, self.topic, self.now = MemorySigningKeys(), CopyTopic(), NOW
        self.kek = KEK
        self.snapshots: list[dict[str, StoredKey]] = [{}]

    async def begin(self) -> None:
        await self._create(KeyState.ACTIVE)

    async def do(self, operation: str, number: int) -> None:
        self.now += timedelta(minutes=2)
        known = await self.stored.of_issuer("wattle")
        key_id = known[number % len(known)].key_id
        try:
            if operation == "add" and all(each.state is not KeyState.NEXT for each in known):
                await self._create(KeyState.NEXT)
            elif operation == "activate":
                self.stored.change(states.activate(known, key_id, self.now))
            elif operation == "retire":
                self.stored.change(states.retire(known, key_id, self.now))
            elif operation == "distrust":
                self.stored.change(states.distrust(known, key_id, self.now, self.now - timedelta(seconds=number)))
            elif operation == "reseal" and self.kek is KEK:
                self.kek = OTHER_KEK
                for key, sealed in list(self.stored.kept.values()):
                    secret = opened(StoredKey(key, sealed), self.kek)
                    anew = self.kek.seal(secret.seed, f"signing key {key.key_id} of issuer wattle")
                    self.stored.kept[key.key_id] = StoredKey(key.changed(), anew)
            self.snapshots.append(dict(self.stored.kept))
            await self.copy()
        except ConflictError:
            return

    async def copy(self) -> None:
        await copies_of(self.stored, self.topic, self.kek).confirm("wattle")
        self.stored.change(replace(each.key, published=True) for each in list(self.stored.kept.values()))
        self.snapshots.append(dict(self.stored.kept))

    async def _create(self, state: KeyState) -> None:
        keys = SigningKeys(self.stored, self.kek, copies_of(self.stored, self.topic, self.kek))  # type: ignore[arg-type]
        await keys.create("wattle", state, self.now)
        await self.copy()


def compacted(records: Sequence[SigningKeySealed], until: int) -> list[SigningKeySealed]:
    """The records as a broker leaves them that has compacted those before `until`."""
    last = {each.key_id: number for number, each in enumerate(records)}
    return [each for number, each in enumerate(records) if number >= until or last[each.key_id] == number]


def told(kept: dict[str, StoredKey]) -> dict[str, tuple[object, ...]]:
    return {key_id: (key.state, dict(key.times), key.distrusted_from, sealed) for key_id, (key, sealed) in kept.items()}


@given(
    operations=st.lists(st.tuples(st.sampled_from(_OPERATIONS), st.integers(0, 5)), max_size=14),
    restored=st.integers(0, 40),
    until=st.integers(0, 60),
    singly=st.booleans(),
)
async def test_restored_to_any_moment_a_database_has_every_key_and_state_back_from_the_copies(
    operations: list[tuple[str, int]], restored: int, until: int, *, singly: bool
) -> None:
    history = History()
    await history.begin()
    for operation, number in operations:
        await history.do(operation, number)
    stored = MemorySigningKeys(history.snapshots[restored % len(history.snapshots)].values())
    records = compacted(history.topic.records, until)
    # The key-encryption key that was given up since is not there any more.
    kek = KEK if history.kek is KEK else FileKeyEncryption(bytes(32))
    given_up_with = [[each] for each in records] if singly and until == 0 else [records]
    for some in given_up_with:
        await adoption(stored, kek).adopt(some)
    assert told(stored.kept) == told(history.stored.kept)
    assert await adoption(stored, kek).adopt(records) == 0
    assert all(opened(each, kek).public_multibase == key_id for key_id, each in stored.kept.items())


async def test_of_two_active_keys_the_one_that_became_so_last_stays_and_the_adoption_is_in_the_audit_log() -> None:
    history = History()
    await history.begin()
    (first,) = history.stored.kept.values()
    await history.do("add", 0)
    (second_id,) = history.stored.kept.keys() - {first.key.key_id}
    await history.do("activate", list(history.stored.kept).index(second_id))
    # The copy that tells of the retiring key was overtaken by an older one.
    records = [each for each in history.topic.records if each.key_id == second_id]
    records += [each for each in history.topic.records if each.key_id == first.key.key_id][:1]
    stored, audit = MemorySigningKeys(), MemoryAudit()
    await KeyAdoption(stored, KEK, audit).adopt(records)  # type: ignore[arg-type]  # a fake
    found = {key_id: each.key.state for key_id, each in stored.kept.items()}
    assert found == {first.key.key_id: KeyState.RETIRING, second_id: KeyState.ACTIVE}
    (entry,) = audit.entries
    assert (entry.action, entry.tenants) == (Action.SIGNING_KEYS_ADOPTED, ("wattle",))


async def test_a_copy_that_does_not_open_is_adopted_where_there_is_nothing_else_and_replaces_nothing_that_opens() -> (
    None
):
    house = House()
    key, _ = await house.keys.create("wattle", KeyState.ACTIVE, NOW)
    strange = FileKeyEncryption(bytes([7]) * 32).seal(bytes(32), "signing key")
    copy = sealed_event(StoredKey(house.stored.kept[key.key_id].key, strange), NOW)
    assert await adoption(house.stored).adopt([copy]) == 0
    empty = MemorySigningKeys()
    assert await adoption(empty).adopt([copy]) == 1
    with pytest.raises(KeyUnavailableError):
        opened(empty.kept[key.key_id], KEK)


def test_the_copies_of_a_key_are_told_apart_by_their_moment() -> None:
    key = SigningKey("z6Mk", "wattle", KeyState.NEXT, {KeyState.NEXT: NOW})
    one, other = (sealed_event(StoredKey(key, Sealed("kek", b"")), NOW + timedelta(days=each)) for each in (0, 1))
    assert (one.key, one.natural_id != other.natural_id) == ("z6Mk", True)
