"""The worst day, by the runbook: its commands bring back everything, when MongoDB is lost and when Kafka's disk is."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import UUID

import pytest

from bowerbird.auditing.mailbox import mails_in
from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from libs.audit.entry import Action
from libs.contracts import topics
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusList
from tests.faults import picture
from tests.faults.drill import erase, rest
from tests.faults.in_flight import InFlight
from tests.faults.picture import Picture
from tests.faults.promises import databases
from tests.faults.scenario import SERVICES, Scenario
from tests.faults.school import HTTP, REQUIRED, Row, SchoolClient
from tests.topic_reading import everything_on
from tests.waiting import eventually

RUNBOOK = (SOURCE_ROOT / "docs/runbooks/restore.md").read_text(encoding="utf-8")
BOWERBIRD = f'bowerbird() {{ {sys.executable} -m bowerbird "$@"; }}'
LOOK = "bowerbird audit promises\n"


def blocks(section: str) -> list[str]:
    """Return the commands below a heading."""
    text = RUNBOOK.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [dedent(block) for block in re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)]


class Operator:
    """Runs what the runbook says, as it stands there."""

    def __init__(self, stack: Stack, backup: Path) -> None:
        own = {**stack.environment("issuer"), "PYTHONPATH": str(SOURCE_ROOT), "BACKUP": str(backup)}
        self._environment = {**os.environ, **own}

    def run(self, block: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"set -eu\n{BOWERBIRD}\n{block}"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout


def follow(section: str, stack: Stack, operator: Operator) -> None:
    """Do as a section says; it ends with a look, before which the services are started and catch up."""
    *steps, look = blocks(section)
    assert look == LOOK
    for step in steps:
        operator.run(step)
    stack.start(*SERVICES)
    assert rest(stack, 2.0)
    operator.run(look)


def audited(stack: Stack) -> set[str]:
    """Return what the issuer service's audit log has entries of."""
    with databases(stack) as client:
        return set(client["issuer"]["audit"].distinct("action"))


def harm(before: Picture, stack: Stack, in_flight: InFlight | None = None) -> list[str]:
    after = picture.take(stack)
    entries, *_ = picture.lost(before, after)
    more = {} if in_flight is None else in_flight.more(before, after)
    return [*map(str, picture.differences(before, after, more)), *([] if entries.split()[0] == "0" else [entries])]


@pytest.mark.timeout(600)
def test_the_runbook_brings_back_what_was_acknowledged_whichever_store_is_lost(stack: Stack, tmp_path: Path) -> None:
    operator = Operator(stack, tmp_path / "backup")
    Scenario(stack, "restored", 41, evidence=200, batches=1).run()
    assert rest(stack, 2.0)
    for block in blocks("Every night"):
        operator.run(block)
    Scenario(stack, "since", 42, evidence=200, batches=1).run()
    in_flight = InFlight(stack, "in-flight", answered=30, long_file=1000)
    assert rest(stack, 2.0)

    before = picture.take(stack)
    in_flight.begin()
    stack.lose("mongodb")
    for name in SERVICES:
        stack.kill(name)
    in_flight.end()
    stack.start("mongodb")
    follow("MongoDB is lost", stack, operator)
    assert not in_flight.harm()
    in_flight.repeat()
    assert rest(stack, 2.0)
    assert not in_flight.harm()
    assert not harm(before, stack, in_flight)
    look, decide = blocks("Mails that are held")
    assert "also of what comes" not in operator.run(look), "Kafka has what was decided"
    operator.run(decide)
    with databases(stack) as client:
        assert client["notifier"]["deliveries"].count_documents({"state": "may_have_been_sent"}) == 0

    before = picture.take(stack)
    for name in SERVICES:
        stack.kill(name)
    stack.lose("kafka")
    stack.start("kafka")
    follow("Kafka's disk is lost", stack, operator)
    assert not harm(before, stack)
    # Nobody is called to publish again what the runbook has published again.
    assert "bowerbird_issuer_topics_made_anew 0.0\n" in HTTP.get(stack.metrics_url("issuer")).text
    assert audited(stack) >= {Action.DATABASES_BACKED_UP, Action.DATABASES_RESTORED, Action.TOPICS_REPUBLISHED}


