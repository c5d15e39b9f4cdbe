"""Signing keys on the real MongoDB: one active, sealed, distrusted at once; what they signed is kept as it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from libs.access.grant_probe import GrantProbe, OtherGrantKeyError
from libs.access.signatures import GrantKeys, GrantSigner
from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AuthorityPublished, SigningKeySealed
from libs.openbadges.model.errors import CredentialError
from services.issuer.catalogue.authority import Authority
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.keys import states
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError
from services.issuer.keys.probe import KeyEncryptionProbe, OtherKeyEncryptionKeyError
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.rewrapping import Rewrapping
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import KeyState
from tests.ids import IDS
from tests.issuer_doubles import (
    NOW,
    evidence,
    received,
)
from tests.issuer_world import (
    KEK,
    URLS,
    World,
)

pytestmark = pytest.mark.integration


def probe_of(world: World, encryption: FileKeyEncryption) -> KeyEncryptionProbe:
    return KeyEncryptionProbe(world.database, SigningKeyRepository(world.client, world.database), encryption)


async def test_of_two_first_calls_at_once_one_key_is_made_and_it_is_not_readable_in_the_database(world: World) -> None:
    workers = [world.signing_keys() for _ in range(5)]
    created = await asyncio.gather(*(each.create("wattle", KeyState.ACTIVE, NOW) for each in workers))
    assert sorted(new for _, new in created) == [False] * 4 + [True]
    (stored,) = await world.stored("signing_keys")
    assert {key.key_id for key, _ in created} == {stored["_id"]}
    opened = await workers[0].key("wattle")
    assert opened.public_multibase == stored["_id"]
    assert opened.seed not in bytes(stored["sealed"])
    assert stored["kek_id"] == KEK.kek_id


async def test_keys_that_were_sealed_anew_open_under_the_new_key_alone(world: World) -> None:
    key, _ = await world.signing_keys().create("wattle", KeyState.ACTIVE, NOW)
    other = bytes(32)
    repository = SigningKeyRepository(world.client, world.database)
    between = FileKeyEncryption(other, other=bytes(range(32)))
    copies = KeyCopies(repository, between, publish=world.publish, clock=lambda: NOW)
    await probe_of(world, KEK).require()
    probe = probe_of(world, between)
    rewrapping = Rewrapping(repository, between, copies=copies, probe=probe, audit=AuditLog(world.database))
    assert (await rewrapping.dry_run()).left == {KEK.kek_id: 1}
    done = await rewrapping.run(Cause("operator:kim", "0" * 32))
    assert (done.count, done.left, done.problems) == (1, {}, ())
    opened = await SigningKeys(repository, FileKeyEncryption(other), copies).key("wattle")
    assert opened.public_multibase == key.key_id
    kek_ids = [each.event.kek_id for each in world.published if isinstance(each.event, SigningKeySealed)]
    assert kek_ids == [KEK.kek_id, between.kek_id], "its copy opens under the new one too"
    await probe_of(world, FileKeyEncryption(other)).require()
    with pytest.raises(OtherKeyEncryptionKeyError):
        await probe_of(world, KEK).require()
    assert (await AuditLog(world.database).check()).fault is None


async def test_another_key_encryption_key_is_refused_at_the_start_and_the_error_names_both(world: World) -> None:
    other, both = FileKeyEncryption(bytes(32)), FileKeyEncryption(bytes(32), other=bytes(range(32)))
    await asyncio.gather(*(probe_of(world, KEK).require() for _ in range(5)))
    with pytest.raises(OtherKeyEncryptionKeyError, match=f"holds .* {other.kek_id}.* under {KEK.kek_id}: put that"):
        await probe_of(world, other).require()
    await probe_of(world, other).replace()
    for encryption in (both, KEK):
        await probe_of(world, encryption).require()


async def test_a_database_without_a_probe_is_asked_by_the_keys_that_it_has(world: World) -> None:
    await world.signing_keys().create("wattle", KeyState.ACTIVE, NOW)
    with pytest.raises(OtherKeyEncryptionKeyError, match=KEK.kek_id):
        await probe_of(world, FileKeyEncryption(bytes(32))).require()
    assert await world.stored("authority") == []
    await probe_of(world, KEK).require()
    (probe,) = await world.stored("authority")
    assert probe["kek_id"] == KEK.kek_id


async def test_the_key_of_grants_is_changed_while_the_file_has_both_and_refused_otherwise(world: World) -> None:
    old, new = GrantSigner(bytes(32)), GrantSigner(bytes(range(32)))
    probe, both = GrantProbe(world.database), GrantKeys([old.public_key, new.public_key])
    await probe.require(old, GrantKeys([old.public_key]))
    with pytest.raises(OtherGrantKeyError, match=old.public_key):
        await probe.require(new, GrantKeys([new.public_key]))
    await probe.require(new, both)
    await probe.replace(new)
    await probe.require(new, GrantKeys([new.public_key]))


async def test_an_issuer_has_one_active_and_one_next_key_whatever_any_code_believes(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)
    await keys.create("wattle", KeyState.NEXT, NOW)
    await keys.create("banksia", KeyState.ACTIVE, NOW)
    for state in ("active", "next"):
        with pytest.raises(DuplicateKeyError):
            await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": state})
    await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": "retired"})


async def test_activating_changes_both_keys_or_none(world: World) -> None:
    keys, repository = world.signing_keys(), SigningKeyRepository(world.client, world.database)
    old, _ = await keys.create("wattle", KeyState.ACTIVE, NOW)
    new, _ = await keys.create("wattle", KeyState.NEXT, NOW)
    before = await repository.of_issuer("wattle")
    await repository.mark_published(before)
    published = await repository.of_issuer("wattle")
    change = states.activate(published, new.key_id, NOW + timedelta(days=1))
    results = await asyncio.gather(*(repository.update(published, change) for _ in range(4)))
    assert sorted(results) == [False] * 3 + [True]
    assert {each.key_id: each.state for each in await repository.of_issuer("wattle")} == {
        old.key_id: KeyState.RETIRING,
        new.key_id: KeyState.ACTIVE,
    }
    assert not await repository.update(published, states.distrust(published, old.key_id, NOW, NOW)), "it has changed"
    assert (await repository.active("wattle") or [None])[0] == replace(change[1], published=False)


async def test_what_another_process_distrusts_signs_no_batch_more(world: World) -> None:
    ours, theirs = world.signing_keys(), world.signing_keys()
    repository = SigningKeyRepository(world.client, world.database)
    old, _ = await ours.create("wattle", KeyState.ACTIVE, NOW)
    new, _ = await ours.create("wattle", KeyState.NEXT, NOW)
    await repository.mark_published(await repository.of_issuer("wattle"))
    signer = CredentialSigner(theirs, URLS, IDS)
    await signer.open_keys({"wattle"})
    assert (await theirs.key("wattle")).public_multibase == old.key_id
    keys = await repository.of_issuer("wattle")
    assert await repository.update(keys, states.distrust(keys, old.key_id, NOW, NOW))
    await signer.open_keys({"wattle"})
    assert (await theirs.key("wattle")).public_multibase == new.key_id


async def test_really_signed_credentials_are_stored_byte_for_byte(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)

    texts: list[str | CredentialError] = []

    class Watched(CredentialSigner):
        async def credentials(self, *given: Any) -> list[str | CredentialError]:
            texts.extend(await super().credentials(*given))
            return list(texts)

    await world.worker(signer=Watched(keys, URLS, IDS)).handle(received([evidence(1)]))
    assert [each["document"] for each in await world.stored("credentials")] == texts


def authority(world: World) -> Authority:
    """A process of its own; what it publishes arrives at once."""
    known = Catalogue(world.database)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        await world.publish(outgoing)
        await known.store_authority([each.event for each in outgoing if isinstance(each.event, AuthorityPublished)])

    audit, keys = AuditLog(world.database), SigningKeyRepository(world.client, world.database)
    versions = Publications(
        world.database, catalogue=known, audit=audit, arrivals=Arrivals(), publish=publish, clock=lambda: NOW
    )
    return Authority(
        catalogue=known,
        publications=versions,
        signing_keys=world.signing_keys(),
        keys=keys,
        audit=audit,
        urls=URLS,
        clock=lambda: NOW,
    )


async def test_the_authority_publishes_one_key_of_its_own_before_it_signs_whoever_asks_first(world: World) -> None:
    processes = [authority(world) for _ in range(4)]
    answers = await asyncio.gather(*(each.signing_key() for each in processes))
    (stored,) = await world.stored("signing_keys")
    assert {(did, key.public_multibase) for did, key in answers} == {("did:web:badges.example", stored["_id"])}
    assert (stored["issuer_id"], stored["published"]) == ("authority", True)
    versions = {each.event for each in world.published if isinstance(each.event, AuthorityPublished)}
    assert [each.version for each in versions] == [1]
    assert stored["_id"] in next(iter(versions)).did_document


@pytest.mark.parametrize("lost", [["signing_keys"], ["signing_keys", "publications"]])
async def test_no_key_is_made_for_an_authority_that_has_published_one(world: World, lost: list[str]) -> None:
    await authority(world).signing_key()
    for each in lost:
        await world.database[each].delete_many({})
    with pytest.raises(KeyUnavailableError, match="authority"):
        await authority(world).signing_key()
    assert await world.stored("signing_keys") == []
