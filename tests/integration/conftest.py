"""The issuer's database, made for each test."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.embedded.stack import Stack
from libs.common import mongo
from services.issuer.catalogue import publications
from services.issuer.catalogue import repository as catalogue_repository
from services.issuer.credentials import repository as credential_repository
from services.issuer.decisions import repository as decision_repository
from services.issuer.keys import repository as signing_key_store
from services.issuer.status import repository as status_repository
from tests.issuer_world import World


@pytest.fixture
async def world(infrastructure: Stack) -> AsyncIterator[World]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"issuer_{uuid4().hex}"]
    indexes = [
        *decision_repository.INDEXES,
        *credential_repository.INDEXES,
        *status_repository.INDEXES,
        *signing_key_store.INDEXES,
        *catalogue_repository.INDEXES,
        *publications.INDEXES,
    ]
    await mongo.create_indexes(database, indexes)
    yield World(client, database)
    await client.drop_database(database.name)
    await mongo.close(client)