def test_what_one_store_loses_is_named_and_comes_back_by_repairing(stack: Stack, tmp_path: Path) -> None:
    operator, name = Operator(stack, tmp_path / "backup"), "repaired"
    Scenario(stack, name, 43, evidence=100, batches=1).run()
    assert rest(stack, 2.0)
    with databases(stack) as client:
        shown = client["verifier"]["documents"].find_one_and_delete({"issuer_id": name})
        row = client["evidence"]["rows"].find_one_and_delete({"issuer_id": name, "state": "not_yet"})
        mail = client["notifier"]["deliveries"].find_one_and_delete({"issuer_id": name})
        textless = client["verifier"]["documents"].find_one_and_update(
            {"issuer_id": name}, {"$unset": {"document": ""}}
        )
        other = {"issuer_id": name, "_id": {"$nin": [each["_id"] for each in (shown, textless) if each]}}
        free = {"$set": {"status_list": "1-1", "status_index": 7}}
        placed = client["issuer"]["credentials"].find_one_and_update(other, free)
    assert shown and row and mail and textless and placed
    look, repair = "bowerbird audit promises --grace 0 --json", "bowerbird audit promises --grace 0 --json --repair"
    found = json.loads(operator.run(f"{repair} || test $? = 1"))
    assert {str(shown["_id"]), str(textless["_id"])} <= {*found["examples"]["badges_differ"]}
    assert found["examples"]["entries_differ"] == [str(placed["_id"])]
    assert f"batch {row['batch_id']}, row {row['row']}, decision 1" in found["examples"]["rows_differ"]
    assert str(mail["credential_id"]) in found["examples"]["deliveries_missing"]
    assert Action.TOPICS_REPAIRED in audited(stack)
    assert rest(stack, 2.0)
    left = json.loads(operator.run(f"{look} || test $? = 1"))["examples"]
    for check in ("badges_differ", "entries_differ", "documents_unreadable", "rows_differ", "deliveries_missing"):
        assert check not in left
    with databases(stack) as client:
        assert client["verifier"]["documents"].find_one({"_id": textless["_id"]}) == textless
        assert client["issuer"]["credentials"].find_one({"_id": placed["_id"]}) == placed


def test_one_damaged_document_is_named_and_ends_no_command(stack: Stack, tmp_path: Path) -> None:
    operator, name = Operator(stack, tmp_path / "backup"), "damaged"
    Scenario(stack, name, 45, evidence=20, batches=1).run()
    assert rest(stack, 2.0)
    harm: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "achievements": ({"owner": name}, {"$set": {"event": "{"}}),
        "credentials": ({"issuer_id": name}, {"$unset": {"status_index": ""}}),
        "signing_keys": ({"issuer_id": name}, {"$set": {"sealed": bytes(72)}}),
    }
    with databases(stack) as client:
        before: dict[str, dict[str, Any]] = {
            each: client["issuer"][each].find_one_and_update(*change) or {} for each, change in harm.items()
        }
    found = json.loads(operator.run("bowerbird audit promises --grace 0 --json --repair || test $? = 1"))["examples"]
    for collection in ("achievements", "credentials"):
        named = f"issuer.{collection} {before[collection]['_id']}, of {name}: "
        assert any(each.startswith(named) for each in found["documents_unreadable"]), found
    (key,) = (each for each in found["key_copies_differ"] if before["signing_keys"]["_id"] in each)
    assert "which of the two is right is not known" in key
    told = operator.run("bowerbird republish --yes 2>&1 || test $? = 1")
    assert f"left out, since it cannot be read: issuer.achievements {before['achievements']['_id']}, of {name}" in told
    assert "credentials, with what partners read" in told
    with databases(stack) as client:
        for each, document in before.items():
            client["issuer"][each].replace_one({"_id": document["_id"]}, document)
    left = json.loads(operator.run("bowerbird audit promises --grace 0 --json || test $? = 1"))["examples"]
    assert "documents_unreadable" not in left
    assert "key_copies_differ" not in left


def test_what_is_amiss_with_status_lists_and_with_mails_about_ends_is_named(stack: Stack, tmp_path: Path) -> None:
    operator, name = Operator(stack, tmp_path / "backup"), "ended"
    Scenario(stack, name, 44, evidence=100, batches=1, told=1).run()
    assert rest(stack, 2.0)
    look, repair = "bowerbird audit promises --grace 0 --json", "bowerbird audit promises --grace 0 --json --repair"
    with databases(stack) as client:
        lists = client["verifier"]["status_lists"]
        mail = client["notifier"]["deliveries"].find_one_and_delete({"issuer_id": name, "occasion": "revoked"})
        issued = client["issuer"]["credentials"].find_one({"issuer_id": name})
        assert mail and issued
        shown = lists.find_one({"_id": issued["status_list"]})
        assert shown
        given = client["issuer"]["credentials"].find({"status_list": shown["_id"]}).distinct("status_index")
        free = next(index for index in range(MINIMUM_SIZE) if index not in given)

        lists.update_one({"_id": shown["_id"]}, {"$set": {"credential": with_entry(shown["credential"], free)}})
        found = json.loads(operator.run(f"{look} || test $? = 1"))["examples"]
        assert str(mail["credential_id"]) in found["closings_untold"]
        assert f"entry {free} of {shown['_id']}, which is no credential's" in found["revocations_without_cause"]

        lists.delete_one({"_id": shown["_id"]})
        found = json.loads(operator.run(f"{repair} || test $? = 1"))["examples"]
        assert f"{shown['_id']}, not at the verifier" in found["lists_missing"]
        # Its revocations are not shown, so it is published anew.
        eventually(lambda: lists.find_one({"_id": shown["_id"]}) is not None)
    assert rest(stack, 2.0)
    left = json.loads(operator.run(f"{look} || test $? = 1"))["examples"]
    assert not {"closings_untold", "revocations_without_cause", "lists_missing"} & left.keys()


