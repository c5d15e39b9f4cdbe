"""Events about reaching learners: their contacts, and the domains that an issuer's mail may go to."""

from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.contracts import topics
from libs.contracts.events.event import Event


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
