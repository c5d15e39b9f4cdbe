"""What is rarer than awards in the drill: evidence withdrawn, badges taken down, issuers suspended, mail limited."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from deploy.embedded.stack import Stack
from tests.faults.promises import databases
from tests.faults.school import REQUIRED, Row

ALLOWED_DOMAINS: Final = ("school0.example", "school1.example")
"""Where mail may go once it is limited; that of a third of the learners may not."""
_WAITING: Final = 60
_OF_EACH_KIND: Final = 10


class School(Protocol):
    """A school, with the calls that are made here."""

    @property
    def id(self) -> str: ...
    def upload(self, rows: Sequence[Row], mark: str) -> None: ...
    def withdraw_evidence(self, pieces: Sequence[Mapping[str, Any]]) -> None: ...
    def take_down(self, credential_id: str) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...
    def limit_mail(self, domains: Sequence[str]) -> None: ...


class RarerChanges:
    """All of them, and what must have come of them in the end."""

    def __init__(self, stack: Stack, school: School, paused: School, asleep: School, chance: random.Random) -> None:
        """Take the schools.

        Args:
            stack: the running stack.
            school: whose evidence is withdrawn, whose badges are taken down, and whose mail is limited.
            paused: is suspended in the backup, and resumed behind it.
            asleep: is suspended behind the backup, and resumed when every loss is over.
            chance: the drill's.
        """
        self._stack = stack
        self._school = school
        self._paused = paused
        self._asleep = asleep
        self._chance = chance
        self._closed: dict[str, set[UUID]] = {"revoked": set(), "taken_down": set()}

    def before(self) -> None:
        """What is in the backup."""
        self._paused.suspend()
        self._paused.upload(_rows("paused"), "paused")

    def since(self, early: Sequence[Mapping[str, Any]], late: Sequence[Mapping[str, Any]]) -> str:
        """What is behind the backup, to credentials of whose awards some are in it and some are not; say so."""
        withdrawn, taken = (self._chance.sample(early, n) + self._chance.sample(late, n) for n in (_OF_EACH_KIND,) * 2)
        taken = [each for each in taken if each not in withdrawn]
        self._school.limit_mail(ALLOWED_DOMAINS)
        with databases(self._stack) as client:
            ids = [each["_id"] for each in withdrawn]
            rows = client["evidence"]["rows"].find({"credential_id": {"$in": ids}, "state": "issued"})
            pieces = [{"batch_id": str(each["batch_id"]), "row": each["row"]} for each in rows]
        self._school.withdraw_evidence(pieces)
        for each in taken:
            self._school.take_down(str(each["_id"]))
        self._closed = {
            "revoked": {each["_id"] for each in withdrawn},
            "taken_down": {each["_id"] for each in taken},
        }
        self._paused.resume()
        self._asleep.suspend()
        self._asleep.upload(_rows("asleep"), "asleep")
        return f"{len(pieces)} pieces withdrawn, {len(taken)} badges taken down, mail limited, one school suspended"

    def after(self) -> None:
        """Resume the school that is suspended still: what waited through every loss is decided."""
        self._asleep.resume()

    def harm(self, *, resumed: bool) -> Iterator[str]:
        """Return what is not as it was asked for."""
        with databases(self._stack) as client:
            for state, ids in self._closed.items():
                shown = client["verifier"]["documents"].count_documents({"_id": {"$in": [*ids]}, "state": state})
                if shown != len(ids):
                    yield f"{shown} of {len(ids)} badges are shown as {state}"
            pieces = {"issuer_id": self._school.id, "state": "withdrawn"}
            withdrawn = client["evidence"]["rows"].count_documents(pieces)
            if withdrawn != len(self._closed["revoked"]):
                yield f"{withdrawn} pieces are withdrawn"
            mailed = client["notifier"]["mail_domains"].find_one({"_id": self._school.id})
            if mailed is None or mailed["domains"] != [*ALLOWED_DOMAINS]:
                yield "mail may go where it may not"
            for school, state in ((self._paused, "issued"), (self._asleep, "issued" if resumed else "waiting")):
                rows = client["evidence"]["rows"].find({"issuer_id": school.id})
                states = Counter(each["state"] for each in rows)
                if states != {state: _WAITING}:
                    yield f"the evidence of {school.id} is {dict(states)}, not {state}"


def _rows(mark: str) -> list[Row]:
    return [Row(f"{mark}-{n}", 300_000 + n, REQUIRED) for n in range(_WAITING)]
