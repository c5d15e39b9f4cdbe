"""What a badge's page shows, read out of a signed document of any shape, and the report on it, in plain words."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Literal
from urllib.parse import urlsplit

from libs.common.text import UNSEEN
from libs.openbadges.issue.achievements import LINKEDIN_IDENTIFIER
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Outcome
from libs.openbadges.verify import Check, Report
from libs.openbadges.verify.report import counted
from services.verifier.pages.levels import order_of

LONGEST_TEXT = 4_000
_MOST_ITEMS = 100
_NUMBER = re.compile(r"[1-9][0-9]{0,19}")
# A reader must see what a program reads: no control characters, and nothing that shows nothing.
_INVISIBLE = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), *map(ord, UNSEEN)) if code != 0x0A}
_Verdict = Literal["pass", "fail", "revoked", "unknown"]

CLAIMS: Mapping[str, str] = {
    "proof": "The text is exactly as it was signed",
    "issuer": "It was signed by the issuer that it names",
    "publication": "It says what was published here under its id",
    "status": "It has not been revoked",
    "dates": "It is within its dates",
    "endorsement": "What others say of it is theirs and holds up",
    "refresh": "It is the newest version available",
    "schema": "It follows Open Badges 3.0",
    "context": "All its terms have a known meaning",
    "format": "It is a verifiable credential",
}
"""What each check tests, as people say it, in the order in which it matters to them."""

REAL = ("format", "context", "schema", "publication", "proof")
SIGNED_BY = ("proof", "issuer")
GOOD = ("dates", "status")
"""The checks that answer the page's three questions; with those of `BESIDE`, all that a report has."""

BESIDE = ("refresh", "endorsement")
"""What bears on none of the three: a newer version to show, and the words of others."""

_STATUS_WORDS: Mapping[str, str] = {
    "revoked": "The issuer has revoked it.",
    "suspended": "The issuer has suspended it.",
    "message": "The issuer has left a message about it, for those who process it.",
    "refresh_available": "It is good, and its issuer has a newer one.",
}
"""A status in plain words. An issuer's own message is for programmers (Bitstring Status List 1.0, section 2.1)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One level of the scale; `taxonomy` is its name there where its author calls it otherwise."""

    name: str
    description: str | None
    achieved: bool
    taxonomy: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One piece of evidence; `link` is http or https, or None."""

    name: str
    text: str | None
    link: str | None

    @property
    def host(self) -> str:
        """Where the link leads, for people."""
        return (urlsplit(self.link).hostname or "") if self.link else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One check, or several in one, in words."""

    question: str
    outcome: Outcome
    word: str
    message: str
    at: datetime
    code: str = ""


@dataclass(frozen=True, slots=True)
class Badge:
    """Everything that the page shows.

    Attributes:
        mark: that of the verdict, which is undecided where a stranger signed what passes.
        only_endorsement: every check of the badge and of what is in it passed, that of what others say on it did not.
        linkedin_id: the number of the issuer's page on LinkedIn.
        earned: the day, or the moment where it has a time of day.
        steps: lowest first where they are `ordered`, else as the document lists them.
        ordered: whether the levels' points tell which is lower.
        by_stranger: whether it is not known here who signed, whatever name the badge gives.
    """

    id: str | None
    title: str
    description: str | None
    criteria: str | None
    criteria_link: str | None
    achievement_link: str | None
    learner: str
    issuer: str
    issuer_link: str | None
    issuer_id: str
    linkedin_id: str | None
    issued: datetime | None
    earned: date | None
    ends: datetime | None
    scale: str | None
    steps: tuple[Step, ...]
    ordered: bool
    results: tuple[tuple[str, str], ...]
    evidence: tuple[EvidenceItem, ...]
    verdict: _Verdict
    mark: _Verdict
    only_endorsement: bool
    real: Answer
    signed_by: Answer
    good: Answer
    checks: tuple[Answer, ...]
    checked_at: datetime
    signer: str
    by_stranger: bool

    @property
    def achieved(self) -> Step | None:
        """The level reached, where the achievement has levels."""
        return next((step for step in self.steps if step.achieved), None)

    @property
    def signer_mark(self) -> Outcome:
        """The mark of who signed: whoever it is, a stranger remains one."""
        outcome = self.signed_by.outcome
        return "unknown" if outcome == "pass" and self.by_stranger else outcome

    @property
    def counted(self) -> str:
        """How many checks came to what, in words."""
        numbers = Counter(check.outcome for check in self.checks)
        words: Mapping[Outcome, str] = {"pass": "passed", "fail": "failed", "unknown": "could not be made"}
        return ", ".join(f"{numbers[outcome]} {word}" for outcome, word in words.items() if numbers[outcome])

    @property
    def position(self) -> int:
        """Which step the level reached is, the lowest being 1; 0 where there is none, or no order."""
        if not self.ordered:
            return 0
        return next((number for number, step in enumerate(self.steps, 1) if step.achieved), 0)


