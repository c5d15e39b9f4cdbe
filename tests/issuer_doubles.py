"""Builders of test data for the issuer, and its neighbours in memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid5

from libs.audit.entry import Entry
from libs.common.damage import Damage
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    AchievementLevel,
    AchievementPublished,
    EvidenceDecided,
    EvidenceSubmitted,
    IssuerPublished,
    Outcome,
    ReconsiderHolding,
)
from libs.contracts.ids import submission_id
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import Result, SoloLevel
from libs.contracts.rules import asked_for
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.award import HeldAward, NewAward
from services.issuer.credentials.credential import Credential, Revocation, TakeDown, follows_from_evidence
from services.issuer.credentials.hindrance import Hindrance, Pair
from services.issuer.credentials.worker import ChangedLists, StackedUpon
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.context import Owner
from services.issuer.decisions.decision import NO_CHANGES, Changes, Decision, Lack, Waiting
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.published import PublishedHistory, decision_id_of
from services.issuer.decisions.superseding import Superseding
from services.issuer.status.entry import StatusEntry
from tests.ids import IDS, event_id

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_BATCH = UUID(int=7)


def issuer(issuer_id: str = "wattle", parent: str | None = None, did: str | None = None) -> IssuerPublished:
    return IssuerPublished(
        issuer_id=issuer_id,
        version=1,
        parent=parent,
        name=issuer_id.title(),
        did=did or f"did:web:badges.example:issuers:{issuer_id}",
        did_document="{}",
        published_at=NOW,
    )


def achievement(achievement_id: str = "resilience", **changes: Any) -> AchievementPublished:
    content: dict[str, Any] = {
        "owner": "wattle",
        "achievement_id": achievement_id,
        "version": 1,
        "name": achievement_id.title(),
        "description": "Goes on when it gets hard.",
        "criteria": "Was seen to go on in three situations.",
        "levels": [
            AchievementLevel(level=level, name=level.label, description=f"Is seen at {level.label}.")
            for level in SoloLevel
        ],
        "required_level": SoloLevel.MULTISTRUCTURAL,
        "published_at": NOW,
    }
    return AchievementPublished(**(content | changes))


def ruled(achievement_id: str, rule: dict[str, Any], **changes: Any) -> AchievementPublished:
    """An achievement with a rule in the place of a required level."""
    return achievement(achievement_id, required_level=None, rule=rule, **changes)


def counted_together() -> list[AchievementPublished]:
    """Achievements of which two pieces count together, and one above them, and one above that."""
    holding = [{"type": "holds", "achievement": f"wattle/{each}"} for each in ("resilience", "wit")]
    return [
        ruled("wit", {"type": "evidence", "level": "multistructural", "count": 2}),
        ruled("character", {"type": "all", "of": holding}),
        ruled("diploma", {"type": "holds", "achievement": "wattle/character"}),
    ]


def evidence(row: int = 1, level: SoloLevel | None = SoloLevel.RELATIONAL, **changes: Any) -> EvidenceSubmitted:
    """One piece; `source_id` and `learner` (a local id) may be given beside the fields."""
    issuer_id = changes.pop("issuer_id", "wattle")
    source_id = changes.pop("source_id", f"e{row}")
    batch_id = changes.pop("batch_id", _BATCH)
    content: dict[str, Any] = {
        "submission_id": submission_id(batch_id, row),
        "evidence_id": IDS.evidence_id(issuer_id, "file", source_id),
        "digest": f"digest of {source_id}",
        "batch_id": batch_id,
        "row": row,
        "issuer_id": issuer_id,
        "source": "file",
        "source_id": source_id,
        "learner_id": IDS.learner_id(issuer_id, changes.pop("learner", "s1")),
        "achievement": "resilience",
        "result": Result(level=level) if level is not None else Result(score=changes.pop("score")),
        "observed_on": date(2026, 3, 2),
        "activity": "Raft building",
        "received_at": NOW,
    }
    return EvidenceSubmitted(**(content | changes))


def received(batch: Iterable[EvidenceSubmitted]) -> list[Received[EvidenceSubmitted]]:
    return [Received(each, each.key, TRACE) for each in batch]


class MemoryAudit:
    """What was recorded, in its order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def record(self, *entries: Entry) -> None:
        self.entries += entries


