"""The event contracts: one pydantic model per CloudEvents type, with its topic, key and deterministic id.

A compatible change adds an optional field; anything else is a new type (CONTRIBUTING.md). Types begin with a reverse
domain name (docs/adr/0012-names-of-events.md).
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.contracts import topics
from libs.contracts.organisations import Closing, FormerName, Identifier, KindCode
from libs.contracts.reasons import RevocationCode, SuspensionCode, TakeDownCode, WithdrawalCode
from libs.contracts.results import Result, SoloLevel
from libs.contracts.rules import Rule, least_level
from libs.contracts.schemas import ReadersSchema
from libs.contracts.topics import Topic
from libs.contracts.uuid_text import uuid_text

CANARIES = (10, 4, 13, 9, 2, 0, 11, 21, 3, 6, 7, 44)
"""The numbers of the synthetic learners, who take turns: the key of each goes to another partition of twelve."""
AUTHORITY_ID = "authority"
"""What the authority itself is called where others have the id of an issuer; no issuer can have it."""


class Event(BaseModel):
    """A CloudEvents 1.0 payload. Fields that this version does not know are ignored when reading.

    A contract declares its type and topic, and which of its fields give the record's key, the event's id and its time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[Topic]
    key_prefix: ClassVar[str] = ""
    key_fields: ClassVar[tuple[str, ...]]
    # What the event is the only one of its type about; none where that is the key.
    id_fields: ClassVar[tuple[str, ...]] = ()
    time_field: ClassVar[str]

    @property
    def destination(self) -> Topic:
        """The topic that this event goes to."""
        return self.topic

    @property
    def key(self) -> str:
        """The record's key: Kafka keeps order per key, and a compacted topic keeps the last record of it."""
        return self.key_prefix + self._joined(self.key_fields)

    @property
    def natural_id(self) -> str:
        """What this event is the only one of its type about; `ce_id` is derived from it (`libs.contracts.ids`)."""
        return self._joined(self.id_fields) if self.id_fields else self.key

    @property
    def time(self) -> datetime:
        """The CloudEvents `time`: when the fact came about (not when it was published)."""
        moment = getattr(self, self.time_field)
        assert isinstance(moment, datetime)  # noqa: S101  # a declaration that tests/contract holds to be true
        return moment

    @classmethod
    def is_for_partners(cls) -> bool:
        """Return whether partners read this type, so that its contract is public."""
        return not issubclass(cls, DeadLetter | AuditEntryCopied) and cls.topic.for_partners

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the data, which `ce_dataschema` names."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **cls.model_json_schema(schema_generator=ReadersSchema),
        }

    def _joined(self, names: tuple[str, ...]) -> str:
        if len(names) == 1:
            return _text(getattr(self, names[0]))
        return "/".join([_text(getattr(self, name)) for name in names])


def _text(value: object) -> str:
    if type(value) is UUID:
        return uuid_text(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


class EvidenceSubmitted(Event):
    """A school sent one piece of evidence, whose form is good. What it earns is not decided yet."""

    type = "org.bowerbirdbadges.evidence.submitted.v1"
    topic = topics.EVIDENCE_SUBMITTED
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
        description="where the achievement has a rule that counts evidence together: the piece is kept, and what is "
        "issued is made of this; nothing where none is issued",
    )
    stacked: tuple[StackedAward, ...] | None = Field(
        default=None, description="what the learner earned beside it, since it asks to hold what this piece has earned"
    )
    revoked: tuple[UUID, ...] | None = Field(
        default=None, description="where it was withdrawn: the credentials that rested on it and are revoked with it"
    )
    decided_at: AwareDatetime


class _CredentialCommand(Event):
    """What commands about a credential share."""

    topic = topics.CREDENTIAL_COMMANDS
    key_fields = ("credential_id",)
    time_field = "requested_at"

    credential_id: UUID
    issuer_id: str
    request_id: UUID | None = Field(
        default=None, description="the issuer's own record of the request: who asked, and why in their own words"
    )
    record: str | None = Field(
        default=None,
        description="that record, sealed, in base64: a database of the issuer that was set back takes it up from here; "
        "it tells nobody else anything",
    )
    requested_at: AwareDatetime
    proof: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="HMAC-SHA-256 over all else, by the issuer service; a command without its own is not applied",
    )


