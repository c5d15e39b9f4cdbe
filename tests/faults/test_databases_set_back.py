"""Databases put back to an earlier moment, with Kafka as it is and nobody told: what was published holds."""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from deploy.embedded.stack import Stack
from libs.common.failpoints import Name, Order, read_orders, write_orders
from libs.contracts import topics
from libs.contracts.results import SoloLevel
from libs.openbadges.status.bitstring import StatusList
from tests.faults import promises
from tests.faults.hurried import order_file
from tests.faults.scenario import SERVICES, Keeper
from tests.faults.school import HTTP, Row, SchoolClient, make_rows
from tests.topic_reading import ends_of

pytestmark = [pytest.mark.integration, pytest.mark.fault]

NAME, LATER = "set-back", "founded-later"
ROWS, BATCH, MAILED_ONE_IN = 800, 200, 5
OF_ADOPTION: tuple[Name, ...] = (
    "issuer.adopting.2",
    "issuer.adopting.3.some",
    "issuer.adopting.3",
    "issuer.adopting.4",
)


def until(problem: str, holds: Callable[[], Any]) -> None:
    give_up_at = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < give_up_at, problem
        time.sleep(0.2)


def decided(school: SchoolClient, batch_id: str) -> None:
    until(f"{batch_id} is not decided", lambda: school.batch(batch_id)["complete"])


class Copies:
    """Cold copies of the database server's files, with everything else left as it is."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._copy = stack.layout.mongodb.with_name("mongodb-copy")

    def make(self) -> None:
        self._stack.stop("mongodb")
        shutil.copytree(self._stack.layout.mongodb, self._copy, ignore=shutil.ignore_patterns("*.sock"))
        self._stack.start("mongodb")

    def put_back(self) -> None:
        self._stack.stop("mongodb")
        shutil.rmtree(self._stack.layout.mongodb)
        shutil.copytree(self._copy, self._stack.layout.mongodb)
        self._stack.start("mongodb")


class Groups:
    """The offsets of every consumer group as they are now, for somebody to set them back to."""

    def __init__(self, stack: Stack) -> None:
        self._admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
        groups = [each.group_id for each in self._admin.list_consumer_groups().result().valid]
        found = [
            self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(each)])[each].result()
            for each in groups
        ]
        self._offsets = [each for each in found if each.topic_partitions]

    def set_back(self) -> None:
        """Set them back; nobody may consume meanwhile."""
        for each in self._offsets:
            self._admin.alter_consumer_group_offsets([each])[each.group_id].result()


def credentials(stack: Stack) -> dict[UUID, Any]:
    fields = (
        *("document", "state", "status_list", "status_index", "issued_at", "revoked_at", "revocation_reason"),
        *("supersedes", "superseded_by"),
    )
    with promises.databases(stack) as client:
        found = client["issuer"]["credentials"].find({"issuer_id": {"$in": [NAME, LATER]}})
        return {each["_id"]: tuple(each.get(name) for name in fields) for each in found}


def shown(stack: Stack) -> dict[UUID, Any]:
    with promises.databases(stack) as client:
        found = client["verifier"]["documents"].find({"issuer_id": {"$in": [NAME, LATER]}})
        return {each["_id"]: (each["document"], each["state"]) for each in found}


def decisions(stack: Stack) -> dict[bytes, Any]:
    with promises.databases(stack) as client:
        found = client["issuer"]["decisions"].find({"issuer_id": {"$in": [NAME, LATER]}})
        fields = ("outcome", "reason", "credential_id", "decided_at", "decided_by", "rule_version", "owns_evidence")
        return {each["_id"]: tuple(each.get(name) for name in fields) for each in found}


def half_refused(school: SchoolClient) -> str:
    """Send a file of two rows, of which one is refused where it comes in: nothing else is on Kafka of that."""
    rows = [Row("", 2_001, SoloLevel.RELATIONAL), Row("good", 2_001, SoloLevel.RELATIONAL)]
    (batch_id,) = school.send(rows, len(rows), MAILED_ONE_IN, name="-faulty")
    assert school.batch(batch_id)["counts"]["refused"] == 1
    return batch_id


def answers(stack: Stack, school: SchoolClient, batches: list[str]) -> tuple[list[Any], list[Any]]:
    """Return what is answered about each batch and its refused rows, and the rows as they are kept with comments."""
    paths = [path for each in batches for path in (f"/v1/batches/{each}", f"/v1/batches/{each}/rows?state=refused")]
    asked = [HTTP.get(stack.url("evidence") + path, headers=school.headers) for path in paths]
    with promises.databases(stack) as client:
        of_batches = {"batch_id": {"$in": list(map(UUID, batches))}}
        kept = list(client["evidence"]["row_blocks"].find(of_batches).sort("_id", 1))
    return [(answer.status_code, answer.json()) for answer in asked], kept


def set_bits(stack: Stack) -> set[tuple[str, int]]:
    """Return the entries that the verifier's lists show as revoked, of those that credentials of these schools have."""
    with promises.databases(stack) as client:
        lists = {
            each["_id"]: StatusList.decode(json.loads(each["credential"])["credentialSubject"]["encodedList"])
            for each in client["verifier"]["status_lists"].find({})
        }
    entries = {(known[2], known[3]) for known in credentials(stack).values()}
    return {(name, index) for name, index in entries if name in lists and lists[name].get(index)}


