"""Events of the catalogue: issuers, organisations, achievements, and what the authority says of itself."""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.contracts import topics
from libs.contracts.events.event import Event
from libs.contracts.organisations import Closing, FormerName, Identifier, KindCode
from libs.contracts.reasons import SuspensionCode
from libs.contracts.results import SoloLevel
from libs.contracts.rules import Rule, least_level

AUTHORITY_ID = "authority"
"""What the authority itself is called where others have the id of an issuer; no issuer can have it."""


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