class MemoryCredentials:
    """Credentials in memory, read as the real store reads them; `MemoryDecisions` stores them."""

    def __init__(self) -> None:
        self.stored: dict[UUID, Credential] = {}

    async def by_ids(self, credential_ids: Iterable[UUID], _damage: Damage | None = None) -> dict[UUID, Credential]:
        return {each: self.stored[each] for each in credential_ids if each in self.stored}

    async def revoked_of(self, credential_ids: Iterable[UUID]) -> list[Credential]:
        return [each for each in (await self.by_ids(credential_ids)).values() if each.revocation is not None]

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[HeldAward]]:
        wanted, holdings = set(holding_ids), dict[UUID, list[HeldAward]]()
        for each in self.stored.values():
            if each.holding_id in wanted:
                award = HeldAward(
                    each.credential_id,
                    each.level,
                    active=each.revocation is None,
                    evidence_id=each.evidence_id,
                    piece=each.decision_id.piece,
                    sequence=each.decision_id.sequence,
                    issued_at=each.issued_at,
                    reopened=follows_from_evidence(each.revocation),
                )
                holdings.setdefault(each.holding_id, []).append(award)
        return holdings

    def revoke(self, credential_id: UUID) -> None:
        self.stored[credential_id] = replace(
            self.stored[credential_id], revocation=Revocation(NOW, RevocationReason.OTHER)
        )

    def take_down(self, credential_id: UUID) -> None:
        withheld = TakeDown(NOW, TakeDownReason.PERSONAL_DATA)
        self.stored[credential_id] = replace(
            self.stored[credential_id], revocation=withheld.revocation, take_down=withheld, document=None
        )