def make_key(stack: Stack) -> tuple[str, str]:
    """Return the id of a new key of the school, and the key."""
    url, admin = f"{stack.url('issuer')}/v1/issuers/{NAME}/keys", {"authorization": f"Bearer {stack.admin_key}"}
    asked = {"name": "To be withdrawn", "scopes": ["evidence:read"]}
    made = httpx.post(url, headers=admin, json=asked, timeout=60).raise_for_status().json()
    return made["id"], made["key"]


def withdraw(stack: Stack, key_id: str) -> None:
    url, admin = f"{stack.url('issuer')}/v1/issuers/{NAME}/keys", {"authorization": f"Bearer {stack.admin_key}"}
    httpx.delete(f"{url}/{key_id}", headers=admin, timeout=60).raise_for_status()


def answered(stack: Stack, key: str, batch_id: str) -> int:
    """Return how the evidence service answers who asks about a batch with this key; 0 where it does not."""
    try:
        url = f"{stack.url('evidence')}/v1/batches/{batch_id}"
        return HTTP.get(url, headers={"authorization": f"Bearer {key}"}, timeout=60).status_code
    except httpx.TransportError:
        return 0


def first_answer(stack: Stack, key: str, batch_id: str) -> int:
    """Return how it answers at last, once it does; until then that it is unavailable."""
    give_up_at = time.monotonic() + 120
    while (status := answered(stack, key, batch_id)) in {0, 503}:
        assert time.monotonic() < give_up_at, "nothing is answered"
        time.sleep(0.1)
    return status


def never_shown_as_good(stack: Stack, document: str) -> None:
    """Verify a revoked badge again and again until it is told so; meanwhile it may be unknown, and never good."""
    give_up_at, verdict = time.monotonic() + 120, "none"
    while verdict != "fail":
        time.sleep(0.1)
        assert time.monotonic() < give_up_at, f"it is {verdict}"
        try:
            sent = {"content-type": "application/json"}
            answer = HTTP.post(f"{stack.url('verifier')}/v1/verify", content=document, headers=sent, timeout=60)
        except httpx.TransportError:
            continue
        verdict = answer.json()["verdict"] if answer.status_code == 200 else "none"
        assert answer.status_code in {200, 503}, answer.text
        assert verdict != "pass", "a revoked badge is shown as good"


def mailbox(stack: Stack) -> Counter[str]:
    """Return how often each mail went out, by the delivery's id."""
    return Counter(path.name.split("@")[0] for path in stack.layout.mail.iterdir() if path.suffix == ".eml")


def held_deliveries(stack: Stack) -> list[UUID]:
    with promises.databases(stack) as client:
        found = client["notifier"]["deliveries"].find({"issuer_id": {"$in": [NAME, LATER]}})
        return [each["_id"] for each in found if each["state"] == "may_have_been_sent"]


def earn_again(school: SchoolClient, row: Row) -> None:
    """Let a learner whose badge was revoked earn it by another piece of evidence."""
    (batch_id,) = school.send([replace(row, source_id="again")], 1, MAILED_ONE_IN, name="-again")
    decided(school, batch_id)
    assert school.batch(batch_id)["counts"]["issued"] == 1


def row_of(stack: Stack, batches: list[str], credential_id: UUID) -> int:
    """Return which row of what was sent first earned the credential."""
    with promises.databases(stack) as client:
        row = client["evidence"]["rows"].find_one({"credential_id": credential_id, "state": "issued"})
    assert row is not None
    return batches.index(str(row["batch_id"])) * BATCH + int(row["row"]) - 1


