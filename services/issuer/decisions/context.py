"""What decisions depend on besides the evidence, and what they come to: shared by the rules of deciding."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from libs.contracts.events import AchievementPublished, Counted, EvidenceSubmitted, Outcome, StackedAward
from libs.contracts.ids import Ids
from libs.contracts.rules import asked_for
from services.issuer.credentials.award import HeldAward, NewAward
from services.issuer.credentials.credential import Credential
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.decision import Decision, Reason
from services.issuer.decisions.kept import Kept

# Stands in every decision; raise it when a change of the rules would decide the same evidence differently.
RULES_VERSION = "5"

Stacking = Mapping[tuple[str, str], Sequence[AchievementPublished]]
"""By issuer and an achievement, OWNER/ID: the versions whose rules ask to hold it."""


class Owner(NamedTuple):
    """The submission that a piece of evidence was first taken from, what it said, and whether it was withdrawn."""

    submission_id: UUID
    digest: str
    decision_id: DecisionId | None = None
    withdrawn: bool = False


class Replaceable(NamedTuple):
    """A credential in whose place another is to be awarded, and why that is too late, where it is."""

    issuer_id: str
    learner_id: UUID
    holding_id: UUID
    active: bool
    too_late: Reason | None = None

    @classmethod
    def of(cls, credential: Credential, *, has_successor: bool) -> Self:
        """Return what is to be known of a credential, and whether what took its place, if anything did, is here.

        A database that was set back, and that Kafka gave less than everything, may have the end alone.
        """
        ended, too_late = credential.revocation, None
        if ended is not None and ended.successor_id is None:
            too_late = Reason.SUPERSEDED_REVOKED
        elif has_successor:
            too_late = Reason.SUPERSEDED_BEFORE
        return cls(credential.issuer_id, credential.learner_id, credential.holding_id, ended is None, too_late)


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What decisions depend on besides the evidence, as it stands before a batch.

    `decide` keeps `owners`, `holdings`, `kept`, `changed`, `disowned` and `superseded` up to date as it goes.

    Attributes:
        ids: derives the ids of holdings and credentials.
        issuers: the ids of issuers that are known.
        achievements: by issuer and the achievement's id as the evidence has it, the version that decides now.
        owners: by evidence id.
        holdings: by holding id (`libs.contracts.ids`), all awards ever made, the revoked ones too.
        suspended: the ids of issuers that may issue nothing for the time being.
        hindrances: by issuer and achievement as the evidence has it, why nothing can be signed, whatever it says.
        unwritable: submissions that no valid credential can be written of (a link that is no IRI).
        overdue: submissions that may wait no longer.
        never_waits: reasons for which nothing may wait.
        stacking: which achievements ask to hold which.
        kept: by holding id, the evidence that is kept to count together.
        changed: the holdings whose kept evidence is to be stored: what was decided depends on all of it.
        recorded: by submission, the sequence of the newest decision that is recorded: what a later one issued and is
            here was issued by a decision that was lost.
        disowned: decisions whose evidence another submission stands for from now on.
        superseded: by their ids, the credentials that are here in whose place others are to be awarded.
    """

    ids: Ids
    issuers: Collection[str]
    achievements: Mapping[tuple[str, str], AchievementPublished]
    owners: dict[UUID, Owner]
    holdings: dict[UUID, list[HeldAward]]
    suspended: Collection[str] = ()
    hindrances: Mapping[tuple[str, str], Reason] = field(default_factory=dict)
    unwritable: Collection[UUID] = ()
    overdue: Collection[UUID] = ()
    never_waits: Collection[Reason] = ()
    stacking: Stacking = field(default_factory=dict)
    kept: dict[UUID, Kept] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)
    recorded: Mapping[UUID, int] = field(default_factory=dict)
    disowned: set[DecisionId] = field(default_factory=set)
    superseded: dict[UUID, Replaceable] = field(default_factory=dict)

    def lost(self, held: HeldAward, evidence: EvidenceSubmitted) -> bool:
        """Return whether an award was issued by a decision on this piece that is not recorded."""
        piece = PieceId(evidence.batch_id, evidence.row)
        return held.piece == piece and held.sequence > self.recorded.get(evidence.submission_id, 0)

    @property
    def has_rules(self) -> bool:
        """Return whether a rule counts evidence together, or asks to hold something."""
        return any(each.rule is not None for each in self.achievements.values())


class RuleOutcome(NamedTuple):
    """What one piece of evidence earns.

    Attributes:
        achievement: the version whose rule decided; None where it did not come to that.
        credential_id: the credential to issue, or the one that is held already.
        owns_evidence: whether its source id now stands for this submission. What was refused or waits can be sent again
            under the same source id, with its fault corrected.
        award: what is to be issued, where it is.
        issued_at: of a piece whose credential was issued before its decision was lost: when that was.
        counted: where the piece is kept to count together with others: what is issued is made of this.
        missing: what a rule still lacks, in words.
        stacked: what followed from what the piece has earned, with the credentials that are there already.
        stacked_awards: what of that is to be issued.
        revoked: of a piece that was withdrawn, what rested on it and is revoked.
        superseded: the credential that ends as another is issued in its place.
    """

    evidence: EvidenceSubmitted
    outcome: Outcome
    reason: Reason | None = None
    achievement: AchievementPublished | None = None
    credential_id: UUID | None = None
    owns_evidence: bool = False
    award: NewAward | None = None
    issued_at: datetime | None = None
    counted: Counted | None = None
    missing: str | None = None
    stacked: tuple[StackedAward, ...] = ()
    stacked_awards: tuple[NewAward, ...] = ()
    revoked: tuple[UUID, ...] = ()
    superseded: UUID | None = None

    @property
    def awards(self) -> tuple[NewAward, ...]:
        """Return all that is to be issued."""
        return self.stacked_awards if self.award is None else (self.award, *self.stacked_awards)

    @property
    def rule_version(self) -> str:
        """Return which rule decided: the version of the rules in code, and of the achievement where one was asked."""
        rules = f"rules {RULES_VERSION}"
        return rules if self.achievement is None else f"{self.achievement.version_key}, {rules}"

    def decision(self, sequence: int, at: datetime, waits_until: datetime | None) -> Decision:
        """Return the decision to keep; `waits_until` matters where it is to wait."""
        return Decision(
            evidence=self.evidence,
            sequence=sequence,
            outcome=self.outcome,
            reason=self.reason,
            achievement=None if self.achievement is None else self.achievement.version_key,
            rule_version=self.rule_version,
            credential_id=self.credential_id,
            owns_evidence=self.owns_evidence,
            waits_until=waits_until if self.outcome is Outcome.WAITING else None,
            decided_at=self.issued_at or at,
            counted=self.counted,
            missing=self.missing,
            stacked=self.stacked,
            revoked=self.revoked,
        )


def stacking_of(achievements: Mapping[tuple[str, str], AchievementPublished]) -> Stacking:
    """Return which of these achievements ask to hold which, each issuer's own."""
    stacking: dict[tuple[str, str], list[AchievementPublished]] = {}
    for (issuer_id, _), version in sorted(achievements.items()) if _some_rules(achievements) else ():
        for key in () if version.rule is None else asked_for(version.rule):
            stacking.setdefault((issuer_id, key), []).append(version)
    return stacking


def _some_rules(achievements: Mapping[tuple[str, str], AchievementPublished]) -> bool:
    return any(each.rule is not None for each in achievements.values())