class RevokeCredential(_CredentialCommand):
    """Somebody with the right to do so asks to revoke one credential."""

    type = "org.bowerbirdbadges.credential.revoke.v1"

    reason: RevocationCode


class TakeDownCredential(_CredentialCommand):
    """Somebody with the right to do so asks to withhold what one credential says, and to revoke it."""

    type = "org.bowerbirdbadges.credential.take-down.v1"

    reason: TakeDownCode


class _CredentialEvent(Event):
    """What the public lifecycle events share: thin, free of personal data, and about nobody in particular."""

    topic = topics.CREDENTIAL_LIFECYCLE
    key_fields = ("credential_id",)
    time_field = "occurred_at"

    credential_id: UUID
    url: str = Field(description="the credential's page, which answers the signed document as JSON too")
    issuer_id: str
    learner_pseudonym: UUID | None = Field(
        default=None,
        description="the same in all events about one learner's credentials from one issuer, and found nowhere else; "
        "only where the authority lets partners link them",
    )
    achievement: str = Field(
        description="OWNER/ID/VERSION; the record of the catalogue about it has the key achievement:OWNER/ID/VERSION"
    )
    level: SoloLevel | None = None
    occurred_at: AwareDatetime


class CredentialIssued(_CredentialEvent):
    """A credential was signed, stored and announced."""

    type = "org.bowerbirdbadges.credential.issued.v1"


class CredentialRevoked(_CredentialEvent):
    """A credential was revoked; the learner stays eligible (promise 5)."""

    type = "org.bowerbirdbadges.credential.revoked.v1"

    reason: RevocationCode


class CredentialTakenDown(_CredentialEvent):
    """What a credential says is withheld from now on: whoever keeps a copy deletes it. It is revoked too."""

    type = "org.bowerbirdbadges.credential.taken-down.v1"

    reason: TakeDownCode


class CredentialDocument(Event):
    """The signed document as it was issued, and its state; of one that was taken down, the state alone."""

    type = "org.bowerbirdbadges.credential.document.v1"
    topic = topics.CREDENTIAL_DOCUMENTS
    key_fields = ("credential_id",)
    id_fields = ("credential_id", "state")
    time_field = "changed_at"

    credential_id: UUID
    issuer_id: str
    state: Literal["active", "revoked", "taken_down"]
    document: str | None = Field(
        default=None, description="the signed JSON text, byte for byte; none where it was taken down"
    )
    reason: TakeDownCode | None = Field(default=None, description="why it was taken down, where it was")
    revocation_reason: RevocationCode | None = Field(default=None, description="why it was revoked, where it was")
    record: str | None = Field(
        default=None,
        description="the issuer's own record of it, sealed, in base64: a database of the issuer that was set back "
        "takes it up from here; it tells nobody else anything",
    )
    changed_at: AwareDatetime


class Suspension(BaseModel):
    """That an issuer may issue nothing for the time being. What it issued before stands."""

    model_config = ConfigDict(frozen=True)

    reason: SuspensionCode
    since: AwareDatetime


class IssuerPublished(Event):
    """One version of an issuer's public profile and DID document. The highest version takes precedence."""

    type = "org.bowerbirdbadges.issuer.published.v1"
    topic = topics.CATALOGUE
    key_prefix = "issuer:"
    key_fields = ("issuer_id",)
    id_fields = ("issuer_id", "version")
    time_field = "published_at"

    issuer_id: str
    version: int = Field(
        default=1,
        ge=1,
        description="grows by one with each change of the profile, of the keys, or of whether it may issue",
    )
    parent: str | None = Field(default=None, description="the department whose shared achievements this issuer awards")
    name: str
    url: str | None = None
    email: str | None = Field(default=None, description="the organisation's public address, never a person's")
    logo: str | None = Field(default=None, description="URL of a picture")
    time_zone: str | None = Field(default=None, description="in which its pages show times, such as Australia/Sydney")
    linkedin_id: str | None = Field(default=None, description="the number of its page on LinkedIn")
    learners_from_16: bool = Field(
        default=False, description="whether all its learners are 16 or older: its pages offer LinkedIn then"
    )
    did: str = Field(description="the same in every version")
    did_document: str = Field(description="JSON text; it holds every key that the issuer ever announced")
    registered_at: AwareDatetime | None = Field(
        default=None, description="since when the issuer is registered here; the same in every version"
    )
    public_evidence: bool = Field(
        default=False, description="whether its badges say what the learner did, and link to the work"
    )
    suspension: Suspension | None = Field(default=None, description="while it may issue nothing; none else")
    published_at: AwareDatetime


