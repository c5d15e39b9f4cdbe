"""What the issuer counts of its status lists."""

from prometheus_client import Counter

STATUS_LISTS_PUBLISHED = Counter("bowerbird_issuer_status_lists_published", "Status list credentials published")