def badge_of(document: Mapping[str, Any], report: Report) -> Badge:
    """Read a document out. Whatever is missing or of another kind than expected is left out, never an error."""
    subject = _object(document.get("credentialSubject"))
    achievement = _object(subject.get("achievement"))
    criteria = _object(achievement.get("criteria"))
    issuer = document.get("issuer")
    issuer = {"id": issuer} if isinstance(issuer, str) else _object(issuer)
    levels, results = _results(achievement, subject)
    issuer_id = shown_text(issuer.get("id")) or "not named"
    real = _together("Is it real?", [report.check(name) for name in REAL])
    signed_by = _together("Who issued it?", [report.check(name) for name in SIGNED_BY])
    good = _together("Is it still good?", [report.check(name) for name in GOOD])
    return Badge(
        id=shown_text(document.get("id")),
        title=shown_text(achievement.get("name")) or shown_text(document.get("name")) or "A badge without a name",
        description=shown_text(achievement.get("description")),
        criteria=shown_text(criteria.get("narrative")),
        criteria_link=safe_link(criteria.get("id")),
        achievement_link=safe_link(achievement.get("id")),
        learner=shown_text(subject.get("id")) or "not named",
        issuer=shown_text(issuer.get("name")) or issuer_id,
        issuer_link=safe_link(issuer.get("url")),
        issuer_id=issuer_id,
        linkedin_id=_linkedin_id(issuer),
        issued=_moment(document.get("validFrom")),
        earned=_day(subject.get("activityEndDate")) or _day(document.get("awardedDate")),
        ends=_moment(document.get("validUntil")),
        scale=levels.name,
        steps=levels.steps,
        ordered=levels.ordered,
        results=results,
        evidence=tuple(_evidence(one) for one in _objects(document.get("evidence"))),
        verdict=_verdict(report),
        mark=mark_of(report),
        only_endorsement=_only_endorsement(report),
        real=real,
        signed_by=signed_by,
        good=_only_as_good(good, (real, signed_by)),
        checks=tuple(_answer(claim, report.check(name)) for name, claim in CLAIMS.items()),
        checked_at=_utc(report.check("format").at),
        signer=_sentence(report.signer.message if report.signer else "nobody: it could not be read"),
        by_stranger=_by_stranger(report),
    )


def mark_of(report: Report) -> _Verdict:
    """The mark of a verdict: a tick only where it is known who signed."""
    verdict = _verdict(report)
    return "unknown" if verdict == "pass" and _by_stranger(report) else verdict


def _by_stranger(report: Report) -> bool:
    return report.signer is not None and report.signer.party is None


def _only_endorsement(report: Report) -> bool:
    beside = {check.name for check in report.checks if check.outcome != "pass"}
    return beside == {"endorsement"} and all(one.verdict == "pass" for one in report.embedded)


