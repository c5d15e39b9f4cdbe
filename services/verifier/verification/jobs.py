"""The jobs of verifying, as threads and worker processes run them: read, ask for what is needed, verify.

Whatever a stranger sent is read here for the first time, since reading takes time too.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.common.errors import InvalidRequestError
from libs.common.workers.jobs import Job
from libs.openbadges.model.budget import shared_budget
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.trust.name_search import NameSearch
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
from services.verifier.verification.submission import MOST_QUESTION_BYTES, read_request


def submission_job(
    body: bytes, media_type: str, public_base: str, now: datetime, profile: ProcessingProfile
) -> Job[Report]:
    """Read the credential that `POST /v1/verify` was sent, and verify it.

    Tells the `Submission`, without its text, before it verifies; then asks as `credential_job` does.

    Args:
        body: as it came.
        media_type: the value of its Content-Type.
        public_base: the base of our own URLs.
        now: the moment to judge dates by.
        profile: which documents are read.

    Raises:
        BowerbirdError: see `read_request`; or it is the URL of a badge in so many bytes.
    """
    submission = read_request(body, media_type, public_base)
    if submission.text is None:
        raise InvalidRequestError(f"a question about a badge of ours takes at most {MOST_QUESTION_BYTES} bytes")
    yield replace(submission, text=None)
    return (yield from credential_job(submission.text, submission.recipient, now, profile))


def credential_job(
    document: str | bytes | dict[str, Any],
    recipient: Recipient | None,
    now: datetime,
    profile: ProcessingProfile,
    names: NameSearch | None = None,
) -> Job[Report]:
    """Verify a credential; asks for `ResolvedInputs` by `Dependencies`, of which the first are all but some names.

    Args:
        document: as it came: JSON as text or parsed, JWT, PNG, SVG or PDF.
        recipient: whom it must be about; None does not ask.
        now: the moment to judge dates by.
        profile: which documents are read.
        names: what was found for other documents of the request.
    """
    with shared_budget():
        opened, dependencies = _read(document, profile)
        inputs = yield from _resolved(dependencies, names or NameSearch())
        return verify(opened, inputs, now, recipient=recipient, profile=profile)


def presentation_job(
    document: str | bytes | dict[str, Any],
    challenge: str | None,
    domain: str | None,
    now: datetime,
    profile: ProcessingProfile,
) -> Job[PresentationReport]:
    """Verify a presentation; asks as `credential_job` does.

    Args:
        document: as it came.
        challenge: what its proof must repeat; None does not ask.
        domain: for whom its proof must be; None does not ask.
        now: the moment to judge dates by.
        profile: which documents are read.
    """
    with shared_budget():
        inputs = yield from _resolved(presentation_dependencies(document, profile), NameSearch())
        return verify_presentation(document, inputs, now, challenge=challenge, domain=domain, profile=profile)


def _resolved(dependencies: Dependencies, names: NameSearch) -> Job[ResolvedInputs]:
    """Ask for what is needed, with a portion of the names, and then for the other names; return all of it."""
    portions = names.portions(dependencies.names)
    portion = next(portions, {})
    inputs: ResolvedInputs = yield replace(dependencies, names=frozenset(), likenesses=frozenset(portion.values()))
    names.keep(portion, inputs.parties)
    for portion in portions:
        more: ResolvedInputs = yield Dependencies(likenesses=frozenset(portion.values()))
        names.keep(portion, more.parties)
    return replace(inputs, parties=names.known(dependencies.names, inputs.parties))


def _read(
    document: str | bytes | dict[str, Any], profile: ProcessingProfile
) -> tuple[str | bytes | dict[str, Any] | Opened, Dependencies]:
    """Read a document once, for what it depends on and for verifying; one that cannot be read stays as it came."""
    try:
        opened = open_document(document, profile=profile)
    except CredentialError:
        return document, Dependencies()
    return opened, dependencies_of(opened, profile=profile)
