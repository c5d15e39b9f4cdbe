"""What the notifier counts of writing mails."""

from prometheus_client import Counter

PICTURES_MISSING = Counter(
    "bowerbird_notifier_pictures_missing", "Mails whose badge could not be drawn and that went without its picture"
)
