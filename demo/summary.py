"""What became of everything: counted per school, summed, checked against itself, shown as a table, kept as JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

_REASONS = {
    "missing_value": "a value is missing",
    "learner_id_form": "form of the learner id",
    "email_form": "form of the e-mail address",
    "level_unknown": "no such level",
    "score_form": "form of the score",
    "level_and_score": "both level and score",
    "date_form": "form of the date",
    "date_in_future": "date in the future",
    "achievement_form": "form of the achievement",
    "link_form": "form of the link",
    "too_long": "a value is too long",
    "text_form": "control characters",
    "source_id_form": "form of the source id",
    "not_json": "line is not JSON",
    "not_utf8": "line is not UTF-8",
    "columns_wrong": "columns do not fit",
    "too_many_fields": "too many fields",
    "unknown_achievement": "no such achievement",
    "level_needed": "a level is needed",
    "score_needed": "a score is needed",
    "source_id_reused": "source id used before",
    "unknown_issuer": "no such issuer",
}


@dataclass
class Tally:
    """The numbers of one school, or of all together; everything in it was answered by a service.

    Attributes:
        sent: rows in the files that were sent, counted before sending.
        received: rows that the evidence service says it received.
        refused: by reason.
        credentials: different credentials that the issued rows name.
        verified: credentials for which every check of the verifier came out as pass.
        revoked: credentials about which the verifier says that they were revoked, and nothing else is wrong.
        addressed: credentials whose learner's address stands in the files.
        mailed: credentials whose e-mail the mail server took.
    """

    sent: int = 0
    received: int = 0
    issued: int = 0
    not_yet: int = 0
    duplicate: int = 0
    waiting: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    credentials: int = 0
    verified: int = 0
    revoked: int = 0
    addressed: int = 0
    mailed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def problems(self, whose: str) -> list[str]:
        """What does not add up, each as a sentence; empty where everything does."""
        refused = self.refused.total()
        decided = self.issued + self.not_yet + self.duplicate + self.waiting + refused
        claims = (
            (self.sent, self.received, "rows were sent", "received"),
            (self.received, decided, "rows were received", "accounted for by an outcome"),
            (self.issued, self.credentials, "rows say issued", "different credentials"),
            (
                self.credentials - self.revoked,
                self.verified,
                "credentials were issued and not revoked since",
                "verified with every check passed",
            ),
            (self.addressed, self.mailed, "credentials belong to learners with an address", "mailed"),
        )
        return [f"{whose}: {this} {what}, but {that} {other}" for this, that, what, other in claims if this != that]

    def as_json(self) -> dict[str, Any]:
        """For `summary.json`: `refused` is a number, `refused_by_reason` says why."""
        return {
            "received": self.received,
            "issued": self.issued,
            "not_yet": self.not_yet,
            "duplicate": self.duplicate,
            "waiting": self.waiting,
            "refused": self.refused.total(),
            "refused_by_reason": dict(sorted(self.refused.items())),
            "verified": self.verified,
            "revoked": self.revoked,
            "mailed": self.mailed,
        }


def total(schools: Mapping[str, Tally]) -> Tally:
    """All schools together."""
    return sum(schools.values(), Tally())


def problems(schools: Mapping[str, Tally]) -> list[str]:
    """What does not add up, school by school (then the sums do or do not, with them)."""
    found = [problem for name, tally in schools.items() for problem in tally.problems(name)]
    if not total(schools).verified:
        found.append("in all: no credential came out of it; the reasons of refusal above say why")
    return found


def as_json(schools: Mapping[str, Tally]) -> dict[str, Any]:
    """The whole of `summary.json`: the sums at the top and under `total`, the parts under `schools`."""
    sums = total(schools).as_json()
    return {**sums, "total": sums, "schools": {name: tally.as_json() for name, tally in schools.items()}}


def table(schools: Mapping[str, Tally]) -> Table:
    """The same numbers for people, the reasons of refusal below the sums."""
    sums = total(schools)
    shown = Table(title="Values Week: what became of the evidence", title_justify="left")
    shown.add_column("", no_wrap=True)
    for name in schools:
        shown.add_column(name.replace("-", " "), justify="right")
    shown.add_column("in all", justify="right", style="bold")
    columns = [*schools.values(), sums]
    for label in ("received", "issued", "not_yet", "duplicate", "waiting"):
        if label != "waiting" or sums.waiting:
            shown.add_row(label.replace("_", " "), *(str(getattr(column, label)) for column in columns))
    shown.add_row("refused", *(str(column.refused.total()) for column in columns), end_section=not sums.refused)
    for reason, _ in sums.refused.most_common():
        counts = (str(column.refused[reason] or "·") for column in columns)
        shown.add_row(f"  {_REASONS.get(reason, reason)}", *counts, style="dim")
    shown.add_section()
    shown.add_row("verified", *(str(column.verified) for column in columns))
    if sums.revoked:
        shown.add_row("revoked since", *(str(column.revoked) for column in columns))
    shown.add_row("mailed", *(str(column.mailed) for column in columns))
    without = [column.credentials - column.addressed for column in columns]
    shown.add_row("  learner has no address", *(str(count or "·") for count in without), style="dim")
    return shown
