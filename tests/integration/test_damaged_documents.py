"""One stored document that somebody's hand has damaged, on the real MongoDB: it costs no other document its turn."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from bowerbird.auditing import loops
from deploy.embedded.stack import Stack
from libs.access.api_keys import ApiKeys
from libs.access.key_text import key_sha256, new_key
from libs.access.repository import KeyRepository, granting
from libs.common import mongo
from libs.common.damage import Damage
from libs.common.errors import UnauthenticatedError
from tests.keys_in_memory import grant

pytestmark = pytest.mark.integration

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)


@pytest.fixture
async def database(infrastructure: Stack) -> AsyncIterator[mongo.Database]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    name = f"damaged-{uuid4().hex}"
    yield client[name]
    await client.drop_database(name)
    await mongo.close(client)


@pytest.mark.parametrize(
    "harm",
    [
        {"$unset": {"expires_at": ""}},
        {"$unset": {"scopes": ""}},
        {"$unset": {"changed_at": ""}},
        {"$set": {"changed_at": "today"}},
        {"$set": {"withdrawal": "{}"}},
    ],
    ids=str,
)
async def test_a_damaged_api_key_alone_is_refused_and_is_told_of(
    database: mongo.Database, harm: dict[str, Any]
) -> None:
    mine, damaged = new_key(), new_key()
    await database["api_keys"].bulk_write(
        [granting(grant(each, "wattle", ["evidence:read"])) for each in (mine, damaged)]
    )
    await database["api_keys"].update_one({"_id": key_sha256(damaged)}, harm)
    repository = KeyRepository(database)
    keys = ApiKeys(repository)
    with capture_logs() as logs:
        assert (await keys.caller(mine)).issuer_id == "wattle"
        with pytest.raises(UnauthenticatedError):
            await keys.caller(damaged)
    assert {(each["collection"], each["document"]) for each in logs} == {
        (f"{database.name}.api_keys", key_sha256(damaged))
    }
    assert [each.sha256 for each in await repository.of_issuer("wattle")] == [key_sha256(mine)]
    assert await unreadable(database, "api_keys") == [key_sha256(damaged)]


async def unreadable(database: mongo.Database, collection: str) -> list[str]:
    """Return what the audit names of a collection, by id."""
    damage = Damage()
    for each in loops.READ:
        if each.collection == collection:
            await loops.look(database, each, damage)
    named = f"{database.name}.{collection} "
    assert all(each.startswith(named) for each in damage.found), damage.found
    return sorted({each.removeprefix(named).partition(":")[0].partition(",")[0] for each in damage.found})
