"""The jobs of verifying, as threads and worker processes run them: read, ask for what is needed, verify."""

import gc
from datetime import UTC, datetime

from libs.common.workers.jobs import Job
from libs.openbadges.model.budget import shared_budget
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.verify import (
    Dependencies,
    Opened,
    PresentationReport,
    Recipient,
    Report,
    ResolvedInputs,
    dependencies_of,
    open_document,
    presentation_dependencies,
    verify,
    verify_presentation,
)


def credential_job(
    document: str | bytes, now: datetime, recipient: Recipient | None, profile: ProcessingProfile
) -> Job[Report]:
    """Verify a credential; asks for `ResolvedInputs` by `Dependencies`.

    Args:
        document: as it came: JSON, JWT, PNG or SVG.
        now: the moment to judge dates by.
        recipient: whom it must be about; None does not ask.
        profile: which documents are read.
    """
    with shared_budget():
        opened, dependencies = _read(document, profile)
        inputs: ResolvedInputs = yield dependencies
        return verify(opened, inputs, now, recipient=recipient, profile=profile)


def presentation_job(
    document: str | bytes, now: datetime, challenge: str | None, domain: str | None, profile: ProcessingProfile
) -> Job[PresentationReport]:
    """Verify a presentation; asks for `ResolvedInputs` by `Dependencies`.

    Args:
        document: as it came.
        now: the moment to judge dates by.
        challenge: what its proof must repeat; None does not ask.
        domain: for whom its proof must be; None does not ask.
        profile: which documents are read.
    """
    with shared_budget():
        inputs: ResolvedInputs = yield presentation_dependencies(document, profile)
        return verify_presentation(document, inputs, now, challenge=challenge, domain=domain, profile=profile)


def _read(document: str | bytes, profile: ProcessingProfile) -> tuple[str | bytes | Opened, Dependencies]:
    """Read a document once, for what it depends on and for verifying; one that cannot be read stays as it came."""
    try:
        opened = open_document(document, profile=profile)
    except CredentialError:
        return document, Dependencies()
    return opened, dependencies_of(opened, profile=profile)


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