class MemoryDecisions:
    """Decisions and what waits in memory, with the unique indexes of the real store."""

    def __init__(self, credentials: MemoryCredentials | None = None) -> None:
        self.credentials = credentials or MemoryCredentials()
        self.stored: dict[DecisionId, Decision] = {}
        self.waiting: dict[PieceId, Waiting] = {}
        self.kept_evidence: dict[UUID, Kept] = {}

    async def newest(self, pieces: Iterable[PieceId]) -> dict[UUID, Decision]:
        wanted, newest = set(pieces), dict[UUID, Decision]()
        for decision_id, each in sorted(self.stored.items()):
            if decision_id.piece in wanted:
                newest[each.evidence.submission_id] = each
        return newest

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        wanted = set(evidence_ids)
        return {
            each.evidence.evidence_id: Owner(
                each.evidence.submission_id,
                each.evidence.digest,
                each.decision_id,
                withdrawn=each.outcome is Outcome.WITHDRAWN,
            )
            for each in self.stored.values()
            if each.owns_evidence and each.evidence.evidence_id in wanted
        }

    async def held_against(self, credential_ids: Collection[UUID], limit: int) -> list[PieceId]:
        found = [
            decision_id.piece
            for decision_id, each in sorted(self.stored.items())
            if each.outcome is Outcome.DUPLICATE and each.credential_id in credential_ids
        ]
        return list(dict.fromkeys(found[:limit]))

    async def kept(self, holding_ids: Collection[UUID]) -> dict[UUID, Kept]:
        return {each: self.kept_evidence[each] for each in holding_ids if each in self.kept_evidence}

    async def record(
        self,
        decisions: Sequence[Decision],
        credentials: Sequence[Credential],
        waiting: Sequence[Waiting],
        kept: Sequence[Kept] = (),
        changes: Changes = NO_CHANGES,
    ) -> bool:
        held = self.credentials
        before = self.stored | {each: replace(self.stored[each], owns_evidence=False) for each in changes.disowned}
        closed = {
            credential_id: replace(held.stored[credential_id], revocation=revocation)
            for (credential_id, _), revocation in changes.revocations.items()
        }
        if not all(self.stored[each].owns_evidence for each in changes.disowned) or any(
            held.stored[each].revocation is not None for each in closed
        ):
            return False
        all_decisions = before | {each.decision_id: each for each in decisions}
        all_credentials = held.stored | closed | {each.credential_id: each for each in credentials}
        if len(all_decisions) < len(self.stored) + len(decisions) or len(all_credentials) < (
            len(held.stored) + len(credentials)
        ):
            return False
        owned = [each.evidence.evidence_id for each in all_decisions.values() if each.owns_evidence]
        awarded = [
            (each.holding_id, each.level, each.evidence_id)
            for each in all_credentials.values()
            if each.revocation is None
        ]
        if len(set(owned)) < len(owned) or len(set(awarded)) < len(awarded):
            return False
        stored = {each.holding_id: each.version for each in self.kept_evidence.values()}
        if any(stored.get(each.holding_id, 0) != each.version for each in kept):
            return False
        self.kept_evidence |= {each.holding_id: replace(each, version=each.version + 1) for each in kept}
        self.stored, held.stored = all_decisions, all_credentials
        self.waiting |= {each.piece: each for each in waiting}
        return True

    async def remove_texts(self, decision_ids: Iterable[DecisionId]) -> None:
        for decision_id in decision_ids:
            for key, held in self.stored.items():
                if key.piece == decision_id.piece:
                    evidence = held.evidence.model_copy(update={"activity": "", "link": None})
                    self.stored[key] = replace(held, evidence=evidence)

    async def lacking(self, after: str, limit: int) -> list[Lack]:
        names = {each.lack.text for each in self.waiting.values()}
        return [Lack.read(name) for name in sorted(name for name in names if name > after)[:limit]]

    async def waiting_for(self, lacking: Iterable[Lack], before: datetime, limit: int) -> list[Waiting]:
        wanted = set(lacking)
        due = [each for each in self.waiting.values() if each.since <= before]
        found = [each for each in due if each.lack in wanted]
        return sorted(found, key=lambda each: (each.since, each.piece))[:limit]

    async def overdue(self, now: datetime, limit: int) -> list[Waiting]:
        ends = [(each.until, each) for each in self.waiting.values() if each.until is not None and each.until <= now]
        return [each for _, each in sorted(ends, key=lambda each: each[0])][:limit]

    async def put_off(self, waiting: Waiting, until: datetime) -> None:
        held = self.waiting.get(waiting.piece)
        if held is not None:
            ends = None if held.until is None else max(held.until, until)
            self.waiting[waiting.piece] = replace(held, since=until, until=ends)

    async def wait_on(self, waiting: Iterable[Waiting]) -> None:
        for each in waiting:
            if each.piece in self.waiting:
                self.waiting[each.piece] = each

    async def end_waiting(self, pieces: Iterable[PieceId]) -> None:
        for piece in pieces:
            self.waiting.pop(piece, None)

    async def count_waiting(self) -> int:
        return len(self.waiting)


class MemoryPublished:
    """Decisions that were published and that a store in memory lacks."""

    def __init__(self, events: Iterable[EvidenceDecided] = ()) -> None:
        self.events = {decision_id_of(each): each for each in events}

    async def of(self, pieces: Iterable[PieceId]) -> dict[PieceId, list[EvidenceDecided]]:
        wanted, found = set(pieces), dict[PieceId, list[EvidenceDecided]]()
        for decision_id, each in sorted(self.events.items()):
            if decision_id.piece in wanted:
                found.setdefault(decision_id.piece, []).append(each)
        return found

    async def forget(self, decision_ids: Iterable[DecisionId]) -> None:
        for each in decision_ids:
            self.events.pop(each, None)


def history(store: MemoryDecisions, published: MemoryPublished | None = None) -> PublishedHistory:
    return PublishedHistory(published or MemoryPublished(), store, store.credentials, IDS)


