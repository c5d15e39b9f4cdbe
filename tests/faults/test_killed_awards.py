"""Awards by hand whose services are killed: sent again each is one badge, and who awarded stands in the audit log."""

import json
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.common.failpoints import Order, read_orders, write_orders
from libs.contracts.results import SoloLevel
from tests.faults.hurried import order_file
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault]

RULE = {"type": "evidence", "level": "relational", "activities": 2}


def award(number: int) -> bytes:
    return json.dumps(
        {
            "source_id": f"a{number}",
            "learner_id": f"s{number}",
            "achievement": "wit",
            "level": SoloLevel.RELATIONAL,
            "date": "2026-03-02",
            "activity": "Riddles at the last school",
            "comment": "Its teacher told us on the telephone.",
        }
    ).encode()


def test_killed_after_it_is_published_and_after_it_is_recorded_an_award_is_one(stack: Stack) -> None:
    school = SchoolClient(stack, "by-hand", publish=False)
    school.publish("wit", RULE)
    write_orders(order_file(stack, "evidence"), [Order("evidence.ingestion.1", "", passing=1)])
    write_orders(order_file(stack, "issuer"), [Order("issuer.award.5", "", passing=1)])
    path, headers = "/v1/awards?reason=prior_learning", {"idempotency-key": "k1", "content-type": "application/json"}
    with Keeper(stack):
        one = school.submit(path, headers, award(1))
        ndjson = {"idempotency-key": "k2", "content-type": "application/x-ndjson"}
        file = school.submit(path, ndjson, b"\n".join(map(award, range(1, 41))))

        def complete() -> bool:
            return all(school.batch(each)["complete"] for each in (one, file))

        eventually(complete, seconds=120)

    for service in ("evidence", "issuer"):
        assert not read_orders(order_file(stack, service)), f"{service} was not killed"
    assert school.submit(path, headers, award(1)) == one
    assert school.batch(one)["counts"]["issued"] == 1
    counts = school.batch(file)["counts"]
    assert (counts["issued"], counts["duplicate"]) == (39, 1)
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        credentials = list(client["issuer"]["credentials"].find({"issuer_id": "by-hand"}))
        assert len(credentials) == len({each["learner_id"] for each in credentials}) == 40
        decided = client["issuer"]["decisions"].find({"issuer_id": "by-hand", "outcome": "issued"})
        hands = [each["by_hand"] for each in decided]
        assert {each["reason"] for each in hands} == {"prior_learning"}
        assert all(each["awarded_by"].startswith("key:by-hand/") for each in hands)
        entries = list(
            client["evidence"]["audit"].find({"action": "credentials.awarded-by-hand", "tenants": "by-hand"})
        )
    subjects = [each["subject"] for each in entries]
    assert subjects.count(f"batch {one}") >= 2, "each sending is recorded, before it is done"
    assert f"batch {file}" in subjects
    assert {each["reason"] for each in entries} == {"prior_learning"}
