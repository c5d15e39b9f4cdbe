"""What a caller of the VC API asks of a proof beyond being good: purpose, domain, challenge, which checks count."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from libs.common.errors import InvalidRequestError
from libs.openbadges.proofchecks import proofs_of
from libs.openbadges.report import Check, Report

_STATUS_NAMES = frozenset({"credentialStatus", "status", "statusCheck"})
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a verifying call; None where the caller does not ask.

    Attributes:
        purpose: what the proof must have been made for.
        domain: where the proof must have been meant for.
        challenge: what the holder was given to sign with.
        status_asked: whether a status that cannot be had stands against verification.
    """

    purpose: str | None = None
    domain: str | None = None
    challenge: str | None = None
    status_asked: bool = True


def read_options(body: Mapping[str, Any]) -> Options:
    """Read the options of a request; those that are not known are no matter.

    Raises:
        InvalidRequestError: one that is known has another form.
    """
    options = body.get("options")
    if options is None:
        return Options()
    if not isinstance(options, dict):
        raise _invalid("/options", "an object")
    checks = options.get("checks") or []
    if not isinstance(checks, list) or not all(isinstance(one, str) for one in checks):
        raise _invalid("/options/checks", "a list of names")
    return Options(
        _text(options, "expectedProofPurpose"),
        _text(options, "domain"),
        _text(options, "challenge"),
        not checks or not _STATUS_NAMES.isdisjoint(checks),
    )


def hold_to(report: Report, options: Options) -> Report:
    """Answer the report as the caller's options make it: what they ask of a credential's proofs counts too."""
    proof = report.check("proof")
    told = _against(report, options) if proof.outcome == "pass" else None
    checks = [told if told is not None and check.name == "proof" else check for check in report.checks]
    if not options.status_asked:
        # A status that was read rules all the same: a credential known to be revoked is never good.
        checks = [_not_asked(check) if check.name == "status" else check for check in checks]
    return replace(report, checks=tuple(checks))


def _against(report: Report, options: Options) -> Check | None:
    proof = report.check("proof")
    proofs = proofs_of(dict(report.credential or {}))
    if options.purpose is not None and options.purpose != "assertionMethod":
        return replace(
            proof,
            outcome="fail",
            code="proof_purpose",
            sentence=f"The proof was made to assert a credential, not for the purpose {options.purpose}.",
        )
    for name, wanted in (("domain", options.domain), ("challenge", options.challenge)):
        if wanted is not None and not all(_is(one.get(name), wanted) for one in proofs or [{}]):
            return replace(
                proof,
                outcome="fail",
                code=f"proof_{name}",
                sentence=f"The proof was not made for the {name} that is asked for.",
            )
    return None


def _is(found: Any, wanted: str) -> bool:
    return wanted in found if isinstance(found, list) else bool(found == wanted)


def _not_asked(check: Check) -> Check:
    if check.outcome != "unknown":
        return check
    return replace(check, outcome="pass", code="not_asked", sentence=f"It was not asked for. {check.sentence}")


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
        raise _invalid(f"/options/{name}", f"text of {_LONGEST} characters at most")
    return value


def _invalid(place: str, wanted: str) -> InvalidRequestError:
    return InvalidRequestError(f"{place} is wanted: {wanted}", [{"field": place, "reason": f"wanted: {wanted}"}])
