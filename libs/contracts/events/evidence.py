"""Events about evidence: a piece of it, its withdrawal, its batch, and the decision on it."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.contracts import topics
from libs.contracts.events.event import Event
from libs.contracts.reasons import AwardCode, WithdrawalCode
from libs.contracts.results import Result, SoloLevel
from libs.contracts.topics import Topic


class ByHand(BaseModel):
    """Who awards by hand, and why: the evidence is held against no rule that counts several pieces together."""

    model_config = ConfigDict(frozen=True)

    reason: AwardCode
    awarded_by: str = Field(description="who asked, as in the audit log: key:ISSUER/NAME")
    supersedes: UUID | None = Field(
        default=None, description="the credential in whose place it is awarded, and which ends with it"
    )

    @property
    def terms(self) -> str:
        """Return what tells an award from another of the same evidence: why, and in the place of what."""
        return self.reason.value if self.supersedes is None else f"{self.reason.value} for {self.supersedes}"


class EvidenceSubmitted(Event):
    """A school sent one piece of evidence, whose form is good. What it earns is not decided yet."""

    type = "org.bowerbirdbadges.evidence.submitted.v1"
    topic = topics.EVIDENCE_SUBMITTED
    other_topics = (topics.EVIDENCE_BULK,)
    key_fields = ("learner_id",)
    id_fields = ("submission_id",)
    time_field = "received_at"

    submission_id: UUID = Field(description="this sending of the evidence: the batch and the row")
    evidence_id: UUID = Field(description="the evidence, however often sent: issuer, source and source id")
    digest: str = Field(description="SHA-256, hex, of what the evidence says: tells a repeat from a reused source id")
    batch_id: UUID
    row: int = Field(ge=1, description="the row of the batch, the first row of data being 1")
    issuer_id: str
    source: str = Field(description="the system or file that the source id comes from")
    source_id: str
    learner_id: UUID
    achievement: str = Field(description="the achievement's id as the sender wrote it")
    result: Result
    observed_on: date
    activity: str
    link: str | None = None
    class_id: str | None = Field(default=None, description="the class or group at the school, an identifier")
    term: str | None = Field(default=None, description="the term or period at the school, an identifier")
    assessor_id: UUID | None = Field(default=None, description="who assessed, as an opaque reference")
    received_at: AwareDatetime
    mapping_version: str = Field(default="1", description="the version of the rules that read the row")
    by_hand: ByHand | None = Field(default=None, description="where it is awarded by hand")
    bulk: bool | None = Field(default=None, description="of a large file: it stands on the topic of such evidence")
    proof: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="where it is awarded in the place of another credential: HMAC-SHA-256 over all else, by the "
        "service that was asked; without its own it is not decided",
    )

    @property
    def supersedes(self) -> UUID | None:
        """Return the credential in whose place this is awarded, None where it is in that of none."""
        return None if self.by_hand is None else self.by_hand.supersedes

    @property
    def destination(self) -> Topic:
        """See `Event`: large files have a lane of their own, which yields to the other."""
        return topics.EVIDENCE_BULK if self.bulk else self.topic


class EvidenceWithdrawn(Event):
    """A school takes one sending of evidence back: it counts no more, and what rests on it is decided again.

    It stands behind its evidence, in the order of the learner, whoever took it in.
    """

    type = "org.bowerbirdbadges.evidence.withdrawn.v1"
    topic = topics.EVIDENCE_SUBMITTED
    key_fields = ("learner_id",)
    id_fields = ("submission_id",)
    time_field = "withdrawn_at"

    submission_id: UUID
    batch_id: UUID
    row: int = Field(ge=1)
    issuer_id: str
    learner_id: UUID
    reason: WithdrawalCode
    withdrawn_by: str = Field(description="who asked, as in the audit log: key:ISSUER/NAME or administrator:NAME")
    withdrawn_at: AwareDatetime
    proof: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="HMAC-SHA-256 over all else, by the service that was asked; without its own it is not applied",
    )


class ReconsiderHolding(Event):
    """Whether a badge that a learner holds, or no longer holds, brings about others or takes them away is looked at.

    It stands on the topic of evidence, in the order of the learner.
    """

    type = "org.bowerbirdbadges.holding.reconsider.v1"
    topic = topics.EVIDENCE_SUBMITTED
    key_fields = ("learner_id",)
    id_fields = ("credential_id", "requested_at")
    time_field = "requested_at"

    credential_id: UUID = Field(description="the badge")
    issuer_id: str
    learner_id: UUID
    requested_at: AwareDatetime
    proof: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="HMAC-SHA-256 over all else, by the issuer service; without its own it is not applied",
    )


class BatchStored(Event):
    """What the evidence service stores of some rows of an upload, and how far the upload has come with them.

    From here a database that was set back takes it up again. What it holds beside the submissions (comments, assessors,
    refused rows, the upload's own fields) is sealed for the evidence service alone.
    """

    type = "org.bowerbirdbadges.evidence.batch-stored.v1"
    topic = topics.EVIDENCE_BATCHES
    key_fields = ("batch_id",)
    id_fields = ("batch_id", "row", "stored_at")
    time_field = "stored_at"

    batch_id: UUID
    issuer_id: str
    row: int = Field(ge=1, description="the last row that this speaks of")
    accepted: bool = Field(description="whether the upload is whole with it, and was accepted at `stored_at`")
    sealed: str = Field(description="what is stored, sealed, in base64")
    stored_at: AwareDatetime


class Outcome(StrEnum):
    """What became of a piece of evidence (docs/promises.md, 1)."""

    ISSUED = "issued"
    NOT_YET = "not_yet"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Counted(BaseModel):
    """What an award under a rule is made of."""

    model_config = ConfigDict(frozen=True)

    level: SoloLevel | None = Field(default=None, description="the level that the rule comes to, if any")
    evidence: tuple[UUID, ...] = Field(default=(), description="the pieces of evidence that counted")
    credentials: tuple[UUID, ...] = Field(default=(), description="the credentials held that counted")


class StackedAward(Counted):
    """An award that followed from another one: with that, its rule was met."""

    achievement: str = Field(description="OWNER/ID/VERSION, the achievement version whose rule was met")
    credential_id: UUID


class EvidenceDecided(Event):
    """A decision on one submission, with its reason. Of several decisions the one with the highest sequence holds."""

    type = "org.bowerbirdbadges.evidence.decided.v1"
    topic = topics.EVIDENCE_DECIDED
    key_fields = ("learner_id",)
    id_fields = ("submission_id", "sequence")
    time_field = "decided_at"

    submission_id: UUID
    evidence_id: UUID
    batch_id: UUID
    row: int = Field(ge=1)
    issuer_id: str
    source_id: str
    learner_id: UUID
    sequence: int = Field(default=1, ge=1, description="1 for the first decision on the submission, then 2, 3, …")
    outcome: Outcome
    reason: str | None = Field(default=None, description="a stable code; none where the outcome says it all")
    detail: str | None = Field(default=None, description="a message for people, free of personal data")
    achievement: str | None = Field(
        default=None, description="OWNER/ID/VERSION, the achievement version that decided; none where none was asked"
    )
    rule_version: str = Field(description="achievement version and rule that decided")
    credential_id: UUID | None = Field(default=None, description="the credential issued, or the one held already")
    level: SoloLevel | None = Field(default=None, description="where one is issued: the level that it shows, if any")
    score: float | None = Field(default=None, description="where one is issued: the score that it shows, if any")
    waits_until: AwareDatetime | None = Field(
        default=None, description="where it waits: when it is refused, unless what it waits for is published before"
    )
    counted: Counted | None = Field(
        default=None,
        description="where the achievement has a rule that counts evidence together: the piece is kept, unless "
        "it is awarded by hand, and what is issued is made of this; nothing where none is issued",
    )
    stacked: tuple[StackedAward, ...] | None = Field(
        default=None, description="what the learner earned beside it, since it asks to hold what this piece has earned"
    )
    revoked: tuple[UUID, ...] | None = Field(
        default=None, description="where it was withdrawn: the credentials that rested on it and are revoked with it"
    )
    supersedes: UUID | None = Field(
        default=None, description="where one is issued in the place of another: that one, which was revoked with it"
    )
    received_at: AwareDatetime | None = Field(default=None, description="when the evidence was received")
    decided_at: AwareDatetime
