"""The loop that sends: claim what is due, look up what each mail needs, send at the domain's pace, write down the end.

What SIGKILL does between the steps of one mail:

1. claim                          its lease ends and somebody claims it again
2. contact, text, slot            the same; a slot of the domain's rate is lost
3. MAIL, RCPT, DATA … 250         the server may or may not have taken it over: SMTP has no way to ask. The mail is
                                  offered again with the same Message-ID, by which a receiving system knows a repeat
4. record it as sent              done

So at most the mails in flight, one per connection, can go out twice, and only if the kill falls between the server's
decision and step 4, which follows at once.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol
from uuid import UUID

from pymongo.errors import PyMongoError

from libs.common.addresses import Address
from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger, trace_id
from services.notifier.channels.email.message import EmailRenderer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.email.smtp import RelayUnavailableError
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.deliveries import changes, metrics
from services.notifier.deliveries.changes import Change
from services.notifier.deliveries.delivery import Delivery
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.preparation import Preparation, Ready
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import RetryPolicy, State, after_failure
from services.notifier.deliveries.share import FairShare
from services.notifier.deliveries.state_writer import StateWriter

_MOST_CLAIMED = 500
_POLL_SECONDS = 0.5
_PROBE_SECONDS = 0.25
_SHARE_WAIT = timedelta(seconds=1)
_RELAY_FIRST_PAUSE_SECONDS = 1.0
_RELAY_LONGEST_PAUSE_SECONDS = 30.0


class MailServer(Protocol):
    """What takes mails: the pool of SMTP connections, or a fake in tests."""

    async def send(self, to: Address, content: bytes) -> Failure | None:
        """Offer one mail; None means that it was taken over. Raises RelayUnavailableError."""


class AddressCheck(Protocol):
    """Tries anew what failed at an address that its learner no longer has."""

    async def addressed(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """Look at the failed deliveries of these learners."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How many at once, for how long claimed, and when again."""

    owner: str
    connections: int
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
        state_writer: StateWriter,
        activation: AddressCheck,
        server: MailServer,
        renderer: EmailRenderer,
        pictures: Pictures,
        clock: Callable[[], datetime],
        draw: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._deliveries = deliveries
        self._preparation = preparation
        self._domains = domains
        self._state_writer = state_writer
        self._activation = activation
        self._server = server
        self._renderer = renderer
        self._pictures = pictures
        self._clock = clock
        self._draw = draw
        self._share = FairShare(settings.connections)
        self._in_flight: dict[asyncio.Task[None], Delivery] = {}
        self._one_done = asyncio.Event()
        self._defect: BaseException | None = None
        self._overclaim = 1
        self._claimed_at = 0.0
        self._relay_failures = 0
        self._relay_resumes_at = 0.0

    async def tick(self) -> float:
        """Claim and start what fits in; returns the seconds until the next tick.

        Raises:
            PyMongoError: the database is unavailable; what was claimed comes back when its lease ends.
        """
        if self._defect is not None:
            raise self._defect
        delay = self._relay_resumes_at - monotonic()
        if delay > 0:
            return min(delay, _POLL_SECONDS)
        wanted = self._wanted()
        if not wanted:
            await self._until_one_is_done()
            return 0.0
        limit = min(_MOST_CLAIMED, wanted * self._overclaim)
        now = self._clock()
        until = now + self._settings.lease
        self._claimed_at = monotonic()
        in_flight = [each.id for each in self._in_flight.values()]
        claimed = await self._deliveries.claim(
            limit, owner=self._settings.owner, now=now, lease_until=until, in_flight=in_flight
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
            # A server that was unavailable is tried with one mail; the others follow once it took it.
            return 0 if self._in_flight else 1
        few = max(1, self._settings.connections // 4)
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
        """Keep the leases of what is in flight; returns the seconds until they want renewing again."""
        in_flight = list(self._in_flight.values())
        if in_flight:
            await self._deliveries.renew(in_flight, self._clock() + self._settings.lease)
        return self._settings.lease.total_seconds() / 4

    async def finish(self) -> None:
        """Wait until no mail is in flight: a mail that is cut off may have to be sent twice."""
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _start(self, claimed: Sequence[Delivery], lease_until: datetime) -> int:
        """Start each claimed mail that may go now and write down what becomes of the others.

        Returns how many were ready to go, whether a connection was free for them or not.
        """
        if not claimed:
            return 0
        ready, updates = await self._preparation.prepare(claimed)
        for each in ready:
            if self._share.take(each.message.to.domain):
                task = asyncio.create_task(self._one(each, lease_until), name="mail")
                self._in_flight[task] = each.delivery
                task.add_done_callback(self._done)
            else:
                metrics.POSTPONED.labels("share").inc()
                later = self._clock() + _SHARE_WAIT * (1 + self._draw())
                updates.append(changes.put_back(each.delivery, later, slot_at=each.slot_at))
        metrics.IN_FLIGHT.set(len(self._in_flight))
        await self._deliveries.write(updates)
        return len(ready)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._one_done.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defect = error

    async def _one(self, ready: Ready, lease_until: datetime) -> None:
        """One mail, from its slot until its outcome is durable."""
        try:
            picture = await self._pictures.get(ready.message.depiction)
            await asyncio.sleep(max(0.0, ready.slot_at - self._clock().timestamp()))
            failpoint("notifier.sending.2")
            started = monotonic()
            change, outcome, failure = await self._attempt(ready, picture, lease_until)
            seconds = monotonic() - started
            failpoint("notifier.sending.3")
            await self._state_writer.write(change)
            failpoint("notifier.sending.4")
            await self._follow_up(ready, failure, outcome)
        finally:
            self._share.release(ready.message.to.domain)
        self._account(ready, outcome, failure, seconds)

    async def _attempt(
        self, ready: Ready, picture: bytes | None, lease_until: datetime
    ) -> tuple[Change, str, Failure | None]:
        delivery = ready.delivery
        if self._clock() >= lease_until:
            # Somebody else may have it by now; the change changes nothing then.
            return changes.put_back(delivery, self._clock()), "lease_ended", None
        try:
            content = self._renderer.render(ready.message, picture)
        except Exception as error:  # noqa: BLE001  # a defect met by one mail must not stop the others
            get_logger().error("mail cannot be written", delivery=str(delivery.id), problem=type(error).__name__)
            return self._failed(delivery, Failure(FailureKind.UNBUILDABLE))
        try:
            failure = await self._server.send(ready.message.to, content)
        except RelayUnavailableError as error:
            return self._pause_for_relay(delivery, error), "relay_unavailable", None
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

    def _pause_for_relay(self, delivery: Delivery, error: RelayUnavailableError) -> Change:
        """The server takes nothing: no attempt is counted, and nothing is sent for a while."""
        if monotonic() >= self._relay_resumes_at:
            # Mails that were under way together find out together; that is one failure, not many.
            pause = min(_RELAY_FIRST_PAUSE_SECONDS * 2**self._relay_failures, _RELAY_LONGEST_PAUSE_SECONDS)
            self._relay_failures = min(self._relay_failures + 1, 10)
            self._relay_resumes_at = monotonic() + pause * (0.75 + self._draw() / 2)
            metrics.RELAY_UNAVAILABLE.inc()
            get_logger().warning("mail server unavailable", problem=str(error), seconds=round(pause, 1))
        metrics.POSTPONED.labels("relay").inc()
        return changes.put_back(delivery, self._clock())

    async def _follow_up(self, ready: Ready, failure: Failure | None, outcome: str) -> None:
        """Note the pace of the domain; where the mail failed, see whether its learner has another address by now."""
        domain = ready.message.to.domain
        try:
            if failure is not None and failure.kind is FailureKind.PERMANENT:
                await self._activation.addressed([ready.delivery.learner_id], self._clock())
            if failure is not None and failure.is_throttle:
                await self._domains.record_throttle(domain, self._clock().timestamp())
            elif outcome == "sent" and ready.domain_throttled:
                await self._domains.record_success(domain)
        except PyMongoError as error:
            # What the mail came to is written; the pace of a domain may be observed again.
            get_logger().warning("mail not followed up", problem=type(error).__name__)

    def _account(self, ready: Ready, outcome: str, failure: Failure | None, seconds: float) -> None:
        metrics.DELIVERIES.labels(outcome).inc()
        metrics.SENDING_SECONDS.observe(seconds)
        delivery = ready.delivery
        if not delivery.attempts and outcome not in {"relay_unavailable", "lease_ended"}:
            metrics.OFFER_DELAY.observe(max(0.0, (self._clock() - delivery.created_at).total_seconds()))
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
