"""What a caller of the VC API asks of a proof beyond being good: purpose, domain, challenge, which checks count."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from libs.common.errors import InvalidRequestError
from libs.openbadges.model.members import proofs_of
from libs.openbadges.verify import Check, Report

_STATUS_NAMES = frozenset({"credentialStatus", "status", "statusCheck"})
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a verifying call; None where the caller does not ask.

    Attributes:
        purpose: what the proof must have been made for.
        domain: where the proof must have been meant for.
        challenge: what the holder was given to sign with.
        status_asked: whether a status that is unavailable stands against verification.
        proof_alone: whether the caller asks for the proof and for no other check.
    """

    purpose: str | None = None
    domain: str | None = None
    challenge: str | None = None
    status_asked: bool = True
    proof_alone: bool = False


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
        set(checks) == {"proof"},
    )


def hold_to(report: Report, options: Options) -> Report:
    """Return the report as the caller's options make it: what they ask of a credential's proofs counts too."""
    checks = [_bound(with_purpose(check, options, "assertionMethod"), report, options) for check in report.checks]
    return without_status(replace(report, checks=tuple(checks)), options)


def without_status(report: Report, options: Options) -> Report:
    """Return the report without a status that is not known, where the caller did not ask for it.

    A status that was read counts all the same: a credential known to be revoked is never good.
    """
    if options.status_asked:
        return report
    checks = [_not_asked(check) if check.name == "status" else check for check in report.checks]
    return replace(report, checks=tuple(checks))


def left_out(check: Check) -> Check:
    """Return the check as one that passes because nobody asked for it."""
    if check.outcome == "pass":
        return check
    return check._replace(outcome="pass", code="not_asked", message=f"It was not asked for. {check.message}")


def with_purpose(check: Check, options: Options, made_for: str) -> Check:
    """Return the check of a proof as it is when another purpose is asked for than it was made for."""
    if check.name != "proof" or check.outcome != "pass" or options.purpose in {None, made_for}:
        return check
    message = f"The proof was made for the purpose {made_for}, not for {options.purpose}."
    return check._replace(outcome="fail", code="proof_purpose", message=message)


def _bound(check: Check, report: Report, options: Options) -> Check:
    """Return the check of a credential's proof as it is when it must have been made for a domain or a challenge."""
    if check.name != "proof" or check.outcome != "pass":
        return check
    proofs = proofs_of(dict(report.credential or {}))
    for name, wanted in (("domain", options.domain), ("challenge", options.challenge)):
        if wanted is not None and not all(_is(one.get(name), wanted) for one in proofs or [{}]):
            message = f"The proof was not made for the {name} that is asked for."
            return check._replace(outcome="fail", code=f"proof_{name}", message=message)
    return check


def _is(found: Any, wanted: str) -> bool:
    return wanted in found if isinstance(found, list) else bool(found == wanted)


def _not_asked(check: Check) -> Check:
    return left_out(check) if check.outcome == "unknown" else check


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
        raise _invalid(f"/options/{name}", f"text of {_LONGEST} characters at most")
    return value


def _invalid(pointer: str, expected: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{pointer} is not valid: expected {expected}", [{"field": pointer, "reason": f"expected {expected}"}]
    )