class OrganisationPublished(Event):
    """One version of an organisation and its place in the tree. The highest version takes precedence.

    An issuer of the same id is this organisation. Organisations that issue nothing, such as regions, have none.
    """

    type = "org.bowerbirdbadges.organisation.published.v1"
    topic = topics.CATALOGUE
    key_prefix = "organisation:"
    key_fields = ("organisation_id",)
    id_fields = ("organisation_id", "version")
    time_field = "published_at"

    organisation_id: str = Field(description="its id here, for good")
    version: int = Field(ge=1, description="grows by one with each change")
    kind: KindCode
    name: str
    parent: str | None = Field(default=None, description="the organisation above it; none of the topmost")
    identifiers: tuple[Identifier, ...] = Field(default=(), description="ids by which others know it, sorted")
    opened_on: date | None = None
    former_names: tuple[FormerName, ...] = Field(default=(), description="the oldest first")
    closing: Closing | None = Field(default=None, description="where it closes, or has closed")
    registered_at: AwareDatetime = Field(description="since when it stands here; the same in every version")
    published_at: AwareDatetime


class AchievementLevel(BaseModel):
    """What one SOLO level of an achievement looks like, as a teacher would write it."""

    model_config = ConfigDict(frozen=True)

    level: SoloLevel
    name: str
    description: str


class AchievementPublished(Event):
    """One version of an achievement. A published version never changes (promise 4)."""

    type = "org.bowerbirdbadges.achievement.published.v1"
    topic = topics.CATALOGUE
    key_prefix = "achievement:"
    key_fields = ("owner", "achievement_id", "version")
    time_field = "published_at"

    owner: str = Field(description="the issuer that published it")
    achievement_id: str
    version: int = Field(ge=1)
    shared: bool = Field(default=False, description="issuers whose parent is the owner may award it too")
    name: str
    description: str
    criteria: str
    levels: list[AchievementLevel] = Field(description="lowest first")
    required_level: SoloLevel | None = None
    required_score: float | None = None
    rule: Rule | None = Field(
        default=None,
        description="what earns it, where evidence counts together or other achievements are to be held; then neither "
        "a level nor a score is required beside it",
    )
    repeatable: bool = False
    revoked_with_holdings: bool = Field(
        default=False,
        description="whether a badge of it is revoked too, when one that its rule asks to hold is revoked and without "
        "that the rule is not met; else it stays",
    )
    published_at: AwareDatetime

    @property
    def version_key(self) -> str:
        """OWNER/ID/VERSION: what credentials and lifecycle events refer to."""
        return f"{self.owner}/{self.achievement_id}/{self.version}"

    @property
    def key_of_all_versions(self) -> str:
        """OWNER/ID: the achievement whatever its version."""
        return f"{self.owner}/{self.achievement_id}"

    @property
    def least_level(self) -> SoloLevel | None:
        """The lowest level of evidence that can earn it; none where a level is not asked for."""
        return self.required_level if self.rule is None else least_level(self.rule)

    @property
    def shows_levels(self) -> bool:
        """Whether a credential of it may show a level."""
        if self.rule is not None:
            return self.least_level is not None
        return self.required_level is not None or self.required_score is None

    @property
    def shows_scores(self) -> bool:
        """Whether a credential of it may show a score: under a rule, one of several would say little."""
        return self.rule is None and (self.required_score is not None or self.required_level is None)


class AuthorityPublished(Event):
    """One version of the authority's own DID document, whose keys sign status lists. The highest takes precedence.

    The authority is no issuer: it awards nothing, and stands in no list of issuers.
    """

    type = "org.bowerbirdbadges.authority.published.v1"
    topic = topics.CATALOGUE
    key_prefix = "authority:"
    key_fields = ("authority_id",)
    id_fields = ("authority_id", "version")
    time_field = "published_at"

    authority_id: str = Field(description="there is one: `authority`, an id that no issuer can have")
    version: int = Field(ge=1, description="grows by one with each change of the keys")
    did: str = Field(description="the did:web of this installation; the same in every version")
    did_document: str = Field(description="JSON text; it holds every key that the authority ever announced")
    published_at: AwareDatetime


