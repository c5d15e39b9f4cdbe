"""The jobs of the VC API's verifying calls: read a request, say what its options are, verify what it holds."""

from datetime import datetime
from typing import Any

from libs.common.errors import InvalidRequestError
from libs.common.json_objects import parse_json_object
from libs.common.workers.jobs import Job
from libs.openbadges.jose.compact import as_compact
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.verify import PresentationReport, Report
from services.verifier.vc_api.options import read_options
from services.verifier.verification.jobs import credential_job, presentation_job


def credential_request_job(body: bytes, now: datetime, profile: ProcessingProfile) -> Job[Report]:
    """Verify what `/credentials/verify` was sent; tells its `Options` first, then asks as `credential_job` does.

    Raises:
        InvalidRequestError: the body is no such request.
    """
    request = parse_json_object(body)
    yield read_options(request)
    return (yield from credential_job(_document(request, "verifiableCredential"), None, now, profile))


def presentation_request_job(body: bytes, now: datetime, profile: ProcessingProfile) -> Job[PresentationReport]:
    """Verify what `/presentations/verify` was sent; tells its `Options` first, then asks as `presentation_job` does.

    Raises:
        InvalidRequestError: the body is no such request.
    """
    request = parse_json_object(body)
    options = read_options(request)
    yield options
    document = _document(request, "verifiablePresentation")
    return (yield from presentation_job(document, options.challenge, options.domain, now, profile))


def _document(body: dict[str, Any], name: str) -> str | dict[str, Any]:
    """What is to be verified: an object, or a compact JWS."""
    document = body.get(name)
    if isinstance(document, dict) and document:
        return document
    if isinstance(document, str) and as_compact(document) is not None:
        return document
    raise InvalidRequestError(
        f"/{name} is required: an object, or text in compact JWS form", [{"field": f"/{name}", "reason": "missing"}]
    )