def test_a_badge_put_back_from_a_backup_as_good_and_a_damaged_list_are_put_right_by_the_repair(
    stack: Stack, tmp_path: Path
) -> None:
    operator, name = Operator(stack, tmp_path / "backup"), "put-back"
    Scenario(stack, name, 46, evidence=60, batches=1, revoked=4).run()
    assert rest(stack, 2.0)
    ends = dict.fromkeys(("closed_id", "revoked_at", "revocation_reason", "revocation_request", "superseded_by"), "")
    with databases(stack) as client:
        credentials, lists = client["issuer"]["credentials"], client["issuer"]["status_lists"]
        before = credentials.find_one({"issuer_id": name, "state": "revoked", "taken_down_at": None})
        assert before
        mine, status_list = {"_id": before["_id"]}, {"_id": before["status_list"]}
        credentials.update_one(mine, {"$set": {"state": "active"}, "$unset": ends})
        lists.update_one(status_list, {"$unset": {"epoch": ""}})
        found = json.loads(operator.run("bowerbird audit promises --json --repair || test $? = 1"))
        assert f"credential.documents.v1 {before['_id']}" in found["examples"]["topics_exceed"]
        assert before["status_list"] in found["examples"]["lists_behind"]
        assert found["published"] >= 2
        assert credentials.find_one(mine) == before
        eventually(lambda: shows_all_revoked(client, before["status_list"]))
        assert rest(stack, 2.0)
        left = json.loads(operator.run("bowerbird audit promises --grace 0 --json || test $? = 1"))["examples"]
        for check in ("topics_exceed", "topics_lack", "lists_behind", "revocations_not_shown", "badges_differ"):
            assert check not in left


def shows_all_revoked(client: Any, list_id: str) -> bool:
    """Return whether the verifier has a later version of a list than the damaged one, with all that are revoked."""
    shown, stored = (client[each]["status_lists"].find_one({"_id": list_id}) for each in ("verifier", "issuer"))
    bits = StatusList.decode(json.loads(shown["credential"])["credentialSubject"]["encodedList"])
    revoked = (
        client["issuer"]["credentials"].find({"status_list": list_id, "state": "revoked"}).distinct("status_index")
    )
    return shown["epoch"] == stored["epoch"] and set(revoked) <= set(bits.entries())


def with_entry(credential: str, index: int) -> str:
    """Return the credential of a status list with one more entry set."""
    document = json.loads(credential)
    bits = StatusList.decode(document["credentialSubject"]["encodedList"])
    bits.set(index)
    document["credentialSubject"]["encodedList"] = bits.encode()
    return json.dumps(document)


def told_of(stack: Stack, learner: UUID) -> tuple[int, set[str]]:
    """Return how many names and addresses of a learner the notifier has, and what becomes of the mails to them."""
    with databases(stack) as client:
        mine: dict[str, Any] = {"learner_id": learner}
        states = {str(each["state"]) for each in client["notifier"]["deliveries"].find(mine)}
        return client["notifier"]["contacts"].count_documents({"_id": learner}), states


