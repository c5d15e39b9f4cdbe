"""Sealing signing keys anew: both key-encryption keys open meanwhile, and killed anywhere nothing is lost."""

from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from libs.audit.entry import Action, Cause
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys import rewrapping
from services.issuer.keys.encryption import FileKeyEncryption, Sealed
from services.issuer.keys.rewrapping import Rewrapping
from services.issuer.keys.sealing import bound_to
from services.issuer.keys.states import KeyState, SigningKey, new_key
from tests.issuer_doubles import NOW, MemoryAudit

OLD, NEW = bytes(range(32)), bytes(32)
BEFORE, BETWEEN, AFTER = FileKeyEncryption(OLD), FileKeyEncryption(NEW, other=OLD), FileKeyEncryption(NEW)
OPERATOR = Cause("operator:kim", "0" * 32)


class Killed(BaseException):
    """The process ends here."""


class Stored:
    """Sealed keys of several issuers; each step of storing may be the last."""

    def __init__(self, number: int = 5) -> None:
        self.kept: dict[str, tuple[SigningKey, Sealed]] = {}
        self.steps = count()
        self.last_step = -1
        self.probed = False
        self.copied: dict[str, tuple[SigningKey, Sealed]] = {}
        for each in range(number):
            secret = Ed25519Key.generate()
            key = new_key(secret.public_multibase, f"school-{each % 2}", KeyState.RETIRED, NOW)
            self.kept[key.key_id] = key, BEFORE.seal(secret.seed, bound_to(key))

    async def not_sealed_under(self, kek_id: str, after: str, limit: int) -> list[tuple[SigningKey, Sealed]]:
        behind = [self.kept[key_id] for key_id in sorted(self.kept) if key_id > after]
        return [each for each in behind if each[1].kek_id != kek_id][:limit]

    async def count_by_kek(self) -> dict[str, int]:
        ids = [sealed.kek_id for _, sealed in self.kept.values()]
        return {each: ids.count(each) for each in set(ids)}

    async def seal_anew(self, changes: Iterable[tuple[SigningKey, Sealed, Sealed]]) -> None:
        for key, before, after in changes:
            if next(self.steps) == self.last_step:
                raise Killed
            if self.kept[key.key_id][1] == before:
                self.kept[key.key_id] = key, after

    async def repair(self) -> None:
        """The copies tell what is stored now."""
        self.copied = dict(self.kept)

    async def replace(self) -> None:
        """The probe is sealed anew."""
        self.probed = True

    def all_open(self, encryption: FileKeyEncryption) -> bool:
        return all(
            Ed25519Key.from_seed(encryption.open(sealed, bound_to(key))).public_multibase == key.key_id
            for key, sealed in self.kept.values()
        )


def rewrapping_of(stored: Stored, audit: MemoryAudit | None = None) -> Rewrapping:
    return Rewrapping(stored, BETWEEN, copies=stored, probe=stored, audit=audit or MemoryAudit())  # type: ignore[arg-type]  # a fake


async def test_a_dry_run_opens_each_key_and_changes_nothing() -> None:
    stored, audit = Stored(), MemoryAudit()
    before = dict(stored.kept)
    told = await rewrapping_of(stored, audit).dry_run()
    assert (told.count, told.left, told.kek_id) == (5, {BEFORE.kek_id: 5}, AFTER.kek_id)
    assert (stored.kept, audit.entries) == (before, [])


async def test_every_key_opens_before_meanwhile_and_after_and_doing_it_again_changes_nothing() -> None:
    stored, audit = Stored(), MemoryAudit()
    assert stored.all_open(BEFORE)
    assert stored.all_open(BETWEEN)
    done = await rewrapping_of(stored, audit).run(OPERATOR)
    assert (done.count, done.left) == (5, {})
    assert stored.all_open(AFTER)
    assert (stored.copied, stored.probed) == (stored.kept, True)
    after = dict(stored.kept)
    assert (await rewrapping_of(stored, audit).run(OPERATOR)).count == 0
    assert stored.kept == after
    (entry,) = audit.entries
    assert (entry.action, entry.cause) == (Action.SIGNING_KEYS_REWRAPPED, OPERATOR)
    assert entry.tenants == ("school-0", "school-1")
    named = entry.details["key_ids"]
    assert isinstance(named, dict)
    assert {id_ for ids in named.values() for id_ in ids.split()} == set(stored.kept)


@pytest.mark.parametrize("step", range(5))
async def test_killed_at_any_step_every_key_opens_and_the_next_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(rewrapping, "_AT_ONCE", 2)
    stored = Stored()
    stored.last_step = step
    with pytest.raises(Killed):
        await rewrapping_of(stored).run(OPERATOR)
    assert stored.all_open(BETWEEN)
    assert (await rewrapping_of(stored).run(OPERATOR)).left == {}
    assert stored.all_open(AFTER)


async def test_a_key_that_does_not_open_is_named_and_left_as_it_was_and_holds_up_no_other() -> None:
    stored = Stored()
    key, sealed = min(stored.kept.values(), key=lambda each: each[0].key_id)
    changed = key, Sealed(sealed.kek_id, sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1]))
    stored.kept[key.key_id] = changed
    foreseen = await rewrapping_of(stored).dry_run()
    done = await rewrapping_of(stored).run(OPERATOR)
    assert (foreseen.count, foreseen.problems) == (done.count, done.problems)
    assert (done.count, done.left) == (4, {BEFORE.kek_id: 1})
    assert stored.kept[key.key_id] == changed
    (problem,) = done.problems
    assert key.key_id in problem


async def test_a_secret_of_another_key_is_not_sealed_anew() -> None:
    stored = Stored(1)
    (key,) = (key for key, _ in stored.kept.values())
    stored.kept[key.key_id] = key, BEFORE.seal(Ed25519Key.generate().seed, bound_to(key))
    (problem,) = (await rewrapping_of(stored).run(OPERATOR)).problems
    assert "another key's secret" in problem


async def test_without_the_old_file_nothing_is_changed_and_the_problem_says_which_one_is_needed() -> None:
    stored = Stored()
    fakes: dict[str, Any] = {"copies": stored, "probe": stored, "audit": MemoryAudit()}
    done = await Rewrapping(stored, AFTER, **fakes).run(OPERATOR)  # type: ignore[arg-type]  # a fake
    assert (done.count, len(done.problems)) == (0, 5)
    assert BEFORE.kek_id in done.problems[0]
    assert "OTHER_KEK_FILE" in done.problems[0]
    assert stored.all_open(BEFORE)
