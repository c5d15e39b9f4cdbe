"""What worker processes do before the first stranger comes: import every job, and verify once."""

import gc
from datetime import UTC, datetime

from libs.openbadges.verify import ResolvedInputs, verify
from services.verifier.vc_api import jobs
from services.verifier.verification import lines

__all__ = ["jobs", "lines", "warm_up"]

_SAMPLE = b"""{"@context":["https://www.w3.org/ns/credentials/v2",
"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"type":["VerifiableCredential","OpenBadgeCredential"],
"id":"urn:uuid:0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11","issuer":{"id":"did:key:z6Mk","type":["Profile"]},
"validFrom":"2026-03-06T09:30:00Z","credentialSubject":{"type":["AchievementSubject"],"achievement":{"id":"urn:x:y",
"type":["Achievement"],"name":"x","description":"x","criteria":{"narrative":"x"}}}}"""


def warm_up() -> None:
    """Verify once, so that contexts, schemas and models are there before the first stranger comes."""
    verify(_SAMPLE, ResolvedInputs(), datetime.now(UTC))
    gc.collect()
    gc.freeze()
