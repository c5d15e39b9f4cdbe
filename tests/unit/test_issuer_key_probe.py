"""The probe of the key-encryption key: made where none is, and never by one that opens nothing that was published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from libs.contracts.events import Event
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.keys.copies import sealed_event
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.probe import KeyEncryptionProbe, OtherKeyEncryptionKeyError
from services.issuer.keys.repository import StoredKey
from services.issuer.keys.sealing import sealed
from services.issuer.keys.states import KeyState, new_key
from services.issuer.recovery import adoption
from tests.collection_in_memory import MemoryCollection
from tests.issuer_doubles import NOW
from tests.signing_keys_in_memory import KEK

OTHER = FileKeyEncryption(bytes(32))
OTHER_AND_KEK = FileKeyEncryption(bytes(32), other=bytes(range(32)))


class Store:
    """A database with its probe, and with signing keys that were sealed under these key-encryption keys."""

    def __init__(self, *sealed_under: str) -> None:
        self.probes, self._sealed_under = MemoryCollection(), sealed_under

    async def count_by_kek(self) -> dict[str, int]:
        return dict.fromkeys(self._sealed_under, 1)

    def probe(self, encryption: FileKeyEncryption) -> KeyEncryptionProbe:
        return KeyEncryptionProbe({"authority": self.probes}, self, encryption)  # type: ignore[arg-type]  # fakes

    @property
    def made_under(self) -> list[str]:
        return [each["kek_id"] for each in self.probes.kept.values()]


async def test_an_empty_database_is_not_taken_by_another_key_while_sealed_copies_stand_on_the_topic() -> None:
    lost = Store()
    await lost.probe(OTHER).require()
    assert lost.made_under == [], "nothing is known before the copies are read"
    with pytest.raises(OtherKeyEncryptionKeyError, match=f"holds .* {OTHER.kek_id}.* copies .*under {KEK.kek_id}: put"):
        await lost.probe(OTHER).make([KEK.kek_id])
    assert lost.made_under == []
    await lost.probe(KEK).require()
    await lost.probe(KEK).make([KEK.kek_id])
    assert lost.made_under == [KEK.kek_id]


async def test_where_nothing_was_ever_sealed_the_first_key_is_the_one() -> None:
    new = Store()
    await new.probe(OTHER).make([])
    with pytest.raises(OtherKeyEncryptionKeyError):
        await new.probe(KEK).make([])


@pytest.mark.parametrize("here", [[], [KEK.kek_id]])
async def test_a_key_that_has_sealed_nothing_yet_gets_no_probe_while_the_one_before_it_opens(here: list[str]) -> None:
    lost = Store(*here)
    await lost.probe(OTHER_AND_KEK).require()
    await lost.probe(OTHER_AND_KEK).make([KEK.kek_id])
    await lost.probe(OTHER_AND_KEK).replace()
    assert lost.made_under == []
    with pytest.raises(OtherKeyEncryptionKeyError):
        await lost.probe(OTHER).make([KEK.kek_id])
    await lost.probe(OTHER_AND_KEK).make([KEK.kek_id, OTHER.kek_id])
    assert lost.made_under == [OTHER.kek_id]


async def test_one_key_whose_copy_opens_no_more_does_not_hold_up_the_others() -> None:
    lost = Store()
    await lost.probe(KEK).make([OTHER.kek_id, KEK.kek_id])
    assert lost.made_under == [KEK.kek_id]


class CopiesAlone:
    """A reader of the topic of sealed copies, on which one key stands: first under one key, then under another."""

    ids: dict[str, str] = {}  # noqa: RUF012  # as the reader has it

    def __init__(self, *encryptions: FileKeyEncryption) -> None:
        secret = Ed25519Key.generate()
        key = new_key(secret.public_multibase, "wattle", KeyState.ACTIVE, NOW)
        self._copies: list[Event] = [
            sealed_event(StoredKey(key, sealed(key, secret, each)), NOW) for each in encryptions
        ]

    async def ends(self) -> dict[Any, int]:
        return {}

    async def events(self, *_: object) -> AsyncIterator[list[Event]]:
        yield self._copies


class ReachedError(Exception):
    """The keys would be adopted now."""


@pytest.mark.parametrize(("encryption", "ends"), [(OTHER, OtherKeyEncryptionKeyError), (KEK, ReachedError)])
async def test_the_last_copy_of_each_key_is_asked_before_any_key_is_taken_up(
    monkeypatch: pytest.MonkeyPatch, encryption: FileKeyEncryption, ends: type[Exception]
) -> None:
    @asynccontextmanager
    async def reading(*_: object) -> AsyncIterator[CopiesAlone]:
        yield CopiesAlone(OTHER, KEK)

    async def nothing(*_: object) -> None:
        return None

    async def adopt(_: object) -> int:
        raise ReachedError

    monkeypatch.setattr(adoption, "reading", reading)
    lost = Store()
    adopters = SimpleNamespace(probe=lost.probe(encryption), keys=SimpleNamespace(adopt=adopt))
    notes, marks = {"adoption": SimpleNamespace(find_one=nothing)}, SimpleNamespace(since=nothing)
    adopting = adoption.Adoption(None, notes, marks, adopters, lambda: NOW)  # type: ignore[arg-type]  # fakes
    with pytest.raises(ends):
        await adopting.run()
    assert lost.made_under == ([] if encryption is OTHER else [KEK.kek_id])
