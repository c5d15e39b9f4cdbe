"""Finds what each claimed mail needs before it can go: an address, its words, and a slot of its domain's rate."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.common.addresses import Address
from libs.common.damage import Damage
from services.notifier.catalogue.repository import Catalogue
from services.notifier.channels.email.closing import why
from services.notifier.channels.email.message import EmailMessage
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.contacts.repository import Contact, Contacts
from services.notifier.deliveries import changes, metrics
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.allowances import Allowances
from services.notifier.deliveries.buckets import Slots
from services.notifier.deliveries.changes import Change
from services.notifier.deliveries.delivery import Delivery, address_mark
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.mailboxes import Ask
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import OPEN, UNDECIDED, State
from services.notifier.mail_domains.repository import MailDomains, is_allowed

# A mail whose slot is this near waits for it in memory; one that is further off goes back to the schedule.
_NEAR_SECONDS = 0.25
# A slot missed by more is void: after a stop, the slots of hours must not be used all at once.
_SLOT_KEPT_SECONDS = 30.0
_GRANT_LOST_WAIT = timedelta(seconds=1)
_ISSUE_IN_FLIGHT_WAIT = timedelta(seconds=5)
_TEXT_FIRST_WAIT = timedelta(seconds=2)
_TEXT_LONGEST_WAIT = timedelta(minutes=10)
# RFC 3463, 5.1.3: the address is no address. Found out here, before any server is asked.
_BAD_ADDRESS = Failure(FailureKind.PERMANENT, None, "5.1.3")


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed delivery with all that its mail needs; it may go at `slot_at` (seconds since 1970)."""

    delivery: Delivery
    message: EmailMessage
    slot_at: float
    domain_throttled: bool


