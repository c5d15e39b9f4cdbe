"""What verifying found: named checks, each pass, fail or unknown, and the verdict that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding, Outcome, worst
from libs.openbadges.trust.signer import Signer

_VERDICTS: Final[Mapping[Outcome, str]] = {
    "pass": "Every check passes.",
    "fail": "At least one check fails.",
    "unknown": "Not everything could be checked, which is neither yes nor no.",
}


class Check(NamedTuple):
    """One question about a credential.

    Attributes:
        name: one of `pipeline.CHECKS`, or `recipient`.
        outcome: pass, fail, or unknown where the question could not be answered.
        code: stable, for programs.
        message: for people.
        at: the moment that the answer speaks of.
    """

    name: str
    outcome: Outcome
    code: str
    message: str
    at: datetime

    def to_dict(self) -> dict[str, str]:
        """Write the check as JSON has it."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "code": self.code,
            "message": self.message,
            "at": times.write(self.at),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one credential, and the credential as it was read (None where it could not be read).

    Attributes:
        checks: in the order of `pipeline.CHECKS`; then `recipient`, where it was asked.
        credential: as it was read.
        embedded: of a learner record, a report on each credential in it, in their order.
        endorsements: of any, a report on each endorsement that was opened, in the order in which they stand.
        signer: who signed it; None where it could not be read.
    """

    checks: tuple[Check, ...]
    credential: Mapping[str, Any] | None
    embedded: tuple["Report", ...] = ()
    endorsements: tuple["Endorsement", ...] = ()
    signer: Signer | None = None

    @property
    def verdict(self) -> Outcome:
        """Any check that fails, here or embedded: fail. Else any that is unknown: unknown. Else pass.

        One check only counts as unknown when it fails: `endorsement`. What somebody else says of a credential does
        not make it bad, for else an endorser who takes a word back would take back what others issued. Nor is it a
        pass: only when the endorsements verify too "may be treated as verified" (Open Badges 3.0, verification).
        """
        return worst([*(counted(check) for check in self.checks), *(report.verdict for report in self.embedded)])

    @property
    def summary(self) -> str:
        """The verdict and who signed, in a sentence or two: neither is to be read without the other."""
        verdict = _VERDICTS[self.verdict]
        return verdict if self.signer is None else f"{verdict} Signed by {self.signer.message}."

    @property
    def id(self) -> str | None:
        """The id that the credential gives itself, if it is text: it was read, and may be anything."""
        found = (self.credential or {}).get("id")
        return found if isinstance(found, str) else None

    def check(self, name: str) -> Check:
        """Return the check of that name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Write the report as JSON has it, without the credential; what is in it only where something is."""
        written: dict[str, Any] = {
            "verdict": self.verdict,
            "summary": self.summary,
            "signer": None if self.signer is None else self.signer.to_dict(),
            "checks": [check.to_dict() for check in self.checks],
        }
        if self.embedded:
            written["embedded"] = [{"id": report.id, **report.to_dict()} for report in self.embedded]
        if self.endorsements:
            written["endorsements"] = [
                {"id": one.report.id, "pointer": one.pointer, **one.report.to_dict()} for one in self.endorsements
            ]
        return written


@dataclass(frozen=True, slots=True)
class Endorsement:
    """The report on an endorsement, and where it stands in the credential (JSON Pointer, RFC 6901)."""

    pointer: str
    report: Report


def counted(check: Check) -> Outcome:
    """Return what a check counts for in the whole; see `Report.verdict`."""
    return "unknown" if check.name == "endorsement" and check.outcome == "fail" else check.outcome


def checks_of(findings: Mapping[str, Finding], now: datetime) -> tuple[Check, ...]:
    """Write findings as checks, in their order; one without a moment of its own speaks of now."""
    return tuple(Check(name, one.outcome, one.code, one.message, one.at or now) for name, one in findings.items())


def unreadable(error: CredentialError, now: datetime, names: Sequence[str]) -> tuple[Check, ...]:
    """Return the checks, `format` first, of a document that could not be read.

    One beyond the limits or in a form not read here may be good; one that is not JSON is no credential.
    """
    checks = [Check("format", error.outcome, error.code, str(error), now)]
    checks += [
        Check(name, "unknown", "not_read", "The document could not be read.", now) for name in names if name != "format"
    ]
    return tuple(checks)
