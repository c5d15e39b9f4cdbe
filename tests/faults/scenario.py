"""One scenario for every fault: evidence, revocations and mail on their way while something breaks, then the count."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from deploy.embedded.problems import StackError
from deploy.embedded.stack import Stack
from tests.faults import promises
from tests.faults.school import Expected, Row, SchoolClient, expected_of, make_rows

EVIDENCE = 2_000
SERVICES = ("evidence", "issuer", "verifier", "notifier")
MAILS_IN_FLIGHT = 16
"""The default of BOWERBIRD_SMTP_CONNECTIONS: so many can lie between the server's 250 and the mark in the database."""
_DEADLINE_SECONDS = 300
_POLL_SECONDS = 0.1
_REVOKED = 3


class Keeper(threading.Thread):
    """Starts again whichever service has ended, as the supervisor of the embedded stack and an orchestrator do."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._ended = threading.Event()
        # One at a time starts and stops processes.
        self.hands = threading.Lock()

    def run(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            with self.hands:
                self._stack.start(*SERVICES, wait=0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The next test finds everything up."""
        self._ended.set()
        self.join()
        for _ in SERVICES:
            with contextlib.suppress(StackError):  # one that is killed at its point just now, as each may be
                self._stack.start(*SERVICES)
        self._stack.start(*SERVICES)


class Disturbance(threading.Thread):
    """Does `once` at random moments while the evidence is on its way, at least `times` times."""

    def __init__(self, once: Callable[[], object], times: int, seed: int, hands: threading.Lock) -> None:
        super().__init__(daemon=True)
        self._once = once
        self.times = times
        self._chance = random.Random(seed)
        self._hands = hands
        self._ended = threading.Event()
        self.done = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while self.done < self.times and not self._ended.wait(self._chance.uniform(0.1, 1.5)):
                with self._hands:
                    self._once()
                self.done += 1
        except BaseException as error:  # noqa: BLE001  # told to the test, which raises it
            self.failure = error

    def wait_for(self, share: float) -> None:
        """Wait until this share of the disturbances has happened: they fall among the evidence, not after it."""
        while self.is_alive() and self.done < self.times * share:
            time.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """Disturb no more, and let the last disturbance come to its end."""
        self._ended.set()
        self.join(_DEADLINE_SECONDS)


@contextmanager
def _disturbed(
    once: Callable[[], object] | None, times: int, seed: int, hands: threading.Lock
) -> Iterator[Disturbance]:
    disturbance = Disturbance(once or (lambda: None), times, seed, hands)
    disturbance.start()
    try:
        yield disturbance
    finally:
        disturbance.end()
    if disturbance.failure is not None:
        raise disturbance.failure
    assert disturbance.done == times