@pytest.mark.timeout(600)
def test_who_was_erased_stays_so_and_whom_the_notifier_had_not_read_of_is_told_where_kafka_is_lost_and_then_mongodb(
    stack: Stack, tmp_path: Path
) -> None:
    operator = Operator(stack, tmp_path / "backup")
    Scenario(stack, "erased", 44, evidence=100, batches=1).run()
    assert rest(stack, 2.0)
    operator.run('bowerbird backup "$BACKUP"')
    with databases(stack) as client:
        contacts = [each["_id"] for each in client["notifier"]["contacts"].find({"issuer_id": "erased"})]
    learner, *others = contacts
    asyncio.run(erase(stack, learner))
    eventually(lambda: told_of(stack, learner)[0] == 0)
    stack.kill("notifier")
    unread, rows = SchoolClient(stack, "unread"), [Row(f"{each}", each, REQUIRED) for each in range(20)]
    (batch,) = unread.send(rows, len(rows), mailed_one_in=2)
    eventually(lambda: unread.batch(batch)["complete"])

    for name in SERVICES:
        stack.kill(name)
    stack.lose("kafka")
    stack.start("kafka")
    follow("Kafka's disk is lost", stack, operator)
    with databases(stack) as client:
        assert client["notifier"]["contacts"].count_documents({"issuer_id": "unread"}) == 10
    for name in SERVICES:
        stack.kill(name)
    stack.lose("mongodb")
    stack.start("mongodb")
    told = operator.run('bowerbird restore "$BACKUP"')
    follow("MongoDB is lost", stack, operator)

    assert others
    assert all(told_of(stack, each)[0] == 1 for each in others)
    there, states = told_of(stack, learner)
    assert there == 0
    assert states <= {"sent", "cancelled"}
    assert "erase again" not in told
    records = asyncio.run(everything_on(stack.kafka_bootstrap, topics.LEARNER_CONTACTS))
    assert not [each for each in records if each.key == str(learner).encode() and b"@" in (each.value or b"")]
    for block in blocks("Mails that are held"):
        operator.run(block)


def lose(stack: Stack, *stores: str) -> None:
    """Lose these stores beneath the services, which end too."""
    for name in SERVICES:
        stack.kill(name)
    for each in stores:
        stack.lose(each)
        stack.start(each)


def restart(stack: Stack, operator: Operator, steps: list[str]) -> None:
    """Do these steps of the runbook, and start the services."""
    for step in steps:
        operator.run(step)
    stack.start(*SERVICES)
    assert rest(stack, 2.0)


def mails_to(stack: Stack, school: str) -> tuple[dict[str, int], set[str]]:
    """Return how often each of a school's mails went, and which are held."""
    with databases(stack) as client:
        found = {
            str(each["_id"]): each["state"] for each in client["notifier"]["deliveries"].find({"issuer_id": school})
        }
    went = mails_in(stack.layout.mail)
    return {each: went[each] for each in found}, {each for each in found if found[each] == "may_have_been_sent"}


def settled(stack: Stack, school: str, mails: int) -> bool:
    """Return whether a school has so many mails, each of which went, is held or is over."""
    with databases(stack) as client:
        states = [each["state"] for each in client["notifier"]["deliveries"].find({"issuer_id": school})]
    return len(states) == mails and set(states) <= {"sent", "may_have_been_sent", "cancelled"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("at_once", [True, False])
def test_no_mail_goes_twice_where_both_stores_lost_the_decision_and_schools_send_their_evidence_again(
    stack: Stack, tmp_path: Path, at_once: bool
) -> None:
    name = f"anew-{at_once}".lower()
    operator, school = Operator(stack, tmp_path / "backup"), SchoolClient(stack, name)
    rows = [Row(f"e-{number}", number, REQUIRED) for number in range(20)]
    list(school.send(rows[:5], 5, 1, "decided"))
    eventually(lambda: settled(stack, name, 5))
    stack.kill("issuer")
    list(school.send(rows[5:10], 5, 1, "pending"))
    operator.run('bowerbird backup "$BACKUP"')
    stack.start("issuer")
    list(school.send(rows[10:15], 5, 1, "since"))
    eventually(lambda: settled(stack, name, 15))
    before, held = mails_to(stack, name)
    assert (sorted(before.values()), held) == ([1] * 15, set())

    (*refill, _), (*restore, _) = blocks("Kafka's disk is lost"), blocks("MongoDB is lost")
    if at_once:
        lose(stack, "kafka", "mongodb")
        restart(stack, operator, [*restore, *refill])
    else:
        lose(stack, "kafka")
        restart(stack, operator, refill)
        lose(stack, "mongodb")
        restart(stack, operator, restore)
        operator.run("bowerbird audit promises --grace 0 --repair || test $? = 1")
    list(school.send(rows[10:15], 5, 1, "again"))
    # What was published again from a store before that was lost is known, and is not awarded again.
    mails = 15 if at_once else 10
    eventually(lambda: settled(stack, name, mails))
    after, held = mails_to(stack, name)
    assert after == {each: before[each] for each in after}
    assert len(held) >= mails - 5
    look, decide = blocks("Mails that are held")
    assert "also of what comes" in operator.run(look)
    operator.run(decide)
    assert "also of what comes" not in operator.run(look)
    list(school.send(rows[15:], 5, 1, "later"))
    eventually(lambda: settled(stack, name, mails + 5))
    later, held = mails_to(stack, name)
    assert (set(later.values()), held) == ({1}, set())