@dataclass
class MemoryCatalogue:
    """A catalogue of these issuers and achievements; the last version of an achievement decides."""

    published: list[IssuerPublished]
    versions: list[AchievementPublished]

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        known = {each.issuer_id: each for each in self.published}
        return {each: known[each] for each in issuer_ids if each in known}

    async def suspended(self, issuer_ids: Iterable[str]) -> set[str]:
        known = await self.issuers(issuer_ids)
        return {issuer_id for issuer_id, each in known.items() if each.suspension is not None}

    async def resolve(
        self, pairs: Iterable[tuple[str, str]], issuers: dict[str, IssuerPublished]
    ) -> dict[tuple[str, str], AchievementPublished]:
        newest = {(each.owner, each.achievement_id): each for each in self.versions}
        # An issuer's own, and those that stand above them, however many layers.
        found = {pair: newest[pair] for pair in pairs if pair in newest and pair[0] in issuers}
        while True:
            keys = {each.key_of_all_versions for each in found.values()}
            above = {
                pair: each
                for pair, each in newest.items()
                if pair not in found and each.rule is not None and keys.intersection(asked_for(each.rule))
            }
            if not above:
                return found
            found |= above

    async def asked_for(self, keys: Iterable[str]) -> set[str]:
        rules = [each.rule for each in self.versions if each.rule is not None]
        return set(keys).intersection(key for rule in rules for key in asked_for(rule))

    def unreadable(self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished]) -> dict[Pair, Hindrance]:
        return {}


class PlainSigner:
    """Writes what was decided instead of signing it; a link that holds a space cannot be written.

    Of an issuer in `hindered` nothing can be, and of one in `faulty` that shows only when it is tried.
    """

    def __init__(self) -> None:
        self.hindered: dict[str, Hindrance] = {}
        self.faulty: set[str] = set()

    async def hindrances(
        self, versions: Mapping[Pair, AchievementPublished], issuers: Mapping[str, IssuerPublished]
    ) -> dict[Pair, Hindrance]:
        return {pair: self.hindered[pair[0]] for pair in versions if pair[0] in self.hindered}

    async def credentials(
        self, awards: Sequence[tuple[NewAward, StatusEntry]], issuers: dict[str, IssuerPublished], at: datetime
    ) -> list[str | CredentialError | Hindrance]:
        return [
            Hindrance.ACHIEVEMENT_UNUSABLE
            if award.evidence.issuer_id in self.faulty
            else CredentialError("iri_invalid", "no IRI")
            if " " in (award.evidence.link or "")
            else f"{award.credential_id} at {entry.list_id}#{entry.index} on {at.isoformat()}"
            for award, entry in awards
        ]


class NothingStacked:
    """Credentials on which nothing stacks."""

    async def reconsider(self, closed: Sequence[Credential]) -> list[ReconsiderHolding]:
        return []


class ListChanges:
    """Keeps of which status lists changes were counted."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    async def changed(self, list_ids: Sequence[str], since: datetime) -> None:
        self.changes += list_ids


def superseding_of(
    store: MemoryDecisions,
    announcer: Announcer,
    lists: ChangedLists | None = None,
    stacked: StackedUpon | None = None,
) -> Superseding:
    """Return what tells of credentials in whose place others were issued."""
    return Superseding(
        credentials=store.credentials,
        lists=lists or ListChanges(),
        announcer=announcer,
        stacked=stacked or NothingStacked(),
    )


class MemoryStatusEntries:
    """StatusEntries, each once."""

    def __init__(self) -> None:
        self._next = 0

    async def allocate(self, count: int) -> list[StatusEntry]:
        first, self._next = self._next, self._next + count
        return [StatusEntry("1790000000-1", first + each) for each in range(count)]


def event_ids(outgoing: Iterable[Outgoing]) -> list[str]:
    return [event_id(each.event) for each in outgoing]


def some_id(name: str) -> UUID:
    return uuid5(_BATCH, name)