class Scenario:
    """A school of its own, its evidence, and what must have become of it in the end."""

    def __init__(
        self,
        stack: Stack,
        name: str,
        seed: int,
        *,
        evidence: int = EVIDENCE,
        batches: int = 4,
        mailed_one_in: int = 10,
        revoked: int = _REVOKED,
        told: int = 0,
    ) -> None:
        """Make a school's evidence.

        Args:
            stack: the running stack.
            name: of the school.
            seed: of all chance.
            evidence: pieces in all.
            batches: files that they come in.
            mailed_one_in: one learner of so many has an address.
            revoked: credentials that are revoked, of learners without an address.
            told: credentials that are revoked once all mails have gone, of learners who are told of it.
        """
        self.stack = stack
        self.name = name
        self.rows: Sequence[Row] = make_rows(evidence, seed)
        self.expected: Expected = expected_of(self.rows)
        self.seed = seed
        self._batches = batches
        self._rows_per_batch = evidence // batches
        self._mailed_one_in = mailed_one_in
        self._revoked = revoked
        self._told = told
        self._all_revoked = revoked + told
        self._since = promises.where_topics_end(stack)

    @property
    def mailed(self) -> int:
        """How many mails must go out that tell of an award."""
        return sum(learner % self._mailed_one_in == 0 for learner, _level in self.expected.awards)

    def run(
        self,
        once: Callable[[], object] | None = None,
        times: int = 0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Send the evidence, wait until it is decided, and revoke some of it, while `once` is done so many times."""
        with Keeper(self.stack) as keeper, _disturbed(once, times, self.seed, keeper.hands) as disturbance:
            school = SchoolClient(self.stack, self.name)
            sent: list[str] = []
            for batch_id in school.send(self.rows, self._rows_per_batch, self._mailed_one_in):
                promises.numbers_add_up(school.batch(batch_id))
                sent.append(batch_id)
                tell(f"{len(sent)} batches are sent; {disturbance.done} of {times} faults were made")
                disturbance.wait_for(len(sent) / (self._batches + 1))
            self._wait_until_decided(school, sent)
            for credential_id in self._some_credentials(sent, self._revoked, mailed=False):
                school.revoke(credential_id)
            if self._told:
                promises.deliveries_end_as(self.stack, self.name, {"sent": self.mailed})
                for credential_id in self._some_credentials(sent, self._told, mailed=True):
                    school.revoke(credential_id)
            tell(f"all is decided, {self._all_revoked} credentials are revoked; {disturbance.done} faults were made")
            disturbance.wait_for(1)
            # What was broken last may have made work again: decided rows stay decided.
            self._wait_until_decided(school, sent)

    def _wait_until_decided(self, school: SchoolClient, batches: Sequence[str]) -> None:
        for batch_id in batches:
            for _ in _patiently(f"{batch_id} is still not decided"):
                batch = school.batch(batch_id)
                promises.numbers_add_up(batch)
                if batch["complete"]:
                    break

    def _some_credentials(self, batches: Sequence[str], count: int, *, mailed: bool) -> list[str]:
        """So many credentials, of learners who get mail or do not.

        While mails are on their way, whether one goes out before a revocation is a matter of chance.
        """
        found: list[str] = []
        with promises.databases(self.stack) as client:
            issued = client["evidence"]["rows"].find({"issuer_id": self.name, "state": "issued"}).sort("_id", 1)
            for each in issued:
                place = batches.index(str(each["batch_id"])) * self._rows_per_batch + each["row"] - 1
                if (self.rows[place].learner % self._mailed_one_in == 0) == mailed and len(found) < count:
                    found.append(str(each["credential_id"]))
        return found

    def count(self, *, mails: bool = True) -> promises.Count:
        """Wait for what follows a decision, then count what is in databases, on topics and (if wanted) mailbox."""
        mailed = self.mailed + self._told if mails else None
        with Keeper(self.stack):
            self._wait_for_followers(mailed or 0)
        return promises.count(
            self.stack,
            self.name,
            self.expected,
            since=self._since,
            mailed=mailed,
            revoked=self._all_revoked,
            told=self._told,
        )

    def _wait_for_followers(self, mailed: int) -> None:
        mine = {"issuer_id": self.name}
        with promises.databases(self.stack) as client:
            for _ in _again():
                shown = client["verifier"]["documents"].count_documents(mine)
                revoked = client["verifier"]["documents"].count_documents({**mine, "state": "revoked"})
                made, held = (
                    {
                        (each["_id"], each["epoch"], each["version"])
                        for each in client[of]["status_lists"].find({}, {"epoch": 1, "version": 1})
                    }
                    for of in ("issuer", "verifier")
                )
                sent = client["notifier"]["deliveries"].count_documents({**mine, "state": "sent"})
                arrived = shown >= self.expected.issued and revoked >= self._all_revoked and made <= held
                if arrived and sent >= mailed:
                    return
            states: list[dict[str, Any]] = [{"$match": mine}, {"$group": {"_id": "$state", "count": {"$sum": 1}}}]
            mails = {each["_id"]: each["count"] for each in client["notifier"]["deliveries"].aggregate(states)}
        raise AssertionError(
            f"what follows the decisions has not come to its end: {shown} of {self.expected.issued} shown, "
            f"{revoked} of {self._all_revoked} revoked, lists {made - held} missing, {mailed} mails expected of {mails}"
        )


def _again() -> Iterator[None]:
    """Again and again, for as long as it may take."""
    give_up_at = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < give_up_at:
        yield
        time.sleep(_POLL_SECONDS)


def _patiently(problem: str) -> Iterator[None]:
    """The same; an AssertionError with the problem where it took too long."""
    yield from _again()
    raise AssertionError(problem)
