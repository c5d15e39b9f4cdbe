"""What the issuer counts of recovery; labels are names of our topics."""

from prometheus_client import Counter, Gauge

from libs.contracts import topics

ADOPTING = Gauge("bowerbird_issuer_adopting", "1 while this process takes up what was published before it decides")
ADOPTED = Counter(
    "bowerbird_issuer_adopted", "Published facts that the database lacked and took up, by topic", ["topic"]
)
NOT_ADOPTED = Counter(
    "bowerbird_issuer_not_adopted",
    "Published facts that the database lacks and cannot take up: sealed by another authority, or at odds with it",
    ["topic"],
)
ANOTHER_TOPIC = Gauge(
    "bowerbird_issuer_topics_made_anew",
    "Topics that are not those on which this service published, and that `bowerbird republish` has not filled",
)
for _topic in (
    topics.SIGNING_KEYS,
    topics.CATALOGUE,
    topics.CREDENTIAL_DOCUMENTS,
    topics.STATUS_LISTS,
    topics.EVIDENCE_DECIDED,
):
    ADOPTED.labels(_topic.name)
    NOT_ADOPTED.labels(_topic.name)
