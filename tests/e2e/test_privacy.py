"""After a whole Values Week, no name and no address of a learner stands anywhere but where they belong."""

import asyncio
import base64

import httpx
import pytest
from bson import encode
from pymongo import MongoClient

from demo.data import Department, department
from demo.names import TEACHERS
from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.topics import Topic
from tests.e2e.conftest import SERVICES, FirstRun
from tests.topic_reading import everything_on

pytestmark = pytest.mark.integration

OPEN_TOPICS = [topic for topic in topics.TOPICS if topic is not topics.LEARNER_CONTACTS]


def personal(data: Department) -> set[bytes]:
    """Every name and address in the data, also as JSON escapes it and as base64 would hide it (at no offset)."""
    learners = [learner for school in data.schools for learner in school.learners]
    texts = {text for each in learners for text in (each.name, each.email) if len(text) > 5}
    # A teacher may bear the only name of a learner, and who assessed what is kept with the evidence.
    texts -= {text for text in texts if any(text in teacher for school in TEACHERS.values() for teacher in school)}
    plain = {text.encode() for text in texts}
    escaped = {text.encode("unicode_escape") for text in texts}
    return plain | escaped | {base64.b64encode(text.encode()).rstrip(b"=")[:-1] for text in texts}


def found_in(content: bytes, words: set[bytes]) -> list[bytes]:
    return [word for word in words if word in content]


def written_on(stack: Stack, topic: Topic) -> bytes:
    parts = []
    for record in asyncio.run(everything_on(stack.kafka_bootstrap, topic)):
        parts += [b"%r %r %r" % (record.key, record.value, record.headers), record.value or b""]
    return b"\n".join(parts)


def test_logs_and_metrics_name_nobody(stack: Stack, first_run: FirstRun) -> None:
    words = personal(department())
    for service in SERVICES[1:]:
        assert found_in(stack.log(service).read_bytes(), words) == [], f"the log of {service}"
        metrics = httpx.get(stack.metrics_url(service), trust_env=False).content
        assert b"bowerbird_" in metrics
        assert found_in(metrics, words) == [], f"the metrics of {service}"


@pytest.mark.parametrize("topic", OPEN_TOPICS, ids=lambda topic: topic.name)
def test_no_topic_but_the_restricted_one_names_anybody(stack: Stack, first_run: FirstRun, topic: Topic) -> None:
    assert found_in(written_on(stack, topic), personal(department())) == []


def test_no_collection_but_the_contacts_names_anybody(stack: Stack, first_run: FirstRun) -> None:
    words = personal(department())
    with MongoClient[dict[str, object]](stack.mongo_url) as client:
        for database in ("evidence", "issuer", "verifier", "notifier"):
            for collection in client[database].list_collection_names():
                content = b"".join(encode(each) for each in client[database][collection].find())
                names = found_in(content, words)
                assert bool(names) == ((database, collection) == ("notifier", "contacts")), f"{database}.{collection}"