class StatusListPublished(Event):
    """A Bitstring Status List credential, signed by the authority. A higher pair of epoch and version replaces a lower.

    A reader that is given a lower pair than the one it has keeps what it has.
    """

    type = "org.bowerbirdbadges.status-list.published.v2"
    topic = topics.STATUS_LISTS
    key_fields = ("list_id",)
    id_fields = ("list_id", "epoch", "version")
    time_field = "published_at"

    list_id: str = Field(description="EPOCH-NUMBER: in which epoch the list was begun, and which one of it this is")
    purpose: str = Field(description="what a set bit means (Bitstring Status List 1.0, statusPurpose)")
    epoch: int = Field(ge=0, description="in which this version was published: a later one once the store went back")
    version: int = Field(ge=0, description="grows with each change")
    credential: str = Field(description="the signed JSON text")
    published_at: AwareDatetime
    revoked_since: AwareDatetime | None = Field(
        default=None, description="when the first revocation was asked for that no earlier version tells of"
    )

    @property
    def order(self) -> tuple[int, int]:
        """Epoch and version: of two versions the one with the higher pair holds."""
        return self.epoch, self.version


class IssuerListPublished(Event):
    """The signed list of all issuers that are registered here. The one that was published last takes precedence.

    Whoever only wants to know an issuer does better to read `issuer.published`; this one is for showing to others.
    """

    type = "org.bowerbirdbadges.issuer-list.published.v1"
    topic = topics.CATALOGUE
    key_prefix = "issuer-list:"
    key_fields = ("list_id",)
    id_fields = ("list_id", "published_at")
    time_field = "published_at"

    list_id: str = Field(description="there is one list: `issuers`")
    compressed: str = Field(
        description="the list, a compact JWS, as zlib (RFC 1950) in base64: thousands of issuers are megabytes of text"
    )
    ends_at: AwareDatetime = Field(description="until when it may be relied on")
    published_at: AwareDatetime = Field(description="when it was signed")


class LearnerContact(Event):
    """How to reach a learner: the only personal data on Kafka. A tombstone under the same key erases it."""

    type = "org.bowerbirdbadges.learner.contact.v1"
    topic = topics.LEARNER_CONTACTS
    key_fields = ("learner_id",)
    id_fields = ("learner_id", "changed_at")
    time_field = "changed_at"

    learner_id: UUID
    issuer_id: str
    name: str | None = None
    email: str | None = None
    changed_at: AwareDatetime


class LearnerContactEnded(Event):
    """A contact was kept for its life. It is deleted, unless it was given again or needed since `before`."""

    type = "org.bowerbirdbadges.learner.contact-ended.v1"
    topic = topics.LEARNER_CONTACTS
    key_fields = ("learner_id",)
    id_fields = ("learner_id", "ended_at")
    time_field = "ended_at"

    learner_id: UUID
    issuer_id: str
    before: AwareDatetime = Field(description="what was given or needed last before then has ended")
    ended_at: AwareDatetime


class LearnerErased(Event):
    """A learner was erased: what was given before `erased_at` is deleted, as by the tombstone in whose place this is.

    It is published where a topic lacks the tombstone, from the ledger in the notifier's database.
    """

    type = "org.bowerbirdbadges.learner.erased.v1"
    topic = topics.LEARNER_CONTACTS
    key_fields = ("learner_id",)
    id_fields = ("learner_id", "erased_at")
    time_field = "erased_at"

    learner_id: UUID
    erased_at: AwareDatetime


class MailDomainsSet(Event):
    """Where mail about an issuer's credentials may go. What was set last holds."""

    type = "org.bowerbirdbadges.issuer.mail-domains-set.v1"
    topic = topics.ISSUER_SETTINGS
    key_prefix = "mail-domains:"
    key_fields = ("issuer_id",)
    id_fields = ("issuer_id", "changed_at")
    time_field = "changed_at"

    issuer_id: str
    domains: tuple[str, ...] = Field(
        description="of addresses, in ASCII and lower case, each with those below it; none where all are allowed"
    )
    changed_at: AwareDatetime


