"""One scenario for every fault: 20,000 pieces of evidence on their way while something is broken, then the count."""

import random
import threading
import time
from collections.abc import Callable, Sequence

from deploy.embedded.stack import Stack
from tests.faults import promises
from tests.faults.school import Expected, Row, School, expected_of, make_rows

EVIDENCE = 20_000
BATCHES = 10
SERVICES = ("evidence", "issuer", "verifier", "notifier")
_DEADLINE_SECONDS = 300


class Disturbance(threading.Thread):
    """Does `once` at random moments while the evidence is on its way, at least `times` times."""

    def __init__(self, once: Callable[[], object], times: int, seed: int, hands: threading.Lock) -> None:
        super().__init__(daemon=True)
        self._once = once
        self._times = times
        self._chance = random.Random(seed)
        self._hands = hands
        self._ended = threading.Event()
        self.done = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while self.done < self._times and not self._ended.wait(self._chance.uniform(0.3, 2.5)):
                with self._hands:
                    self._once()
                self.done += 1
        except BaseException as error:  # noqa: BLE001  # told to the test, which raises it
            self.failure = error

    def end(self) -> None:
        """Disturb no more, and let the last disturbance come to its end: the next test finds everything up."""
        self._ended.set()
        self.join(_DEADLINE_SECONDS)


class Scenario:
    """A school of its own, its evidence, and what must have become of it in the end."""

    def __init__(self, stack: Stack, name: str, seed: int, evidence: int = EVIDENCE) -> None:
        self.stack = stack
        self.school = School(stack, name)
        self.rows: Sequence[Row] = make_rows(evidence, seed)
        self.expected: Expected = expected_of(self.rows)
        self.seed = seed
        # One at a time starts and stops processes.
        self._hands = threading.Lock()

    def _supervise(self) -> None:
        """Start again what ended by itself: a service whose producer is broken for good leaves that to its keeper."""
        if self._hands.acquire(blocking=False):
            try:
                self.stack.start(*SERVICES, wait=0)
            finally:
                self._hands.release()

    def run(self, once: Callable[[], object], times: int, *, mailed_one_in: int = 20) -> None:
        """Send the evidence under the disturbance and wait until all of it is decided, asking for sums all along."""
        disturbance = Disturbance(once, times, self.seed, self._hands)
        disturbance.start()
        try:
            self._send_and_wait(disturbance, times, mailed_one_in)
        finally:
            disturbance.end()
        if disturbance.failure is not None:
            raise disturbance.failure
        assert disturbance.done == times

    def _send_and_wait(self, disturbance: Disturbance, times: int, mailed_one_in: int) -> None:
        batches = []
        for batch_id in self.school.send(self.rows, len(self.rows) // BATCHES, mailed_one_in):
            batches.append(batch_id)
            promises.numbers_add_up(self.school.batch(batch_id))
            # However fast the machine: the faults fall between the first row and the last, not after them.
            while disturbance.is_alive() and disturbance.done < times * len(batches) // BATCHES:
                self._supervise()
                time.sleep(0.05)
        self._wait_until_decided(batches)
        disturbance.join(_DEADLINE_SECONDS)
        # What was broken last may have made work again: decided rows stay decided.
        self._wait_until_decided(batches)

    def _wait_until_decided(self, batches: Sequence[str]) -> None:
        give_up_at = time.monotonic() + _DEADLINE_SECONDS
        for batch_id in batches:
            while True:
                batch = self.school.batch(batch_id)
                promises.numbers_add_up(batch)
                if batch["complete"]:
                    break
                assert time.monotonic() < give_up_at, f"still not decided: {batch}"
                self._supervise()
                time.sleep(0.3)

    def promises_hold(self, *, mailed_one_in: int = 20, repeats_allowed: int = 0) -> None:
        """Count promises 1, 2 and 3, waiting first for what follows a decision: announcements and mail."""
        self._wait_for_followers(mailed_one_in)
        promises.nothing_lost(self.stack, self.school.id, len(self.rows), self.expected)
        promises.nothing_twice(self.stack, self.school.id, self.expected)
        promises.mailed_once(self.stack, self.school.id, self._mailed(mailed_one_in), repeats_allowed)

    def _mailed(self, one_in: int) -> int:
        return sum(learner % one_in == 0 for learner, _level in self.expected.awards)

    def _wait_for_followers(self, mailed_one_in: int) -> None:
        mine = {"issuer_id": self.school.id}
        give_up_at = time.monotonic() + _DEADLINE_SECONDS
        with promises.databases(self.stack) as client:
            while time.monotonic() < give_up_at:
                shown = client["verifier"]["documents"].count_documents(mine)
                sent = client["notifier"]["deliveries"].count_documents({**mine, "state": "sent"})
                if shown >= self.expected.issued and sent >= self._mailed(mailed_one_in):
                    return
                self._supervise()
                time.sleep(0.3)
        raise AssertionError(f"shown {shown} of {self.expected.issued}, mailed {sent} of {self._mailed(mailed_one_in)}")
