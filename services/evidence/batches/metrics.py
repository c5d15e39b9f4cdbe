"""What the evidence service counts beside the plumbing's metrics."""

from prometheus_client import Counter

from libs.common.errors import ERRORS
from libs.common.metrics import from_zero
from services.evidence.sources.refusals import Reason

ROWS = Counter(
    "bowerbird_evidence_rows", "Rows by what became of them at ingestion: taken, or the reason of refusal", ["outcome"]
)
BYTES = Counter("bowerbird_evidence_bytes", "Bytes of evidence files as they came in, before unpacking")
UPLOADS = Counter("bowerbird_evidence_uploads", "Uploads by how they ended; checked: a dry run", ["end"])

from_zero(ROWS, ["taken", *Reason])
from_zero(UPLOADS, ["accepted", "checked", "failed", "refused", *(each.code for each in ERRORS)])