class SignedEvent(Event):
    """A fact about access, which counts only if the issuer service signed it (ADR 16).

    The signature covers every field but itself, so a field more is a new type.
    """

    signed_by: str = Field(default="", description="the Ed25519 public key, a Multikey")
    signature: str = Field(default="", description="Ed25519, base64url; over the type, a line feed, and the other data")


class ApiKeyGranted(SignedEvent):
    """An API key may do this until it ends. Only the key's SHA-256 travels. A grant never changes."""

    type = "org.bowerbirdbadges.access.key-granted.v2"
    topic = topics.ACCESS_KEYS
    key_prefix = "granted:"
    key_fields = ("key_sha256",)
    time_field = "granted_at"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    issuer_id: str = Field(description="the tenant it is bound to")
    name: str = Field(description="what uses it, as its issuer calls that")
    scopes: tuple[str, ...] = Field(description="sorted")
    granted_at: AwareDatetime
    granted_by: str = Field(description="who made it: administrator:NAME or key:ISSUER/NAME")
    granted_with: str | None = Field(default=None, description="the id of the API key that made it, if one did")
    expires_at: AwareDatetime


class ApiKeyWithdrawn(SignedEvent):
    """An API key ends at this moment. Of several the earliest holds, so an older one brings nothing back."""

    type = "org.bowerbirdbadges.access.key-withdrawn.v1"
    topic = topics.ACCESS_KEYS
    key_prefix = "withdrawn:"
    # Each under a key of its own: compaction keeps them all, so none is displaced by a later record.
    key_fields = ("key_sha256", "ends_at")
    time_field = "requested_at"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    issuer_id: str
    ends_at: AwareDatetime
    reason: str = Field(description="a stable code")
    requested_at: AwareDatetime


class ApiKeyUsed(Event):
    """An API key was used in this hour. At most one for a key, service, process and hour."""

    type = "org.bowerbirdbadges.access.key-used.v1"
    topic = topics.ACCESS_USE
    key_fields = ("key_sha256", "service")
    id_fields = ("key_sha256", "service", "hour")
    time_field = "hour"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    service: str
    hour: AwareDatetime = Field(description="its beginning")


SigningKeyState = Literal["next", "active", "retiring", "retired", "compromised"]


class SigningKeySealed(Event):
    """A signing key as its issuer's service keeps it: the copy from which a database that lost it gets it back.

    The secret is sealed under the key-encryption key, together with the id of the key and of its issuer, and opens for
    no other. Of one key the last record is kept; a state never goes back (`services.issuer.keys.states`).
    """

    type = "org.bowerbirdbadges.signing-key.sealed.v1"
    topic = topics.SIGNING_KEYS
    key_fields = ("key_id",)
    id_fields = ("key_id", "copied_at")
    time_field = "copied_at"

    key_id: str = Field(description="the public key, a Multikey")
    issuer_id: str
    state: SigningKeyState
    times: dict[SigningKeyState, AwareDatetime] = Field(description="when it entered each state that it was ever in")
    distrusted_from: AwareDatetime | None = Field(
        default=None, description="of a compromised key, the moment from which its signatures are not trusted"
    )
    kek_id: str = Field(description="the id of the key-encryption key that sealed the secret")
    sealed: str = Field(description="the sealed secret, in base64")
    copied_at: AwareDatetime


class StoreMoment(Event):
    """A service's database was in use at this moment: one that knows of no use so late is of an earlier moment."""

    type = "org.bowerbirdbadges.store.moment.v1"
    topic = topics.STORE_MOMENTS
    key_fields = ("service",)
    id_fields = ("service", "used_at")
    time_field = "used_at"

    service: str
    used_at: AwareDatetime


