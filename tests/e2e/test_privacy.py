"""After a whole Values Week, no name and no address of a learner stands anywhere but where they belong."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from bson import encode
from pymongo import MongoClient

from demo.data import Department, department
from demo.names import TEACHERS
from deploy.embedded.stack import Stack
from libs.common.authority_secret import AuthoritySecret
from libs.contracts import topics
from libs.contracts.ids import Ids
from libs.contracts.topics import Topic
from tests.e2e.conftest import SERVICES, FirstRun
from tests.ids import ids_of
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


def written_by_teachers(data: Department) -> set[bytes]:
    """Every line of a comment, and who assessed: for the school alone."""
    comments = {
        each.values.get("comment", "") for school in data.schools for file in school.files for each in file.rows
    }
    lines = {line for comment in comments for line in comment.splitlines() if len(line) > 5}
    assessors = {teacher for school in TEACHERS.values() for teacher in school}
    return {text.encode(form) for text in lines | assessors for form in ("utf-8", "unicode_escape")}


def found_in(content: bytes, words: set[bytes]) -> list[bytes]:
    return [word for word in words if word in content]


@dataclass(frozen=True)
class Known:
    """What an outsider may know: the learners by school and number there, and what was awarded at which levels."""

    learners: set[tuple[str, str]]
    awards: set[tuple[str, str | None]]

    def badges(self, ids: Ids) -> set[UUID]:
        """The ids of all badges that these learners may have, under these keys."""
        learners = {ids.learner_id(*each) for each in self.learners}
        return {ids.credential_id(learner, *award) for learner in learners for award in self.awards}


def written_on(stack: Stack, topic: Topic) -> bytes:
    parts = []
    for record in asyncio.run(everything_on(stack.kafka_bootstrap, topic)):
        parts += [b"%r %r %r" % (record.key, record.value, record.headers), record.value or b""]
    return b"\n".join(parts)


def test_logs_and_metrics_name_nobody_and_hold_nothing_that_teachers_wrote(stack: Stack, first_run: FirstRun) -> None:
    words = personal(department()) | written_by_teachers(department())
    for store in ("mongodb", "kafka"):
        assert found_in(stack.log(store).read_bytes(), words) == [], f"the log of {store}"
    for service in SERVICES[1:]:
        assert found_in(stack.log(service).read_bytes(), words) == [], f"the log of {service}"
        metrics = httpx.get(stack.metrics_url(service), trust_env=False).content
        assert b"bowerbird_" in metrics
        assert found_in(metrics, words) == [], f"the metrics of {service}"


@pytest.mark.parametrize("topic", OPEN_TOPICS, ids=lambda topic: topic.name)
def test_no_topic_but_the_restricted_one_names_anybody_and_none_holds_what_teachers_wrote(
    stack: Stack, first_run: FirstRun, topic: Topic
) -> None:
    assert found_in(written_on(stack, topic), personal(department()) | written_by_teachers(department())) == []


def test_no_collection_but_the_contacts_names_anybody(stack: Stack, first_run: FirstRun) -> None:
    words = personal(department())
    with MongoClient[dict[str, object]](stack.mongo_url) as client:
        for database in ("evidence", "issuer", "verifier", "notifier"):
            for collection in client[database].list_collection_names():
                content = b"".join(encode(each) for each in client[database][collection].find())
                names = found_in(content, words)
                assert bool(names) == ((database, collection) == ("notifier", "contacts")), f"{database}.{collection}"


def test_neither_partners_nor_the_public_see_an_id_of_a_learner_or_an_upload(stack: Stack, first_run: FirstRun) -> None:
    with MongoClient[dict[str, Any]](stack.mongo_url, uuidRepresentation="standard") as client:
        credentials = list(client["issuer"]["credentials"].find({}, {"document": 0}))
        documents = [
            each["document"].encode() for each in client["verifier"]["documents"].find({}) if each.get("document")
        ]
    inner = {str(each[name]).encode() for each in credentials for name in ("learner_id", "holding_id", "batch_id")}
    partners = [written_on(stack, topic) for topic in topics.TOPICS if topic.for_partners]
    assert len(inner) > len(credentials) > 0
    assert any(str(credentials[0]["_id"]).encode() in read for read in partners)
    assert len(documents) == sum(each.get("taken_down_at") is None for each in credentials)
    assert found_in(b"\n".join([*documents, *partners]), inner) == []


def test_who_has_the_code_and_the_schools_own_lists_finds_no_badge(stack: Stack, first_run: FirstRun) -> None:
    with MongoClient[dict[str, Any]](stack.mongo_url, uuidRepresentation="standard") as client:
        credentials = list(client["issuer"]["credentials"].find({}, {"document": 0}))
    issued = {each["_id"] for each in credentials}
    known = Known(
        learners={(school.id, learner.local_id) for school in department().schools for learner in school.learners},
        awards={(each["achievement"].rpartition("/")[0], each.get("level")) for each in credentials},
    )
    assert not issued & known.badges(Ids(lambda _: b""))
    assert not issued & known.badges(Ids(AuthoritySecret(bytes(32)).key))
    # With the secret they are found: what is tried is right, and only the key is missing.
    assert issued & known.badges(ids_of(stack))
