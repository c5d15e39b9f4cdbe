"""Awards in the place of others whose services are killed: both badges change, each names the other, and one mail."""

import json
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import httpx
import pytest
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.common.failpoints import Name, Order, read_orders, write_orders
from libs.contracts.results import SoloLevel
from tests.faults import promises
from tests.faults.hurried import order_file
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault]

R, E = SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT
POINTS: tuple[Name, ...] = ("issuer.superseding.1",)
"""Those that nothing but such an award passes."""
SAYS = "It takes the place of a badge that School superseding gave you before."


def award(number: int, learner: int, level: SoloLevel = R) -> bytes:
    return json.dumps(
        {
            "source_id": f"a{number}",
            "learner_id": f"s{learner}",
            "learner_name": f"Learner {learner}",
            "learner_email": f"learner{learner}@superseding.example",
            "achievement": "resilience",
            "level": level,
            "date": "2026-03-02",
            "activity": "Raft building",
        }
    ).encode()


class Office:
    """A school that awards by hand, and sees what came of it."""

    def __init__(self, stack: Stack) -> None:
        self.school = SchoolClient(stack, "superseding")

    def award(self, number: int, learner: int, level: SoloLevel = R, instead_of: str | None = None) -> str:
        """Ask for an award; return its batch."""
        place = "" if instead_of is None else f"&supersedes={instead_of}"
        headers = {"idempotency-key": f"k{number}", "content-type": "application/json"}
        return self.school.submit(f"/v1/awards?reason=correction{place}", headers, award(number, learner, level))

    def decided(self, *batches: str) -> None:
        eventually(lambda: all(self.school.batch(each)["complete"] for each in batches), seconds=120)


def issued_by(client: MongoClient[dict[str, Any]], batch: str) -> str:
    found = client["issuer"]["credentials"].find_one({"batch_id": UUID(batch)})
    assert found is not None
    return str(found["_id"])


def mails_of(stack: Stack, client: MongoClient[dict[str, Any]], credential_id: str, occasion: str) -> list[str]:
    """Return the texts of the mails of a credential and occasion."""
    delivery = client["notifier"]["deliveries"].find_one({"credential_id": UUID(credential_id), "occasion": occasion})
    if delivery is None:
        return []
    mails = [path for path in stack.layout.mail.iterdir() if path.name.startswith(str(delivery["_id"]))]
    bodies = [message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",)) for path in mails]
    return [each.get_content() for each in bodies if each is not None]


def test_killed_at_every_step_both_badges_change_and_the_learner_has_one_mail(stack: Stack) -> None:
    office = Office(stack)
    with promises.databases(stack) as client:
        with Keeper(stack):
            first = [office.award(number, number) for number in range(1, 7)]
            office.decided(*first)
            promises.deliveries_end_as(stack, "superseding", {"sent": 6})
            old = [issued_by(client, each) for each in first]
            write_orders(order_file(stack, "evidence"), [Order("evidence.ingestion.1", "", passing=2)])
            orders = [
                Order("issuer.award.5"),
                *(Order(point) for point in POINTS),
                Order("issuer.award.6"),
            ]
            write_orders(order_file(stack, "issuer"), orders)
            later = [
                Order("consumer.3", "notifier-lifecycle"),
                Order("consumer.4", "notifier-decisions"),
            ]
            write_orders(order_file(stack, "notifier"), later)
            second = [office.award(10 + number, number, (R, E)[number % 2], old[number - 1]) for number in range(1, 7)]
            office.decided(*second)
            new = [issued_by(client, each) for each in second]
            promises.deliveries_end_as(stack, "superseding", {"sent": 12, "cancelled": 6})
            again = office.award(20, 1, E, old[0])
            office.decided(again)
        for service in ("evidence", "issuer", "notifier"):
            assert not read_orders(order_file(stack, service)), f"{service} was not killed"

        def shown() -> bool:
            found = client["verifier"]["documents"].find({"_id": {"$in": [UUID(each) for each in old]}})
            return [each["state"] for each in found] == ["revoked"] * len(old)

        eventually(shown, seconds=60)
        for before, after in zip(old, new, strict=True):
            ended, stands = office.school.credential(before), office.school.credential(after)
            assert (ended["state"], ended["superseded_by"], ended["revocation"]["reason"]) == (
                "revoked", after, "superseded",
            )  # fmt: skip
            assert (stands["state"], stands["supersedes"]) == ("active", before)
            page = httpx.get(f"{stack.url('verifier')}/badges/{before}", headers={"accept": "text/html"})
            assert f'<a href="{after}">The badge that took its place</a>' in page.text
            assert mails_of(stack, client, before, "revoked") == []
            (told,) = set(mails_of(stack, client, after, "issued"))
            assert SAYS in " ".join(told.split())
            (first_told,) = set(mails_of(stack, client, before, "issued"))
            assert "takes the place" not in first_told
        entries = list(client["issuer"]["audit"].find({"action": "credential.revoked", "reason": "superseded"}))
        assert {each["subject"] for each in entries} >= {f"credential {each}" for each in old}
    assert office.school.batch(again)["reasons"] == {"refused": {"superseded_before": 1}}