class DeadLetter(Event):
    """A record that a service could not process, as it came, with where it came from and why it stopped here."""

    type = "org.bowerbirdbadges.dead-letter.v1"
    key_fields = ("source_topic", "partition", "offset")
    id_fields = ("consumer", "source_topic", "partition", "offset")
    time_field = "failed_at"

    service: str
    consumer: str
    source_topic: str
    partition: int
    offset: int
    record_key: str | None = Field(default=None, description="base64; none where the record had none")
    record_value: str | None = Field(default=None, description="base64; none where the record was a tombstone")
    record_headers: list[tuple[str, str | None]] = Field(description="name and base64 value, as they came")
    record_sha256: str | None = Field(
        default=None, description="SHA-256, hex, of a value that was too large to be kept here; it stands where it came"
    )
    reason: str = Field(description="a stable code")
    detail: str
    attempt: int = Field(ge=1)
    failed_at: AwareDatetime

    @property
    def destination(self) -> Topic:
        return topics.DEAD_LETTERS[self.service]


class RecordSentAgain(DeadLetter):
    """A dead letter that an operator sends to its consumer again, which takes it as the record that it was."""

    type = "org.bowerbirdbadges.dead-letter.sent-again.v1"
    time_field = "sent_at"

    sent_at: AwareDatetime

    @property
    def destination(self) -> Topic:
        return topics.SENT_AGAIN[self.service]


class AuditEntryCopied(Event):
    """An entry of a service's audit log, as it stands there: a database that was set back takes it up from here."""

    type = "org.bowerbirdbadges.audit.entry.v1"
    key_fields = ("service",)
    id_fields = ("service", "hash")
    time_field = "at"

    service: str
    sequence: int = Field(ge=1)
    at: AwareDatetime
    action: str
    principal: str
    trace: str
    key_id: str | None = Field(default=None, description="the first 16 digits of the SHA-256 of the API key")
    client: str | None = None
    tenants: list[str]
    subject: str
    reason: str | None = None
    details: str = Field(description="further facts, as JSON")
    previous: str
    hash: str = Field(description="SHA-256, hexadecimal, of all else of the entry")

    @property
    def destination(self) -> Topic:
        return topics.AUDIT_ENTRIES[self.service]


class Canary(Event):
    """A synthetic learner, sent through all services on the topics of real ones; it is no award, and counts nowhere.

    It has few keys, so that a compacted topic holds few.
    """

    key_prefix = "canary-"
    key_fields = ("number",)
    id_fields = ("number", "sent_at")
    time_field = "sent_at"

    number: int = Field(ge=0, description="which of the synthetic learners")
    sent_at: AwareDatetime = Field(
        description="when the evidence service sent it; all that follows from it has the same"
    )


class CanarySubmitted(Canary):
    """A synthetic learner's evidence."""

    type = "org.bowerbirdbadges.canary.submitted.v1"
    topic = topics.EVIDENCE_SUBMITTED

    evidence: EvidenceSubmitted = Field(description="as it would stand alone, had a school sent it")


class CanaryDecided(Canary):
    """A synthetic learner's evidence was decided, and its credential signed."""

    type = "org.bowerbirdbadges.canary.decided.v1"
    topic = topics.EVIDENCE_DECIDED


class CanaryDocument(Canary):
    """A synthetic learner's credential, signed with a key that signs nothing else."""

    type = "org.bowerbirdbadges.canary.document.v1"
    topic = topics.CREDENTIAL_DOCUMENTS

    document: str = Field(description="the signed credential as JSON; it has no page and no entry in a status list")


EVENTS: tuple[type[Event], ...] = (
    EvidenceSubmitted,
    EvidenceWithdrawn,
    ReconsiderHolding,
    BatchStored,
    EvidenceDecided,
    RevokeCredential,
    TakeDownCredential,
    CredentialIssued,
    CredentialRevoked,
    CredentialTakenDown,
    CredentialDocument,
    IssuerPublished,
    OrganisationPublished,
    AchievementPublished,
    AuthorityPublished,
    StatusListPublished,
    IssuerListPublished,
    LearnerContact,
    LearnerContactEnded,
    LearnerErased,
    MailDomainsSet,
    ApiKeyGranted,
    ApiKeyWithdrawn,
    ApiKeyUsed,
    SigningKeySealed,
    StoreMoment,
    DeadLetter,
    RecordSentAgain,
    AuditEntryCopied,
    CanarySubmitted,
    CanaryDecided,
    CanaryDocument,
)
BY_TYPE = {event.type: event for event in EVENTS}