def mails_are_sent(stack: Stack) -> bool:
    """Return whether the notifier knows of all that was announced, and all mails went out.

    Those that tell of the end of a badge whose own mail is held do not.
    """
    group, admin = "notifier-lifecycle", AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    read = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result().topic_partitions
    known = {(each.topic, each.partition): each.offset for each in read}
    ends = asyncio.run(ends_of(stack.kafka_bootstrap, [topics.CREDENTIAL_LIFECYCLE]))
    if any(known.get((each.topic, each.partition), 0) < end for each, end in ends.items()):
        return False
    held = set(held_deliveries(stack))
    with promises.databases(stack) as client:
        open_states = {"issuer_id": {"$in": [NAME, LATER]}, "state": {"$in": ["pending", "sending"]}}
        return all(each.get("follows") in held for each in client["notifier"]["deliveries"].find(open_states))


def go_on(
    stack: Stack, school: SchoolClient, founded: SchoolClient, truth: dict[UUID, Any], revoked_next: UUID
) -> None:
    """The schools go on: what they send is new, and earns no entry of a list that another credential has."""
    in_force = {(known[2], known[3]) for known in truth.values() if known[1] == "revoked"}
    until("revocations are not in force", lambda: set_bits(stack) == in_force)
    new = [Row(f"new-{number}", 1_000 + number, SoloLevel.RELATIONAL) for number in range(40)]
    (goes_on,) = founded.send(new, len(new), 1_000_000, name="-new")
    decided(founded, goes_on)
    now = credentials(stack)
    assert len(now) == len(truth) + 40
    assert len({known[2:4] for known in now.values()}) == len(now), "an index was given twice"
    assert {each: known for each, known in now.items() if each in truth} == truth
    lists = {known[2] for known in truth.values()}
    assert lists.isdisjoint(known[2] for each, known in now.items() if each not in truth), "an old list is filled"
    # A revocation takes effect at once, also of a credential from before.
    school.revoke(str(revoked_next))
    in_force.add(truth[revoked_next][2:4])
    until("the revocation is not in force", lambda: set_bits(stack) == in_force)


def tell(stack: Stack, school: SchoolClient) -> None:
    """Have the school earn a badge for a learner with an address: what is new goes out."""
    before = mailbox(stack)
    (batch_id,) = school.send([Row("told", 3_000, SoloLevel.RELATIONAL)], 1, 1, name="-told")
    decided(school, batch_id)
    until("what is new does not go", lambda: (mailbox(stack) - before).total() == 1)


def replace_two(school: SchoolClient, awarded: dict[UUID, Row]) -> None:
    """Award two badges in the place of others at the same level, of learners without an address."""
    unmailed = {each: row for each, row in awarded.items() if row.learner % MAILED_ONE_IN}
    highest = [each for each, row in unmailed.items() if row.level is SoloLevel.EXTENDED_ABSTRACT]
    for number, each in enumerate(highest[:2]):
        headers = {"idempotency-key": f"right-{number}", "content-type": "application/json"}
        right = Row(f"right-{number}", unmailed[each].learner, unmailed[each].level).json(1_000_000)
        batch = school.submit(f"/v1/awards?reason=correction&supersedes={each}", headers, right)
        decided(school, batch)
        assert school.batch(batch)["counts"]["issued"] == 1


def set_back_with_all_groups(
    stack: Stack, copies: Copies, groups: Groups, founded: SchoolClient, was_decided: dict[bytes, Any]
) -> None:
    """Put the databases back while nothing runs, and every group to that moment too: nothing is harmed either."""
    truth, mails, bits = credentials(stack), mailbox(stack), set_bits(stack)
    stack.stop(*SERVICES)
    copies.put_back()
    groups.set_back()
    revoked = next(known[0] for known in truth.values() if known[1] == "revoked")
    with Keeper(stack):
        never_shown_as_good(stack, revoked)
        until("credentials differ from what was published", lambda: credentials(stack) == truth)
        until("decisions differ from what was published", lambda: was_decided.items() <= decisions(stack).items())
        until("the verifier differs", lambda: shown(stack) == {each: known[:2] for each, known in truth.items()})
        until("revocations are not in force", lambda: set_bits(stack) == bits)
        for credential_id in list(truth)[::20]:
            assert HTTP.get(f"{stack.url('verifier')}/badges/{credential_id}").status_code == 200
        # The school that the copy knows nothing of goes on issuing.
        (goes_on,) = founded.send([Row("last", 3_001, SoloLevel.RELATIONAL)], 1, 1_000_000, name="-last")
        decided(founded, goes_on)
        assert founded.batch(goes_on)["counts"]["issued"] == 1
        until("mails are on their way", lambda: mails_are_sent(stack))
    assert mailbox(stack) == mails
    assert {str(each) for each in held_deliveries(stack)} & mails.keys(), "what was sent after the copy is held"


