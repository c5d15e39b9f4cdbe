"""What must stand on the topics, made again from the stores: the same keys, ids, versions and texts as before."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from bowerbird.authority import Authority
from libs.access.repository import KeyRepository
from libs.common.damage import Damage
from libs.common.mongo import Client
from libs.common.stored import UNREADABLE
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    AUTHORITY_ID,
    AchievementPublished,
    CredentialDocument,
    Event,
    EvidenceWithdrawn,
    IssuerPublished,
    Outcome,
)
from services.evidence.batches.repository import Batches
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.requests import ClosingRequest, ClosingRequests, RequestKind
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.announcements import announcement
from services.issuer.decisions.holdings import ClosedHoldings, HeldBelow
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.withdrawal_requests import WithdrawalRequests
from services.issuer.mail_domains.repository import MailDomainRepository
from services.notifier.contacts.erasures import Erasures, covers
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries
from services.notifier.occasion import Occasion

T = TypeVar("T")
Events = AsyncIterator[Sequence[Event]]
Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]

_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Kind:
    """One kind of what is published.

    Attributes:
        name: what it is, in words.
        publisher: the service that publishes it, whose events they are.
        events: yields all of it, some at a time.
        is_kept: whether its topic keeps the last record of each key.
    """

    name: str
    publisher: str
    events: Callable[[], Events]
    is_kept: bool = True


class Publications:
    """Reads the stores of all services, and writes to none.

    Attributes:
        damage: documents that could not be read, and were left out, so far.
    """

    def __init__(self, client: Client, authority: Authority, at: datetime) -> None:
        """Take the client of one who may read every database, and the present moment."""
        self.damage = Damage()
        issuer, notifier = client["issuer"], client["notifier"]
        self._issuer = issuer
        self._ids = authority.ids
        self._announcer = authority.announcer
        self._commands = authority.commands
        self._contact_sealing = authority.contact_sealing
        self._at = at
        self._catalogue = Catalogue(issuer)
        self._mail_domains = MailDomainRepository(issuer)
        self._keys = KeyRepository(issuer)
        self._credentials = MongoCredentials(issuer)
        self._decisions = MongoDecisions(client, issuer, self._credentials)
        self._requests = ClosingRequests(issuer)
        self._withdrawals = WithdrawalRequests(issuer)
        self._closed_holdings = ClosedHoldings(self._catalogue, authority.learner_proofs)
        self._held_below = HeldBelow(issuer, self._credentials, authority.learner_proofs)
        self._contacts = Contacts(notifier)
        self._erasures = Erasures(notifier)
        self._deliveries = Deliveries(notifier)
        self._batches = Batches(client["evidence"])

    def compacted(self) -> Sequence[Kind]:
        """Return the kinds of which topics keep the last record of each key, with whatever else is told beside it."""
        return [each for each in self.kinds() if each.is_kept]

    def kinds(self) -> Sequence[Kind]:
        """Return every kind, in an order in which each finds what it depends on."""
        return (
            Kind("grants and withdrawals of API keys", "issuer", self._access_keys),
            Kind("the authority's own DID document", "issuer", self._authority),
            Kind("versions of organisations", "issuer", self._organisations),
            Kind("versions of issuers", "issuer", self._issuers),
            Kind("versions of achievements", "issuer", self._achievements),
            Kind("domains that mail may go to", "issuer", self._domains),
            Kind("names and addresses", "evidence", self._given),
            Kind("names and addresses that the notifier has not read", "evidence", self._unread, is_kept=False),
            Kind("erasures of learners", "notifier", self._erased),
            Kind("credentials, with what partners read", "issuer", self._announced),
            Kind("decisions that nobody was told of", "issuer", self._untold, is_kept=False),
            Kind("requests to revoke and take down that are not done", "issuer", self.unanswered, is_kept=False),
            Kind("withdrawals of evidence that are not done", "issuer", self.unwithdrawn, is_kept=False),
            Kind("revoked badges, for what stacked on them", "issuer", self._stacked_upon, is_kept=False),
            Kind("held badges, for what was published above them", "issuer", self._swept_for, is_kept=False),
            Kind("rows that are not decided", "evidence", self._undecided, is_kept=False),
        )

    async def publish(self, events: Sequence[Event], publish: Publish, trace: str) -> None:
        """Publish these, wait until they are confirmed, and publish again what has changed since they were read.

        A credential's end is stored before it is published: where it was published before these, the store has it once
        they are confirmed.
        """
        while events:
            await publish([Outgoing(each, trace) for each in events])
            events = await self._changed(events)

    async def _changed(self, events: Sequence[Event]) -> list[CredentialDocument]:
        """Return as they stand now those of these documents of credentials that have changed."""
        published = {each.credential_id: each for each in events if isinstance(each, CredentialDocument)}
        if not published:
            return []
        credentials = await self._of_credentials(published)
        stand = [event for each in credentials.values() for event in self._announcements(each)]
        documents = [each for each in stand if isinstance(each, CredentialDocument)]
        return [each for each in documents if each != published[each.credential_id]]

    async def _access_keys(self) -> Events:
        every = [each async for each in self._keys.everything(self.damage)]
        for some in _parts(every):
            yield some

    async def _authority(self) -> Events:
        try:
            newest = await self._catalogue.newest_authority()
        except UNREADABLE as error:
            self.damage.note("issuer.authority_document", {"_id": AUTHORITY_ID}, error)
        else:
            yield [] if newest is None else [newest]

    def _organisations(self) -> Events:
        return self._catalogue.organisations.everything(self.damage)

    def _issuers(self) -> Events:
        return self._events_in("issuers", IssuerPublished)

    def _achievements(self) -> Events:
        return self._events_in("achievements", AchievementPublished)

    async def _events_in(self, collection: str, event: type[IssuerPublished | AchievementPublished]) -> Events:
        """Yield what the documents of a collection of the issuer's say, sorted by id."""
        cursor = self._issuer[collection].find({}, {"owner": 1, "event": 1}).sort("_id", 1).batch_size(_AT_ONCE)
        while found := await cursor.to_list(_AT_ONCE):
            yield self.damage.readable(
                f"issuer.{collection}", found, lambda each: event.model_validate_json(each["event"])
            )

    def _undecided(self) -> Events:
        return self._batches.sent.pending(self.damage)

    async def _domains(self) -> Events:
        yield await self._mail_domains.everything(self.damage)

    async def _given(self) -> Events:
        """Yield the contacts of whoever was not erased since they were given."""
        async for contacts in self._contacts.everything(self.damage):
            learners = [each.learner_id for each in contacts]
            erased = await self._erasures.of(learners, self.damage)
            yield [each for each in contacts if not covers(erased.get(each.learner_id), each)]

    async def _unread(self) -> Events:
        """Yield the contacts that rows came with, and that the notifier has neither read nor been told to erase."""
        async for contacts in self._batches.sent.contacts(self._contact_sealing, self.damage):
            learners = [each.learner_id for each in contacts]
            erased = await self._erasures.of(learners, self.damage)
            stored = await self.damage.listed("notifier.contacts", self._contacts.stored, learners)
            known = {each.learner_id: each.changed_at for each in stored}
            yield [
                each
                for each in contacts
                if not covers(erased.get(each.learner_id), each)
                and (each.learner_id not in known or known[each.learner_id] < each.changed_at)
            ]

    async def _erased(self) -> Events:
        """Yield the erasures of learners who were not given again since."""
        async for erasures in self._erasures.everything(self.damage):
            erased = {each.learner_id: each for each in erasures}
            for contact in await self.damage.listed("notifier.contacts", self._contacts.stored, erased):
                if not covers(erased[contact.learner_id].erased_at, contact):
                    del erased[contact.learner_id]
            yield list(erased.values())

    async def _announced(self) -> Events:
        async for credentials in self._credentials.everything(self.damage):
            yield [event for each in credentials for event in self._announced_of(each)]

    def _announced_of(self, credential: Credential) -> list[Event]:
        try:
            return list(self._announcements(credential))
        except UNREADABLE as error:
            self._note_credential(credential, error)
            return []

    def _note_credential(self, credential: Credential, error: Exception) -> None:
        stored = {"_id": credential.credential_id, "issuer_id": credential.issuer_id}
        self.damage.note("issuer.credentials", stored, error)

    async def _of_credentials(self, ids: Iterable[UUID]) -> dict[UUID, Credential]:
        return await self._credentials.by_ids(ids, self.damage)

    def _announcements(self, credential: Credential) -> Iterator[Event]:
        """Return the document as it stands now, and of what partners read what is not older than its topic keeps."""
        kept = topics.CREDENTIAL_LIFECYCLE.kept
        every = (*self._announcer.of_issue(credential, ""), *self._announcer.of_closing(credential, ""))
        for outgoing in {each.event.type: each for each in every}.values():
            if outgoing.event.destination is not topics.CREDENTIAL_LIFECYCLE or (
                kept is not None and self._at - outgoing.event.time < kept
            ):
                yield outgoing.event

    async def _untold(self) -> Events:
        """Return the decisions on credentials that the notifier has no delivery of."""
        async for credentials in self._credentials.everything(self.damage):
            expected = {self._ids.delivery_id(each.credential_id, Occasion.ISSUED): each for each in credentials}
            told = await self._deliveries.known(expected)
            decisions = [each.decision_id for delivery, each in expected.items() if delivery not in told]
            yield await self.damage.listed("issuer.decisions", self._announcements_of, decisions)

    async def _announcements_of(self, decision_ids: Iterable[DecisionId]) -> list[Event]:
        return [announcement(each) for each in await self._decisions.of(decision_ids)]

    async def unanswered(self) -> Events:
        """Yield the commands of requests to revoke or take down that are not done."""
        async for requests in self._requests.everything(self.damage):
            found = await self._of_credentials({each.credential_id for each in requests})
            yield [self._commands.of(each) for each in requests if _is_open(each, found.get(each.credential_id))]

    async def unwithdrawn(self) -> AsyncIterator[Sequence[EvidenceWithdrawn]]:
        """Yield the withdrawals of evidence that are not done."""
        async for asked in self._withdrawals.everything(self.damage):
            pieces = [PieceId(each.batch_id, each.row) for each in asked]
            parts = await self.damage.parts("issuer.decisions", self._decisions.newest, pieces)
            newest = {key: each for part in parts for key, each in part.items()}
            undone = {key for key, each in newest.items() if each.outcome is not Outcome.WITHDRAWN}
            yield [each for each in asked if each.submission_id in undone]

    async def _stacked_upon(self) -> Events:
        """Yield what has badges looked at that stack on revoked ones; where that was done, nothing follows."""
        async for closed in self._credentials.closed(self.damage):
            yield await self._closed_holdings.reconsider(closed)

    async def _swept_for(self) -> Events:
        """Yield what has badges looked at for achievements that came since their topic keeps what asks for that."""
        kept = topics.EVIDENCE_SUBMITTED.kept
        assert kept is not None  # noqa: S101  # what a topic of events has
        async for some in self._held_below.reconsider(self._at - kept, self._at):
            yield some


def _is_open(request: ClosingRequest, credential: Credential | None) -> bool:
    if credential is None:
        return False
    if request.kind is RequestKind.REVOKE:
        return credential.revocation is None
    return credential.take_down is None


def _parts(every: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(every)
    while some := list(islice(iterator, _AT_ONCE)):
        yield some