class Preparation:
    """Sorts claimed deliveries into mails that may go and state changes for those that may not."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        contacts: Contacts,
        activation: Activation,
        catalogue: Catalogue,
        mail_domains: MailDomains,
        domains: Domains,
        allowances: Allowances,
        public_base: str,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._deliveries = deliveries
        self._contacts = contacts
        self._activation = activation
        self._catalogue = catalogue
        self._mail_domains = mail_domains
        self._domains = domains
        self._allowances = allowances
        self._public_base = public_base
        self._clock = clock
        self._new_id = new_id

    async def prepare(self, claimed: Sequence[Delivery]) -> tuple[list[Ready], list[Change]]:
        """What may go now, the longest due first, and what is to be written of the others."""
        contacts = await self._contacts.reachable(each.learner_id for each in claimed)
        await self._park([each for each in claimed if each.learner_id not in contacts and each.cancel_reason is None])
        reachable = [each for each in claimed if each.learner_id in contacts and each.cancel_reason is None]
        told, updates = await self._told(reachable)
        allowed_there = await self._refuse_domains(told, contacts)
        going = [each for each in allowed_there if not each.may_have_gone]
        messages, without_words = await self._messages(going, contacts)
        now = self._clock()
        cancelled = [each for each in claimed if each.cancel_reason is not None]
        updates += [*without_words, *(changes.cancel(each, now) for each in cancelled)]
        updates += [changes.hold(each, now) for each in allowed_there if each.may_have_gone]
        allowed, over_limit = await self._allow(messages)
        admitted, without_turn = await self._admit(allowed)
        ready, without_slot = await self._pace(admitted)
        return ready, updates + over_limit + without_turn + without_slot

    async def _park(self, unreachable: Sequence[Delivery]) -> None:
        """The address went away since the delivery became pending.

        It may be coming back at this moment, so the delivery is written first and the contact looked up after it, as
        activation.py argues.
        """
        if not unreachable:
            return
        now = self._clock()
        metrics.POSTPONED.labels("no_address").inc(len(unreachable))
        await self._deliveries.write([changes.park(each, now) for each in unreachable])
        await self._activation.activate([each.learner_id for each in unreachable], now)

    async def _told(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[Change]]:
        """Only who was told of a badge is told that it was taken back or down; while that mail is on its way, wait.

        Who is told of what took its place, is told with that; only where that mail never goes, this one does. Which of
        both it says is known once the mail that told of the earlier badge went, or never will.
        """
        others = {other for each in deliveries for other in (each.follows, each.replaces, each.told_by)}
        wanted = [other for other in others if other is not None]
        damage = Damage(logged=True)
        before = await self._deliveries.find(wanted, damage)
        now = self._clock()
        told: list[Delivery] = []
        updates: list[Change] = []
        for each in deliveries:
            issued, replaced, successor = (
                None if other is None else before.get(other) for other in (each.follows, each.replaces, each.told_by)
            )
            undecided = issued is not None and issued.state in UNDECIDED
            undecided |= replaced is not None and replaced.state in OPEN
            undecided |= not damage.ids.isdisjoint((each.follows, each.replaces, each.told_by))
            undecided |= each.told_by is not None and (successor is None or successor.state in UNDECIDED)
            if undecided:
                metrics.POSTPONED.labels("issue_in_flight").inc()
                updates.append(changes.put_back(each, now + _ISSUE_IN_FLIGHT_WAIT))
            elif successor is not None and successor.told:
                updates.append(changes.told_with_successor(each, now))
            elif each.follows is None or (issued is not None and issued.told):
                # What took its place has ended, too, or cannot be told of.
                told.append(each if successor is None else replace(each, reason=None))
            else:
                updates.append(changes.never_told(each, now))
        return told, updates

    async def _refuse_domains(
        self, deliveries: Sequence[Delivery], contacts: Mapping[UUID, Contact]
    ) -> Sequence[Delivery]:
        """Write down which of these may not go to their addresses' domains; return the others.

        The domains may be changing at this moment, or the address, so what was refused is written first, then both are
        looked at again, as for an address that went away.
        """
        allowed = await self._mail_domains.of_issuers(each.issuer_id for each in deliveries)
        if not allowed:
            return deliveries

        def may_go(each: Delivery, allowed: Mapping[str, Sequence[str]]) -> bool:
            to = Address.parse(contacts[each.learner_id].email)
            return to is None or is_allowed(to.domain, each.issuer_id, allowed)

        refused = [each for each in deliveries if not may_go(each, allowed)]
        if refused:
            now = self._clock()
            metrics.DELIVERIES.labels(State.REFUSED_DOMAIN).inc(len(refused))
            marked = [
                replace(each, address_mark=address_mark(each.id, contacts[each.learner_id].email)) for each in refused
            ]
            await self._deliveries.write([changes.refuse_domain(each, now) for each in marked])
            await self._activation.addressed([each.learner_id for each in refused], now)
            since = await self._mail_domains.of_issuers(each.issuer_id for each in refused)
            for issuer_id in {each.issuer_id for each in refused if may_go(each, since)}:
                await self._deliveries.reopen_refused(issuer_id, now)
        gone = {each.id for each in refused}
        return [each for each in deliveries if each.id not in gone]

    async def _messages(
        self, deliveries: Sequence[Delivery], contacts: Mapping[UUID, Contact]
    ) -> tuple[list[tuple[Delivery, EmailMessage]], list[Change]]:
        issuers = await self._catalogue.issuers({each.issuer_id for each in deliveries})
        texts = await self._catalogue.achievement_texts({each.achievement for each in deliveries})
        replaced = await self._deliveries.find({each.replaces for each in deliveries if each.replaces is not None})
        now = self._clock()
        messages: list[tuple[Delivery, EmailMessage]] = []
        updates: list[Change] = []
        for given in deliveries:
            email = contacts[given.learner_id].email
            each = replace(given, address_mark=address_mark(given.id, email))
            to = Address.parse(email)
            if to is None:
                metrics.DELIVERIES.labels(FailureKind.PERMANENT).inc()
                updates.append(changes.failed(each, _BAD_ADDRESS, State.FAILED_PERMANENTLY, None, now))
            elif each.issuer_id not in issuers or each.achievement not in texts:
                # The catalogue travels on another topic; the older the delivery, the rarer it asks.
                metrics.POSTPONED.labels("no_text").inc()
                wait = min(max(now - each.created_at, _TEXT_FIRST_WAIT), _TEXT_LONGEST_WAIT)
                updates.append(changes.put_back(each, now + wait, slot_at=each.slot_at))
            else:
                issuer = issuers[each.issuer_id]
                page = f"{self._public_base}/badges/{each.credential_id}"
                message = EmailMessage(
                    delivery_id=each.id,
                    to=to,
                    learner_name=contacts[each.learner_id].name,
                    issuer_name=issuer.name,
                    department_name=issuer.department,
                    reply_to=_reply_to(issuer.email),
                    achievement=texts[each.achievement],
                    level=each.level,
                    score=each.score,
                    page_url=page,
                    download_url=f"{page}/credential.json",
                    written_at=now,
                    occasion=each.occasion,
                    why=why(each.occasion, each.reason),
                    # Of a badge that its learner was never told of, nothing is said.
                    replaces=each.replaces in replaced and replaced[each.replaces].told,
                    sending=each.sending,
                )
                messages.append((each, message))
        return messages, updates

    async def _allow(
        self, messages: Sequence[tuple[Delivery, EmailMessage]]
    ) -> tuple[list[tuple[Delivery, EmailMessage]], list[Change]]:
        """Take an allowance for each that has none; what is over a limit waits until its time."""
        fresh = [(delivery, message) for delivery, message in messages if delivery.allowed_at is None]
        now = self._clock()
        mails = [(delivery.issuer_id, message.to.mailbox) for delivery, message in fresh]
        taken = await self._allowances.take(mails, token=self._new_id(), now=now.timestamp()) if mails else []
        granted = {delivery.id: at for (delivery, _), at in zip(fresh, taken, strict=True)}
        allowed: list[tuple[Delivery, EmailMessage]] = []
        updates: list[Change] = []
        for given, message in messages:
            at = granted.get(given.id, given.allowed_at)
            if at is None:
                updates.append(changes.put_back(given, now + _GRANT_LOST_WAIT))
                continue
            delivery = replace(given, allowed_at=at)
            if at > now.timestamp() + _NEAR_SECONDS:
                metrics.POSTPONED.labels("limit").inc()
                updates.append(changes.put_back(delivery, datetime.fromtimestamp(at, UTC)))
            else:
                allowed.append((delivery, message))
        return allowed, updates

    async def _admit(
        self, messages: Sequence[tuple[Delivery, EmailMessage]]
    ) -> tuple[list[tuple[Delivery, EmailMessage]], list[Change]]:
        """Take a slot of its mailbox for each that has none; those that get none ask again."""
        asks = [Ask(each.id, each.issuer_id, message.to.mailbox) for each, message in messages if not each.admitted]
        now = self._clock()
        later = await self._allowances.admit(asks, token=self._new_id(), now=now.timestamp()) if asks else {}
        metrics.POSTPONED.labels("limit").inc(len(later))
        admitted = [(replace(each, admitted=True), message) for each, message in messages if each.id not in later]
        waiting = [
            changes.put_back(each, datetime.fromtimestamp(later[each.id], UTC))
            for each, _ in messages
            if each.id in later
        ]
        return admitted, waiting

    async def _pace(self, messages: Sequence[tuple[Delivery, EmailMessage]]) -> tuple[list[Ready], list[Change]]:
        """Take slots of the domains' rates for those that hold none; who may not go yet keeps its slot for later."""
        if not messages:
            return [], []
        now = self._clock().timestamp()
        held = [each.slot_at is not None and each.slot_at > now - _SLOT_KEPT_SECONDS for each, _ in messages]
        wanted: Counter[str] = Counter({message.to.domain: 0 for _, message in messages})
        wanted.update(message.to.domain for (_, message), has in zip(messages, held, strict=True) if not has)
        domains = await self._domains.take(wanted, token=self._new_id(), now=now)
        fresh: dict[str, Iterator[float]] = {domain: iter(slots.granted) for domain, slots in domains.items()}
        ready: list[Ready] = []
        updates: list[Change] = []
        for (delivery, message), has in zip(messages, held, strict=True):
            domain = message.to.domain
            if domain not in domains:
                updates.append(changes.put_back(delivery, self._clock() + _GRANT_LOST_WAIT))
                continue
            slot_at = delivery.slot_at if has and delivery.slot_at is not None else next(fresh[domain])
            update = self._not_yet(delivery, slot_at, domains[domain], now)
            if update is None:
                ready.append(Ready(delivery, message, slot_at, domains[domain].throttled))
            else:
                metrics.POSTPONED.labels("rate").inc()
                updates.append(update)
        return ready, updates

    def _not_yet(self, delivery: Delivery, slot_at: float, domain: Slots, now: float) -> Change | None:
        if slot_at < domain.paused_until and now < domain.paused_until:
            # It held a slot when the domain throttled us: that slot is void.
            return changes.put_back(delivery, datetime.fromtimestamp(domain.paused_until, UTC))
        if slot_at > now + _NEAR_SECONDS:
            return changes.put_back(delivery, datetime.fromtimestamp(slot_at, UTC), slot_at=slot_at)
        return None


def _reply_to(email: str | None) -> Address | None:
    """Return an issuer's address, where every mail server can take it."""
    address = None if email is None else Address.parse(email)
    return address if address is not None and address.is_ascii else None
