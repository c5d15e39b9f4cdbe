"""Checks among the stores: evidence, decisions, credentials, what is shown and what is mailed, against each other."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from bowerbird.auditing.difference import Difference
from bowerbird.auditing.reading import some_of
from libs.common.damage import Damage
from libs.common.mongo import Client, Document, find_by_ids
from libs.common.stored import UNREADABLE, Count, Text, typed
from libs.contracts.events import Event, Outcome
from libs.contracts.ids import Ids, submission_id
from libs.contracts.reasons import RevocationReason
from services.evidence.batches.batch import BatchState
from services.evidence.batches.repository import Batches
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential, CredentialState
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.announcements import announcement
from services.issuer.decisions.repository import MongoDecisions
from services.notifier.contacts.erasures import Erasures, covers
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries
from services.notifier.occasion import Occasion

Differences = AsyncIterator[Difference]

# The notifier forgets deliveries after a while; what it should have heard of lately it cannot have forgotten.
_REMEMBERED: Final = timedelta(days=25)


class StoreChecks:
    """Every check; each reads as much as it must, some at a time, and writes nothing."""

    def __init__(
        self, client: Client, ids: Ids, announcer: Announcer, damage: Damage, *, at: datetime, grace: timedelta
    ) -> None:
        """Take the client of one who may read every database; what changed within `grace` before `at` is on its way.

        What cannot be read is noted in `damage`, and left out.
        """
        self._damage = damage
        self._client = client
        self._ids = ids
        self._announcer = announcer
        self._settled = at - grace
        self._lately = at - _REMEMBERED
        self._credentials = MongoCredentials(client["issuer"])
        self._decisions = MongoDecisions(client, client["issuer"], self._credentials)
        self._batches = Batches(client["evidence"])
        self._deliveries = Deliveries(client["notifier"])

    async def differences(self) -> Differences:
        """Yield all that differs."""
        for check in (self._rows, self._numbers, self._decided, self._issued, self._shown, self._erased):
            async for each in check():
                yield each

    async def _rows(self) -> Differences:
        """Look for rows that were published and never decided; sending one again has it decided, or told again."""
        async for pending in self._batches.sent.pending(self._damage):
            for each in pending:
                if each.received_at < self._settled:
                    yield Difference("rows_undecided", str(each.submission_id), (("evidence", each),))

    async def _numbers(self) -> Differences:
        """Look whether the rows of each batch that was accepted add up."""
        batches, rows = self._client["evidence"]["batches"], self._client["evidence"]["rows"]
        query = {"state": BatchState.ACCEPTED, "accepted_at": {"$lt": self._settled}}
        fields = {"issuer_id": 1, "received": 1, "row": 1}
        async for some in some_of(batches, query, fields):
            for each in self._damage.readable("evidence.batches", some, _read_batch):
                of_batch = {"issuer_id": each.issuer_id, "batch_id": each.id, "row": {"$lte": each.row}}
                left = each.received - await rows.count_documents(of_batch)
                if left < 0:
                    yield Difference("rows_too_many", str(each.id))
                elif left > 0:
                    # Each of them is named by `_rows` too, as long as it is kept as it was published.
                    yield Difference("rows_undecided", f"{left} of batch {each.id}")

    async def _decided(self) -> Differences:
        """Look whether rows, and credentials, are what their decisions made of them."""
        fields = dict.fromkeys(("sequence", "outcome", "credential_id", "decided_at", "stacked.credential_id"), 1)
        async for found in some_of(self._client["issuer"]["decisions"], {"decided_at": {"$lt": self._settled}}, fields):
            some = self._damage.readable("issuer.decisions", found, _identified)
            behind = await self._behind(some)
            told = dict(await self._damage.listed("issuer.decisions", self._announcements, behind))
            for decision_id in behind:
                repair = (("issuer", told[decision_id]),) if decision_id in told else ()
                yield Difference("rows_differ", _named(decision_id), repair)
            issued = {credential_id: each for each in some for credential_id in _issued_by(each)}
            for credential_id in await self._there(issued):
                del issued[credential_id]
            for each in issued.values():
                yield Difference("decisions_without_credential", _named(each["decision"]))

    async def _announcements(self, decision_ids: Sequence[DecisionId]) -> list[tuple[DecisionId, Event]]:
        return [(each.decision_id, announcement(each)) for each in await self._decisions.of(decision_ids)]

    async def _there(self, credential_ids: Iterable[UUID]) -> set[UUID]:
        """Return those of these credentials that there are, whatever they say."""
        credentials = self._client["issuer"]["credentials"]
        return {each["_id"] for each in await find_by_ids(credentials, "_id", credential_ids, projection={"_id": 1})}

    async def _behind(self, decisions: Sequence[Document]) -> list[DecisionId]:
        """Return those of these decisions whose rows say something older or else; rows that ended their life aside."""
        evidence = self._client["evidence"]
        wanted = {submission_id(*each["decision"].piece): each for each in decisions}
        found = await find_by_ids(evidence["rows"], "_id", wanted)
        said = self._damage.readable("evidence.rows", found, lambda row: (row["_id"], _says(row, wanted[row["_id"]])))
        unread = {each["_id"] for each in found} - dict(said).keys()
        right = unread | {submission for submission, says in said if says}
        batches = {each["decision"].batch_id for each in decisions}
        there = {each["_id"] for each in await find_by_ids(evidence["batches"], "_id", batches, projection={"_id": 1})}
        return [
            each["decision"]
            for each in decisions
            if each["decision"].batch_id in there and submission_id(*each["decision"].piece) not in right
        ]

    async def _issued(self) -> Differences:
        """Look whether credentials were decided, are shown as they stand, and are told of to their learners."""
        async for credentials in self._credentials.everything(self._damage):
            settled = [each for each in credentials if self._is_settled(each)]
            of_settled = [each.decision_id for each in settled]
            found = await self._damage.listed("issuer.decisions", self._decisions.of, of_settled)
            decided = {each.decision_id: each.issued_ids for each in found}
            shown = {each["_id"]: each for each in await self._documents(settled)}
            expected = list(self._to_tell(settled))
            deliveries = await self._deliveries.find(expected, self._damage)
            for each in settled:
                if each.credential_id not in decided.get(each.decision_id, ()):
                    yield Difference("credentials_without_decision", str(each.credential_id))
                if not _is_shown(shown.get(each.credential_id), each):
                    yield Difference(
                        "badges_differ", str(each.credential_id), self._showing(each, shown.get(each.credential_id))
                    )
                told = deliveries.get(self._ids.delivery_id(each.credential_id, Occasion.ISSUED))
                if told is None and each.issued_at > self._lately:
                    yield Difference("deliveries_missing", str(each.credential_id), await self._telling(each))
                # Only who was told of a badge is told of its end.
                if told is not None and told.told and not deliveries.keys() >= set(self._closings(each)):
                    yield Difference("closings_untold", str(each.credential_id), self._closing(each))

    def _showing(self, credential: Credential, shown: Document | None) -> tuple[tuple[str, Event], ...]:
        """Return what shows a credential as it stands; nothing where more of its end is shown, which was published."""
        if shown is not None and shown.get("state") in _states_after(credential.state):
            return ()
        return (("issuer", self._announcer.document(credential, "").event),)

    def _is_settled(self, credential: Credential) -> bool:
        """Return whether it changed long ago, and all that is compared of it can be read."""
        try:
            self._announcer.document(credential, "")
            self._closing(credential)
            return _changed_at(credential) < self._settled
        except UNREADABLE as error:
            stored = {"_id": credential.credential_id, "issuer_id": credential.issuer_id}
            self._damage.note("issuer.credentials", stored, error)
            return False

    async def _documents(self, credentials: Sequence[Credential]) -> list[Document]:
        fields = {"state": 1, "document": 1}
        ids = [each.credential_id for each in credentials]
        return await find_by_ids(self._client["verifier"]["documents"], "_id", ids, projection=fields)

    def _to_tell(self, credentials: Sequence[Credential]) -> Iterator[UUID]:
        for each in credentials:
            yield self._ids.delivery_id(each.credential_id, Occasion.ISSUED)
            yield from self._closings(each)

    def _closings(self, credential: Credential) -> Iterator[UUID]:
        """Return the deliveries that tell of what ended a credential lately; of a take-down none tells twice."""
        revocation, take_down = credential.revocation, credential.take_down
        if revocation and revocation.reason is not RevocationReason.TAKEN_DOWN and revocation.at > self._lately:
            yield self._ids.delivery_id(credential.credential_id, Occasion.REVOKED)
        if take_down and take_down.at > self._lately:
            yield self._ids.delivery_id(credential.credential_id, Occasion.TAKEN_DOWN)

    async def _telling(self, credential: Credential) -> tuple[tuple[str, Event], ...]:
        ids = [credential.decision_id]
        told = [each for _, each in await self._damage.listed("issuer.decisions", self._announcements, ids)]
        closing = self._closing(credential) if credential.revocation else ()
        return (*(("issuer", each) for each in told), *closing)

    def _closing(self, credential: Credential) -> tuple[tuple[str, Event], ...]:
        return tuple(("issuer", each.event) for each in self._announcer.of_closing(credential, ""))

    async def _shown(self) -> Differences:
        """Look for badges that are shown and that nobody issued."""
        documents = self._client["verifier"]["documents"]
        async for some in some_of(documents, {"changed_at": {"$lt": self._settled}}, {"_id": 1}):
            issued = await self._there(each["_id"] for each in some)
            for each in some:
                if each["_id"] not in issued:
                    yield Difference("badges_unknown", str(each["_id"]))

    async def _erased(self) -> Differences:
        """Look for names and addresses that were erased; told again, their service erases them."""
        contacts = Contacts(self._client["notifier"])
        async for erasures in Erasures(self._client["notifier"]).everything(self._damage):
            erased = {each.learner_id: each for each in erasures if each.erased_at < self._settled}
            for contact in await self._damage.listed("notifier.contacts", contacts.stored, erased):
                erasure = erased[contact.learner_id]
                if covers(erasure.erased_at, contact):
                    yield Difference("erasures_undone", f"learner {contact.key}", (("notifier", erasure),))


class _Batch(NamedTuple):
    """What is added up of a batch that was accepted."""

    id: UUID
    issuer_id: Text
    received: Count
    row: Count


class _Decided(NamedTuple):
    """What is compared of a decision."""

    id: bytes
    sequence: Count
    outcome: Outcome
    credential_id: UUID | None


class _Row(NamedTuple):
    """What is compared of a row."""

    sequence: Count
    state: Outcome
    credential_id: UUID | None


_read_batch, _read_decided, _read_row = typed(_Batch, id="_id"), typed(_Decided, id="_id"), typed(_Row)


def _issued_by(decision: Document) -> list[UUID]:
    stacked = [each["credential_id"] for each in decision.get("stacked", ())]
    return [decision["credential_id"], *stacked] if decision["outcome"] == Outcome.ISSUED else stacked


def _identified(stored: Document) -> Document:
    """Return a decision with its id; what of it is compared later is looked at once here."""
    _read_decided(stored), _issued_by(stored)
    return {**stored, "decision": _decision_id(stored["_id"]), "sequence": stored["sequence"]}


def _decision_id(key: bytes) -> DecisionId:
    return DecisionId(UUID(bytes=key[:16]), int.from_bytes(key[16:20]), int.from_bytes(key[20:]))


def _named(decision_id: DecisionId) -> str:
    return f"batch {decision_id.batch_id}, row {decision_id.row}, decision {decision_id.sequence}"


def _says(row: Document, decision: Document) -> bool:
    """Return whether a row says what the decision says, or something later."""
    _read_row(row)
    if row["sequence"] != decision["sequence"]:
        return bool(row["sequence"] > decision["sequence"])
    return (row["state"], row.get("credential_id")) == (decision["outcome"], decision.get("credential_id"))


def _states_after(state: CredentialState) -> set[CredentialState]:
    return {each for each in CredentialState if each.rank > state.rank}


def _changed_at(credential: Credential) -> datetime:
    newest = credential.take_down or credential.revocation
    return credential.issued_at if newest is None else newest.at


def _is_shown(shown: Document | None, credential: Credential) -> bool:
    if shown is None:
        return False
    text = None if credential.take_down is not None else credential.document
    return (shown.get("state"), shown.get("document")) == (credential.state.value, text)
