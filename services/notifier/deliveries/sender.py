"""The loop that sends: claim what is due, look up what each mail needs, send at the domain's pace, write down the end.

What SIGKILL does between the steps of one mail:

1. claim                          its lease ends and somebody claims it again
2. contact, text, slot            the same; a slot of the domain's rate is lost
3. MAIL, RCPT, DATA … 250         the server may or may not have taken it over: SMTP has no way to ask. The mail is
                                  offered again with the same Message-ID, by which a receiving system knows a repeat
4. mark it as sent                done

So at most the mails in hand, one per connection, can go out twice, and only if the kill falls between the server's
decision and step 4, which follows at once.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from pymongo.errors import PyMongoError

from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger, trace_id
from services.notifier.channels.email.address import Address
from services.notifier.channels.email.message import Writer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.email.smtp import RelayAwayError
from services.notifier.deliveries import changes, metrics
from services.notifier.deliveries.changes import Change
from services.notifier.deliveries.delivery import Delivery
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.preparation import Preparation, Ready
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import Failure, FailureKind, RetryPolicy, State, after_failure
from services.notifier.deliveries.share import FairShare
from services.notifier.deliveries.state_writer import Marker

_MOST_CLAIMED = 500
_POLL_SECONDS = 0.5
_PROBE_SECONDS = 0.25
_SHARE_WAIT = timedelta(seconds=1)
_RELAY_FIRST_PAUSE_SECONDS = 1.0
_RELAY_LONGEST_PAUSE_SECONDS = 30.0


class MailServer(Protocol):
    """What takes mails: the pool of SMTP connections, or a stand-in for tests."""

    async def send(self, to: Address, content: bytes) -> Failure | None:
        """Offer one mail; None means that it was taken over. Raises RelayAwayError."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How many at once, for how long claimed, and when again."""

    owner: str
    places: int
    lease: timedelta
    retry: RetryPolicy