def test_databases_that_are_put_back_take_up_what_was_published_and_nothing_is_harmed(stack: Stack) -> None:
    rows = make_rows(ROWS, seed=31)
    copies = Copies(stack)
    with Keeper(stack):
        school = SchoolClient(stack, NAME)
        sent = list(school.send(rows[: ROWS // 2], BATCH, MAILED_ONE_IN))
        for batch_id in sent:
            decided(school, batch_id)
        until("mails are on their way", lambda: mails_are_sent(stack))
        before = credentials(stack)
        key_id, key = make_key(stack)
        until("the key has not arrived", lambda: answered(stack, key, sent[0]) == 200)
        groups = Groups(stack)
        copies.make()

        acknowledged = [
            *sent,
            *school.send(rows[ROWS // 2 :], BATCH, MAILED_ONE_IN, name="-later"),
            half_refused(school),
        ]
        for batch_id in acknowledged:
            decided(school, batch_id)
        issued = credentials(stack).keys()
        later = sorted(issued - before.keys())
        # Of the highest level, so that its learner holds nothing that keeps it from being earned anew.
        rows_of = {each: row_of(stack, sent, each) for each in sorted(before)}
        highest = next(each for each, place in rows_of.items() if rows[place].level is SoloLevel.EXTENDED_ABSTRACT)
        for credential_id in [highest, *sorted(before.keys() - {highest})[:2], *later[:5]]:
            school.revoke(str(credential_id))
        place = rows_of[highest]
        earn_again(school, rows[place])
        replace_two(
            school, {each: rows[place] for each, place in rows_of.items() if credentials(stack)[each][1] == "active"}
        )
        withdraw(stack, key_id)
        until("the key is let in", lambda: answered(stack, key, sent[0]) == 401)
        founded = SchoolClient(stack, LATER)
        for batch_id in founded.send(make_rows(50, seed=32), 50, MAILED_ONE_IN):
            decided(founded, batch_id)
        until("mails are on their way", lambda: mails_are_sent(stack))
        truth, was_decided, mails, was_answered = (
            credentials(stack),
            decisions(stack),
            mailbox(stack),
            answers(stack, school, acknowledged),
        )
        until("the verifier is behind", lambda: shown(stack) == {each: known[:2] for each, known in truth.items()})

        kills = [Order(point, passing=2 if point.endswith(".some") else 1) for point in OF_ADOPTION]
        write_orders(order_file(stack, "issuer"), kills)
        assert (before[highest][1], truth[highest][1]) == ("active", "revoked")
        copies.put_back()
        with ThreadPoolExecutor(1) as beside:
            shown_at_last = beside.submit(never_shown_as_good, stack, truth[highest][0])
            assert first_answer(stack, key, sent[0]) == 401, "a withdrawn key is let in"
            shown_at_last.result()
        until("credentials differ from what was published", lambda: credentials(stack) == truth)
        until("decisions differ from what was published", lambda: decisions(stack) == was_decided)
        until("batches differ", lambda: answers(stack, school, acknowledged) == was_answered)
        until("the verifier differs", lambda: shown(stack) == {each: known[:2] for each, known in truth.items()})
        assert len({known[2:4] for known in truth.values()}) == len(truth), "an index was given twice"
        for credential_id in list(truth)[::20]:
            assert HTTP.get(f"{stack.url('verifier')}/badges/{credential_id}").status_code == 200
        assert not read_orders(order_file(stack, "issuer")), "the issuer was not killed there"
        go_on(stack, school, founded, truth, revoked_next=later[-1])
        # Nothing is sent that may have been: an operator decides.
        until("mails are on their way", lambda: mails_are_sent(stack))
        assert mailbox(stack) == mails
        assert {str(each) for each in held_deliveries(stack)} & mails.keys(), "what was sent after the copy is held"
        tell(stack, founded)
    set_back_with_all_groups(stack, copies, groups, founded, was_decided)