def safe_link(value: Any) -> str | None:
    """An http or https URL with a host, or None: nothing else in a document becomes a link."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in {"http", "https"} and parts.hostname else None


def _linkedin_id(issuer: Mapping[str, Any]) -> str | None:
    """The number of its page on LinkedIn, as other wallets read it too (`LINKEDIN_IDENTIFIER`)."""
    for one in _objects(issuer.get("otherIdentifier")):
        number = one.get("identifier")
        if one.get("identifierType") == LINKEDIN_IDENTIFIER and isinstance(number, str) and _NUMBER.fullmatch(number):
            return number
    return None


@dataclass(frozen=True, slots=True)
class _Levels:
    name: str | None = None
    steps: tuple[Step, ...] = ()
    ordered: bool = False


def _results(achievement: dict[str, Any], subject: dict[str, Any]) -> tuple[_Levels, tuple[tuple[str, str], ...]]:
    """The levels of the first result on levels; other results as name and value."""
    described = {str(one.get("id")): one for one in _objects(achievement.get("resultDescription"))}
    scale = _Levels()
    others: list[tuple[str, str]] = []
    for result in _objects(subject.get("result")):
        description = described.get(str(result.get("resultDescription")), {})
        name = shown_text(description.get("name")) or "Result"
        levels = _objects(description.get("rubricCriterionLevel"))
        if levels and not scale.steps and isinstance(result.get("achievedLevel"), str):
            scale = _levels(name, levels, result["achievedLevel"])
        elif shown_text(result.get("value")):
            others.append((name, _score(result, description)))
    return scale, tuple(others)


def _levels(name: str, levels: list[dict[str, Any]], achieved: str) -> _Levels:
    ids = [level.get("id") for level in levels]
    reached = ids.index(achieved) if achieved in ids else None
    # Of a longer list only a part was read, and which part depends on its order.
    order = order_of([level.get("points") for level in levels]) if len(levels) < _MOST_ITEMS else None
    places = range(len(levels)) if order is None else order
    return _Levels(name, tuple(_step(levels[place], place == reached) for place in places), order is not None)


def _score(result: dict[str, Any], description: dict[str, Any]) -> str:
    """A value with the most there is, and with the least that earns the achievement."""
    value, most, required = map(
        shown_text, (result.get("value"), description.get("valueMax"), description.get("requiredValue"))
    )
    written = f"{value} of {most}" if most else value or ""
    return f"{written} ({required} or more earns it)" if required else written


def _step(level: dict[str, Any], achieved: bool) -> Step:
    name = shown_text(level.get("name")) or shown_text(level.get("level")) or "A level without a name"
    taxonomy = shown_text(level.get("level"))
    other = taxonomy if taxonomy and taxonomy.casefold() != name.casefold() else None
    return Step(name, shown_text(level.get("description")), achieved, other)


def _evidence(one: dict[str, Any]) -> EvidenceItem:
    link = safe_link(one.get("id"))
    text = shown_text(one.get("narrative")) or shown_text(one.get("description"))
    name = shown_text(one.get("name")) or shown_text(one.get("genre")) or "A piece of evidence"
    return EvidenceItem(name, text, link)


def _verdict(report: Report) -> _Verdict:
    """Revoked is told apart where it is the only thing wrong: then the badge was real, and is no longer good."""
    failed = {(check.name, check.code) for check in report.checks if counted(check) == "fail"}
    if ("status", "revoked") in failed and failed <= {("status", "revoked"), ("publication", "taken_down")}:
        return "revoked"
    return report.verdict


def _together(question: str, checks: list[Check]) -> Answer:
    """The answer to one question that several checks answer together: the worst of them speaks."""
    order = ("fail", "unknown", "pass")
    worst = min(checks, key=lambda check: order.index(check.outcome))
    speaking = checks[-1] if worst.outcome == "pass" else worst
    word = {"pass": "Yes", "fail": "No", "unknown": "Could not check"}[speaking.outcome]
    return Answer(question, speaking.outcome, word, _message(speaking), _utc(speaking.at), speaking.code)


def _only_as_good(good: Answer, grounds: tuple[Answer, ...]) -> Answer:
    """What is not proven says nothing: its dates and its status entry could be anybody's words."""
    if any(ground.outcome == "fail" for ground in grounds):
        return replace(good, outcome="fail", word="No", message="What is not real cannot be good.", at=grounds[0].at)
    if good.outcome == "pass" and any(ground.outcome == "unknown" for ground in grounds):
        message = "Nothing is known against it, and whether it is real could not be checked."
        return replace(good, outcome="unknown", word="Could not check", message=message)
    return good


def _answer(claim: str, check: Check) -> Answer:
    word = {"pass": "Passed", "fail": "Failed", "unknown": "Could not check"}[check.outcome]
    return Answer(claim, check.outcome, word, _message(check), _utc(check.at), check.code)


def _sentence(signer: str) -> str:
    return f"Signed by {signer}."


def _message(check: Check) -> str:
    return _STATUS_WORDS.get(check.code, check.message) if check.name == "status" else check.message


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed[:_MOST_ITEMS] if isinstance(one, dict)]


def shown_text(value: Any) -> str | None:
    """A text as a page shows it: nothing invisible, cut where it is very long; None where there is none."""
    if not isinstance(value, str):
        return None
    text = value[: LONGEST_TEXT + 1].translate(_INVISIBLE).strip()
    if not text:
        return None
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"


def _moment(value: Any) -> datetime | None:
    try:
        return _utc(times.read(value))
    except CredentialError:
        return None


def _day(value: Any) -> date | None:
    """A day: midnight where it was written, as a school tells a day, is that day in every time zone."""
    try:
        moment = times.read(value)
    except CredentialError:
        return None
    return _utc(moment) if moment.timetz().replace(tzinfo=None) != time() else moment.date()


def _utc(moment: datetime) -> datetime:
    """The moment in UTC; within hours of the calendar's ends it stays as it is."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment


def in_zone(value: date, zone: tzinfo) -> date:
    """A moment in a time zone; a mere day, and a moment within hours of the calendar's ends, as it is."""
    if not isinstance(value, datetime):
        return value
    try:
        return value.astimezone(zone)
    except OverflowError:
        return value
