"""What the interoperability instances remember is the same in memory and in a real MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from conformance.issuing.store import Entry, InteropStore, MemoryInterop, MongoInterop
from deploy.embedded.stack import Stack
from libs.common import mongo
from services.issuer.keys.signing_keys import FileKeyEncryption

pytestmark = pytest.mark.integration

ENTRY = Entry("revocation", "interop.revocation.0", 94567)
Open = Callable[[], InteropStore]


@pytest.fixture(params=["memory", "mongodb"])
async def reopened(request: pytest.FixtureRequest, infrastructure: Stack) -> AsyncIterator[Open]:
    """Opens the same store each time that it is called."""
    if request.param == "memory":
        only = MemoryInterop()
        yield lambda: only
        return
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"interop-{uuid4().hex[:12]}"]
    yield lambda: MongoInterop(database, FileKeyEncryption(b"k" * 32))
    await client.drop_database(database.name)
    await mongo.close(client)


async def test_the_secrets_are_made_once(reopened: Open) -> None:
    first, second = await asyncio.gather(reopened().secrets(), reopened().secrets())
    assert first == second == await reopened().secrets()
    assert {len(first.ed25519), len(first.p256), len(first.indexes)} == {32}


async def test_no_number_is_given_twice(reopened: Open) -> None:
    taken = await asyncio.gather(*(reopened().take_number("revocation") for _ in range(20)))
    assert sorted(taken) == list(range(20))
    assert await reopened().take_number("suspension") == 0


async def test_a_credential_is_found_with_the_entries_noted_last(reopened: Open) -> None:
    assert list(await reopened().entries("urn:x:1")) == []
    await reopened().remember("urn:x:1", [Entry("revocation", "interop.revocation.0", 1)])
    await reopened().remember("urn:x:1", [ENTRY])
    assert list(await reopened().entries("urn:x:1")) == [ENTRY]


async def test_a_list_has_what_was_set_and_a_version_that_grows(reopened: Open) -> None:
    assert await reopened().list_state(ENTRY.list_id) == (0, frozenset())
    await reopened().set(ENTRY.list_id, 7, value=True)
    await reopened().set(ENTRY.list_id, 9, value=True)
    assert await reopened().list_state(ENTRY.list_id) == (2, frozenset({7, 9}))
    await reopened().set(ENTRY.list_id, 7, value=False)
    assert await reopened().list_state(ENTRY.list_id) == (3, frozenset({9}))
