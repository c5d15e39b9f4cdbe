"""After a whole Values Week, every stored document says which version of its schema it follows."""

from collections import Counter

import pytest
from pymongo import MongoClient

from bowerbird.registry import NAMES
from deploy.embedded.stack import Stack
from tests.e2e.conftest import FirstRun

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("service", NAMES)
def test_every_document_carries_its_schema_version(stack: Stack, first_run: FirstRun, service: str) -> None:
    without: Counter[str] = Counter()
    with MongoClient[dict[str, object]](stack.mongo_url) as client:
        database = client[service]
        collections = database.list_collection_names()
        for name in collections:
            without[name] = database[name].count_documents({"schema": {"$not": {"$type": "number"}}})
    assert collections
    assert not +without
