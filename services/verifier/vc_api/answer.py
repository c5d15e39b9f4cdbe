"""What the VC API's verifying calls answer: verified or not, and a problem detail for every check that says no.

A check whose answer is not known counts as not verified here, and its problem says that it is not known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from libs.openbadges.model.findings import worst
from libs.openbadges.verify import Check, Report
from libs.openbadges.verify.report import counted

_VCDM: Final = "https://www.w3.org/TR/vc-data-model#"
_PROOF: Final = "https://w3id.org/security#"
_STATUS: Final = "https://www.w3.org/ns/credentials/status-list#"

# Types and codes of VCDM 2.0 (section 7.2), Data Integrity 1.0 (section 4.7), Bitstring Status List 1.0 (section 3.5).
_PARSING: Final = (f"{_VCDM}PARSING_ERROR", -64)
_CRYPTOGRAPHIC: Final = (f"{_VCDM}CRYPTOGRAPHIC_SECURITY_ERROR", -65)
_MALFORMED: Final = (f"{_VCDM}MALFORMED_VALUE_ERROR", -66)
_RANGE: Final = (f"{_VCDM}RANGE_ERROR", -67)
_DATA_LOSS: Final = (f"{_PROOF}DATA_LOSS_DETECTION_ERROR", None)
_PROOF_WRONG: Final = (f"{_PROOF}PROOF_VERIFICATION_ERROR", -17)

BY_CODE: Final[Mapping[str, tuple[str, int | None]]] = {
    "not_json": _PARSING,
    "not_an_object": _PARSING,
    "duplicate_key": _PARSING,
    "proof_not_map": _PARSING,
    # Data Integrity 1.0, section 4.2, gives it no number.
    "term_undefined": _DATA_LOSS,
    "type_undefined": _DATA_LOSS,
    "proof_domain": (f"{_PROOF}INVALID_DOMAIN_ERROR", -19),
    "proof_challenge": (f"{_PROOF}INVALID_CHALLENGE_ERROR", -20),
    "domain_mismatch": (f"{_PROOF}INVALID_DOMAIN_ERROR", -19),
    "challenge_mismatch": (f"{_PROOF}INVALID_CHALLENGE_ERROR", -20),
    "STATUS_RETRIEVAL_ERROR": (f"{_STATUS}STATUS_RETRIEVAL_ERROR", -128),
    "STATUS_VERIFICATION_ERROR": (f"{_STATUS}STATUS_VERIFICATION_ERROR", -129),
    "STATUS_LIST_LENGTH_ERROR": (f"{_STATUS}STATUS_LIST_LENGTH_ERROR", -130),
    "MALFORMED_VALUE_ERROR": _MALFORMED,
    "RANGE_ERROR": _RANGE,
    # That a credential was revoked is no error of anybody's, and no specification has a name for it.
    "revoked": ("urn:bowerbird:problem:revoked", None),
    "suspended": ("urn:bowerbird:problem:suspended", None),
    "not_yet_valid": _RANGE,
    "expired": _RANGE,
}
BY_CHECK: Final[Mapping[str, tuple[str, int | None]]] = {
    "format": _MALFORMED,
    "context": _MALFORMED,
    "schema": _MALFORMED,
    "proof": _PROOF_WRONG,
    "issuer": _CRYPTOGRAPHIC,
    "holder": _CRYPTOGRAPHIC,
    "binding": _PROOF_WRONG,
    "dates": _RANGE,
    "status": (f"{_STATUS}STATUS_VERIFICATION_ERROR", -129),
    # What others say of a credential, and refreshed versions of it, are not in the data model's list of errors.
    "endorsement": ("urn:bowerbird:problem:endorsement", None),
    "refresh": ("urn:bowerbird:problem:refresh", None),
    # Nor is a credential that bears an id of ours and says something else.
    "publication": ("urn:bowerbird:problem:publication", None),
}
"""One for every name of a check; a new check without its problem type is an error here, not another check's."""

_TITLES: Final = {"fail": "This check failed", "unknown": "This check could not be decided"}


def verdict_of(checks: Sequence[Check]) -> str:
    """Return the verdict on the checks by the rule of `report.Report.verdict`; on none at all, unknown."""
    return worst(counted(check) for check in checks)


def problem_of(check: Check, pointer: str = "") -> dict[str, Any]:
    """Return a check that stands against verification as RFC 9457 members.

    Args:
        check: it failed or could not be decided.
        pointer: JSON Pointer to the document that was checked, in the request.
    """
    kind, code = BY_CODE.get(check.code) or BY_CHECK[check.name]
    return {
        "type": kind,
        "title": _TITLES[check.outcome],
        "detail": check.message,
        **({} if code is None else {"code": code}),
        "check": check.name,
        "outcome": check.outcome,
        "reason": check.code,
        **({"instance": pointer} if pointer else {}),
    }


IN_PRESENTATION: Final = "/verifiablePresentation/verifiableCredential"
IN_RECORD: Final = "/verifiableCredential/credentialSubject/verifiableCredential"


def answer_of(
    checks: Sequence[Check],
    contained: Sequence[Report] = (),
    pointer: str = IN_PRESENTATION,
    *,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the answer for a credential, and with the reports on what it contains for a presentation or a record.

    Args:
        checks: of the document itself.
        contained: one report for each credential in it; all must verify too.
        pointer: JSON Pointer to those in the request.
        about: what else is answered: who signed it, who shows it.
    """
    verdicts = [verdict_of(checks), *(report.verdict for report in contained)]
    verdict = next((one for one in ("fail", "unknown") if one in verdicts), "pass")
    problems = [problem_of(check) for check in checks if check.outcome != "pass"]
    for number, report in enumerate(contained):
        where = f"{pointer}/{number}"
        problems += [problem_of(check, where) for check in report.checks if check.outcome != "pass"]
    answer: dict[str, Any] = {
        "verified": verdict == "pass",
        "verdict": verdict,
        **(about or {}),
        "checks": [check.to_dict() for check in checks],
        "warnings": [f"{pointer}/{number}: signed by {who}" for number, who in _strangers(contained)],
        "errors": problems,
        "problemDetails": problems,
    }
    if contained:
        answer["credentialResults"] = [
            {"verified": report.verdict == "pass", **report.to_dict()} for report in contained
        ]
    return answer


def _strangers(contained: Sequence[Report]) -> Iterator[tuple[int, str]]:
    """Yield who signed each credential of a signer who is not known here: it may be good all the same."""
    for number, report in enumerate(contained):
        if report.signer is not None and report.signer.standing not in {"registered", "listed"}:
            yield number, report.signer.message
