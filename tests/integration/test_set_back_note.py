"""The note at Kafka by which a service knows that its database is of an earlier moment, nobody having told it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.fence import Fence
from libs.common.kafka import Kafka
from libs.common.positions import Positions
from libs.common.set_back import FenceNote
from libs.common.settings import Settings
from libs.contracts import topics
from tests.ids import IDS

pytestmark = pytest.mark.integration

# No other test has this service note anything.
SERVICE = "verifier"


class World:
    """A database, whose processes come and go."""

    def __init__(self, stack: Stack, client: mongo.Client) -> None:
        self.client = client
        self.database = client[f"set-back-{uuid4().hex}"]
        self._settings = Settings(kafka_bootstrap=stack.kafka_bootstrap)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[FenceNote]:
        """A process that has just started; it stops as it should."""
        fence = Fence(self.client, self.database)
        await fence.raise_count()
        positions = Positions(self.client, self.database, fence)
        note = FenceNote(Kafka(self._settings, SERVICE, IDS.event_id), positions, fence, SERVICE)
        yield note
        await fence.raise_count()
        await note.write()
        await note.close()

    async def went_back(self) -> bool:
        async with self.process() as note:
            return await note.tells_of_set_back("documents", topics.CREDENTIAL_DOCUMENTS)


@pytest.fixture
async def world(infrastructure: Stack) -> AsyncIterator[World]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    made = World(infrastructure, client)
    async with made.process():
        pass
    yield made
    await client.drop_database(made.database.name)
    await mongo.close(client)


async def test_a_database_that_stayed_is_not_called_set_back_however_long_nothing_ran(world: World) -> None:
    assert not await world.went_back()
    fence = world.database["fence"]
    await fence.update_many({}, [{"$set": {"raised_at": {"$subtract": ["$raised_at", 1000]}}}])
    assert await world.went_back(), "the note is of a second later"
    old = (await fence.find({}).sort("raised_at", -1).to_list(None))[0]["raised_at"] - timedelta(days=40)
    await fence.delete_many({})
    await fence.insert_one({"_id": "gone", "schema": 1, "count": 9, "begun_at": old, "raised_at": old})
    async with world.process() as note:
        await note.write()
        assert not await note.tells_of_set_back("documents", topics.CREDENTIAL_DOCUMENTS)


async def test_a_database_that_was_put_back_while_nothing_ran_is_known_by_the_note(world: World) -> None:
    copy = await world.database["fence"].find({}).to_list(None)
    assert not await world.went_back()
    await world.database["fence"].delete_many({})
    await world.database["fence"].insert_many(copy)
    assert await world.went_back()
    await world.database["fence"].delete_many({})
    assert await world.went_back(), "an empty one is of an earlier moment still"