class Sender:
    """Sends due deliveries; several replicas share the work through the schedule's leases."""

    def __init__(
        self,
        settings: SenderSettings,
        *,
        deliveries: Deliveries,
        preparation: Preparation,
        domains: Domains,
        marker: Marker,
        server: MailServer,
        writer: Writer,
        pictures: Pictures,
        clock: Callable[[], datetime],
        draw: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._deliveries = deliveries
        self._preparation = preparation
        self._domains = domains
        self._marker = marker
        self._server = server
        self._writer = writer
        self._pictures = pictures
        self._clock = clock
        self._draw = draw
        self._share = FairShare(settings.places)
        self._in_hand: dict[asyncio.Task[None], Delivery] = {}
        self._one_done = asyncio.Event()
        self._defect: BaseException | None = None
        self._overclaim = 1
        self._claimed_at = 0.0
        self._relay_failures = 0
        self._relay_resumes_at = 0.0

    async def turn(self) -> float:
        """Claim and start what fits in; returns the seconds to rest.

        Raises:
            PyMongoError: the database is away; what was claimed comes back when its lease ends.
        """
        if self._defect is not None:
            raise self._defect
        resting = self._relay_resumes_at - monotonic()
        if resting > 0:
            return min(resting, _POLL_SECONDS)
        wanted = self._wanted()
        if not wanted:
            await self._until_one_is_done()
            return 0.0
        limit = min(_MOST_CLAIMED, wanted * self._overclaim)
        now = self._clock()
        until = now + self._settings.lease
        self._claimed_at = monotonic()
        in_hand = [each.id for each in self._in_hand.values()]
        claimed = await self._deliveries.claim(
            limit, owner=self._settings.owner, now=now, lease_until=until, in_hand=in_hand
        )
        if claimed:
            failpoint("notifier.sending.1")
        ready = await self._start(claimed, until)
        # Where most of what was claimed has to wait for its slot, a few domains at their rate fill the front of the
        # schedule: look further, lest they hide the others.
        self._overclaim = min(self._overclaim * 2, 64) if ready * 2 < len(claimed) else 1
        return 0.0 if len(claimed) == limit else _POLL_SECONDS

    def _wanted(self) -> int:
        """How many to claim now; 0 is to wait until a mail is done."""
        if self._relay_failures:
            # A server that was away is tried with one mail; the others follow once it took it.
            return 0 if self._in_hand else 1
        few = max(1, self._settings.places // 4)
        allowance = self._share.allowance()
        if allowance >= few:
            return allowance
        # One domain holds its whole share, and what is due next may be for it as well: look only now and then.
        probing = self._share.free > 0 and monotonic() - self._claimed_at >= _PROBE_SECONDS
        return min(few, self._share.free) if probing else 0

    async def _until_one_is_done(self) -> None:
        self._one_done.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._one_done.wait()

    async def renew(self) -> float:
        """Keep the leases of what is in hand; returns the seconds until they want renewing again."""
        in_hand = list(self._in_hand.values())
        if in_hand:
            await self._deliveries.renew(in_hand, self._clock() + self._settings.lease)
        return self._settings.lease.total_seconds() / 4

    async def finish(self) -> None:
        """Wait until no mail is in hand: a mail that is cut off may have to be sent twice."""
        if self._in_hand:
            await asyncio.wait(self._in_hand)

    async def _start(self, claimed: Sequence[Delivery], lease_until: datetime) -> int:
        """Start each claimed mail that may go now and write down what becomes of the others.

        Returns how many were ready to go, whether a place was free for them or not.
        """
        if not claimed:
            return 0
        ready, marks = await self._preparation.prepare(claimed)
        for each in ready:
            if self._share.take(each.letter.to.domain):
                task = asyncio.create_task(self._one(each, lease_until), name="mail")
                self._in_hand[task] = each.delivery
                task.add_done_callback(self._done)
            else:
                metrics.POSTPONED.labels("share").inc()
                later = self._clock() + _SHARE_WAIT * (1 + self._draw())
                marks.append(changes.put_back(each.delivery, later, slot_at=each.slot_at))
        metrics.IN_HAND.set(len(self._in_hand))
        await self._deliveries.write(marks)
        return len(ready)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._in_hand[task]
        self._one_done.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defect = error

    async def _one(self, ready: Ready, lease_until: datetime) -> None:
        """One mail, from its slot to its mark."""
        try:
            picture = await self._pictures.get(ready.letter.depiction)
            await asyncio.sleep(max(0.0, ready.slot_at - self._clock().timestamp()))
            failpoint("notifier.sending.2")
            started = monotonic()
            mark, outcome, failure = await self._attempt(ready, picture, lease_until)
            seconds = monotonic() - started
            failpoint("notifier.sending.3")
            await self._marker.write(mark)
            failpoint("notifier.sending.4")
            await self._tell_domain(ready, failure, outcome)
        finally:
            self._share.give_back(ready.letter.to.domain)
        self._account(ready, outcome, failure, seconds)

    async def _attempt(
        self, ready: Ready, picture: bytes | None, lease_until: datetime
    ) -> tuple[Change, str, Failure | None]:
        delivery = ready.delivery
        if self._clock() >= lease_until:
            # Somebody else may have it by now; the mark changes nothing then.
            return changes.put_back(delivery, self._clock()), "lease_ended", None
        try:
            content = self._writer.write(ready.letter, picture)
        except Exception as error:  # noqa: BLE001  # a defect met by one mail must not stop the others
            get_logger().error("mail cannot be written", delivery=str(delivery.id), problem=type(error).__name__)
            return self._failed(delivery, Failure(FailureKind.UNBUILDABLE))
        try:
            failure = await self._server.send(ready.letter.to, content)
        except RelayAwayError as error:
            return self._relay_is_away(delivery, error), "relay_away", None
        self._relay_failures = 0
        if failure is None:
            return changes.sent(delivery, self._clock()), "sent", None
        return self._failed(delivery, failure)

    def _failed(self, delivery: Delivery, failure: Failure) -> tuple[Change, str, Failure]:
        now = self._clock()
        then = after_failure(
            failure,
            attempts=delivery.attempts + 1,
            first_attempt_at=delivery.first_attempt_at or now,
            now=now,
            policy=self._settings.retry,
            draw=self._draw(),
        )
        if then.state is State.GAVE_UP:
            metrics.DELIVERIES.labels("gave_up").inc()
        return changes.failed(delivery, failure, then.state, then.due_at, now), failure.kind.value, failure

    def _relay_is_away(self, delivery: Delivery, error: RelayAwayError) -> Change:
        """The server takes nothing: no mail's fault, so nobody's attempt is counted and everything rests a while."""
        if monotonic() >= self._relay_resumes_at:
            # Mails that were under way together find out together; that is one failure, not many.
            pause = min(_RELAY_FIRST_PAUSE_SECONDS * 2**self._relay_failures, _RELAY_LONGEST_PAUSE_SECONDS)
            self._relay_failures = min(self._relay_failures + 1, 10)
            self._relay_resumes_at = monotonic() + pause * (0.75 + self._draw() / 2)
            metrics.RELAY_AWAY.inc()
            get_logger().warning("mail server away", problem=str(error), seconds=round(pause, 1))
        metrics.POSTPONED.labels("relay").inc()
        return changes.put_back(delivery, self._clock())

    async def _tell_domain(self, ready: Ready, failure: Failure | None, outcome: str) -> None:
        domain = ready.letter.to.domain
        try:
            if failure is not None and failure.is_rate_complaint:
                await self._domains.complain(domain, self._clock().timestamp())
            elif outcome == "sent" and ready.domain_complained:
                await self._domains.content(domain)
        except PyMongoError as error:
            # What the mail came to is written; the pace of a domain may be learnt again.
            get_logger().warning("pace not noted", problem=type(error).__name__)

    def _account(self, ready: Ready, outcome: str, failure: Failure | None, seconds: float) -> None:
        metrics.DELIVERIES.labels(outcome).inc()
        metrics.SENDING_SECONDS.observe(seconds)
        delivery = ready.delivery
        get_logger().info(
            "mail",
            delivery=str(delivery.id),
            outcome=outcome,
            attempt=delivery.attempts + 1,
            code=failure.code if failure else None,
            enhanced=failure.enhanced if failure else None,
            seconds=round(seconds, 4),
            trace=trace_id(delivery.trace),
        )
