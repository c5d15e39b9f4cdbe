"""What verifying found: named checks, each pass, fail or unknown, and the verdict that follows from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from libs.openbadges import times

Outcome = Literal["pass", "fail", "unknown"]

CHECKS = ("format", "context", "schema", "proof", "issuer", "dates", "status")
"""Every report has these checks, in this order."""

RECIPIENT = "recipient"
"""The check that a report has last, where it was asked whether the credential is about a certain person."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a credential.

    Attributes:
        name: one of `CHECKS`, or `RECIPIENT`.
        outcome: pass, fail, or unknown where the question could not be answered.
        code: stable, for programs.
        sentence: for people.
        at: the moment that the answer speaks of.
    """

    name: str
    outcome: Outcome
    code: str
    sentence: str
    at: datetime

    def to_dict(self) -> dict[str, str]:
        """Write the check as JSON has it."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "code": self.code,
            "sentence": self.sentence,
            "at": times.write(self.at),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one credential, and the credential as it was read (None where it could not be read).

    Attributes:
        checks: in the order of `CHECKS`; then `RECIPIENT`, where it was asked.
        credential: as it was read.
        embedded: of a learner record, a report on each credential in it, in their order.
    """

    checks: tuple[Check, ...]
    credential: Mapping[str, Any] | None
    embedded: tuple["Report", ...] = ()

    @property
    def verdict(self) -> Outcome:
        """Any check that fails, here or embedded: fail. Else any that is unknown: unknown. Else pass."""
        return worst([*(check.outcome for check in self.checks), *(report.verdict for report in self.embedded)])

    def check(self, name: str) -> Check:
        """Answer the check of that name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Write the report as JSON has it, without the credential; `embedded` only where something is."""
        written: dict[str, Any] = {"verdict": self.verdict, "checks": [check.to_dict() for check in self.checks]}
        if self.embedded:
            written["embedded"] = [
                {"id": (report.credential or {}).get("id"), **report.to_dict()} for report in self.embedded
            ]
        return written


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Answer the outcome that rules over the others; of nothing at all, unknown."""
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "unknown"
