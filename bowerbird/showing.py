"""Credentials and reports for the terminal; nothing in a stranger's document can move the cursor or fake a line."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from libs.openbadges.jose.tokens import REGISTERED, Token
from libs.openbadges.model.findings import Outcome
from libs.openbadges.verify import Check, Opened, Report

_MARK: Final[dict[Outcome, tuple[str, str]]] = {
    "pass": ("✓", "green"),
    "fail": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
}
_VERDICT: Final[dict[Outcome, str]] = {
    "pass": "Good: every check passes.",
    "fail": "Not good: at least one check fails.",
    "unknown": "Unknown: not everything could be checked. That is neither yes nor no.",
}
_UNKNOWN_SIGNER: Final = (
    "Every check passes, but it is not known who signed it. Anybody can make such a credential and take any name."
)
_NOT_ASKED: Final = ("-", "dim")
"""The mark of a check that passes since nobody had anything to compare the credential with."""
_LONGEST: Final = 300
_MOST: Final = 50

Row = tuple[str, str]


def plain(text: object, longest: int | None = _LONGEST) -> str:
    """Make one harmless line of anything: no control, escape or direction characters, cut where it is long."""
    shown = text if isinstance(text, str) else "" if text is None else str(text)
    cleaned = "".join(
        " "
        if one in "\t\r\n\u2028\u2029"
        else "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(one)[0] == "C"
        else one
        for one in shown[: None if longest is None else longest + 1]
    )
    return cleaned if longest is None or len(cleaned) <= longest else cleaned[:longest] + "…"


def show_report(console: Console, report: Report, problems: Sequence[str]) -> None:
    """Print the verdict, what the credential says of itself, and every check."""
    mark, style = _mark_of(report)
    console.print(Text(f"{mark} {_said(report)}", style))
    _show_signer(console, report)
    if report.credential is not None:
        console.print(_rows(_summary(dict(report.credential))))
    console.print(_checks(report))
    for number, embedded in enumerate(report.embedded[:_MOST], 1):
        mark, style = _mark_of(embedded)
        held = _embedded(dict(embedded.credential)) if embedded.credential else "a credential that was not read"
        console.print(Text(f"\n{mark} Credential {number} of {len(report.embedded)}: {plain(held)}", style))
        _show_signer(console, embedded)
        console.print(_checks(embedded, passed=False))
    for number, one in enumerate(report.endorsements[:_MOST], 1):
        mark, style = _mark_of(one.report)
        says = (
            _endorsement(dict(one.report.credential)) if one.report.credential else "an endorsement that was not read"
        )
        console.print(Text(f"\n{mark} Endorsement {number} of {len(report.endorsements)}: {plain(says)}", style))
        _show_signer(console, one.report)
        console.print(_checks(one.report, passed=False))
    for problem in problems:
        console.print(Text(f"  {plain(problem)}", "dim"))


def _show_signer(console: Console, report: Report) -> None:
    if report.signer is not None:
        style = "bold yellow" if _by_stranger(report) else "green"
        console.print(Text(f"  Signed by {plain(report.signer.message)}.", style))


def _by_stranger(report: Report) -> bool:
    """Return whether it is not known who signed, whatever name the credential gives."""
    return report.signer is None or report.signer.party is None


def _mark_of(report: Report) -> tuple[str, str]:
    """Return the mark of the verdict; a tick only where it is known who signed."""
    return _MARK["unknown" if report.verdict == "pass" and _by_stranger(report) else report.verdict]


def _said(report: Report) -> str:
    """Return the verdict, and beside it that nobody knows who signed; or that only what others say did not pass."""
    if report.verdict == "pass" and _by_stranger(report):
        return _UNKNOWN_SIGNER
    if {check.name for check in report.checks if check.outcome != "pass"} == {"endorsement"} and not report.embedded:
        whose = " It is not known who signed it." if _by_stranger(report) else ""
        return (
            f"The credential itself passes every check; what others say on it does not, so do not rely on that.{whose}"
        )
    return _VERDICT[report.verdict]


def show_document(console: Console, opened: Opened, form: str) -> None:
    """Print what a document says, and whether it has the form that it should have."""
    kind = "as JSON" if opened.token is None else "as a JSON Web Token"
    how = "attached to" if opened.container == "pdf" else "baked into"
    where = f"{kind}, {how} a {opened.container.upper()}" if opened.container else kind
    console.print(Text(f"A document {where}. What it says has not been verified.", "yellow"))
    console.print(_rows([*_summary(opened.document), *_details(opened), ("form", form), *_token(opened.token)]))


def _checks(report: Report, *, passed: bool = True) -> Table:
    """Show the checks, or those alone that did not pass."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in report.checks:
        if check.outcome == "pass" and not passed:
            continue
        mark, style = _NOT_ASKED if _was_not_asked(check) else _MARK[check.outcome]
        moment = check.at.strftime("as of %Y-%m-%d %H:%M %Z") if check.name == "status" else ""
        message = Text(plain(check.message))
        if moment:
            message.append(f"  ({moment})", "dim")
        table.add_row(Text(mark, style), Text(check.name), message)
    return table


def _was_not_asked(check: Check) -> bool:
    return check.code == "publication_not_asked"


def _rows(rows: Sequence[Row]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    for name, value in rows:
        table.add_row(Text(plain(name), "dim"), Text(plain(value)))
    return table


def _summary(document: dict[str, Any]) -> list[Row]:
    subject = _first(document.get("credentialSubject"))
    achievement = _first(subject.get("achievement"))
    rows = [
        ("what", document.get("name") or achievement.get("name")),
        ("kind", ", ".join(str(one) for one in _list(document.get("type")))),
        ("issuer", _named(document.get("issuer"))),
        ("held by", subject.get("id") or ", ".join(_hashes(subject))),
        ("valid from", document.get("validFrom") or document.get("issuanceDate")),
        ("valid until", document.get("validUntil") or document.get("expirationDate")),
        ("results", "; ".join(_results(subject, achievement))),
    ]
    return [(name, str(value)) for name, value in rows if value]


def _details(opened: Opened) -> list[Row]:
    document = opened.document
    subject = _first(document.get("credentialSubject"))
    achievement = _first(subject.get("achievement"))
    criteria = _first(achievement.get("criteria"))
    rows: list[tuple[str, Any]] = [
        ("id", document.get("id")),
        ("awarded", document.get("awardedDate")),
        ("description", document.get("description")),
        ("achievement", achievement.get("description")),
        ("criteria", criteria.get("narrative") or criteria.get("id")),
        ("narrative", subject.get("narrative")),
    ]
    rows += [("alignment", _alignment(one)) for one in _objects(achievement.get("alignment"))]
    rows += [("evidence", _named(one) or one.get("narrative")) for one in _objects(document.get("evidence"))]
    rows += [("endorsement", _endorsement(one)) for one in _objects(document.get("endorsement"))]
    rows += [("status", _status(one)) for one in _objects(document.get("credentialStatus"))]
    unproven = [("proof", "none")] if opened.token is None else []
    rows += [("proof", _proof(one)) for one in _objects(document.get("proof"))] or unproven
    rows += [("credential", _embedded(one)) for one in _objects(subject.get("verifiableCredential"))]
    rows += [("association", _association(one)) for one in _objects(subject.get("association"))]
    return [(name, str(value)) for name, value in rows if value]


def _token(token: Token | None) -> list[Row]:
    """Show a token's header, and of its claims those about the token; the others are the credential."""
    if token is None:
        return []
    about = {name: value for name, value in token.claims.items() if name in REGISTERED}
    return [
        *((f"header {name}", _brief(value)) for name, value in token.header.items()),
        *((f"claim {name}", _brief(value)) for name, value in about.items()),
    ]


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _results(subject: dict[str, Any], achievement: dict[str, Any]) -> Iterator[str]:
    """Return each result in the words of the achievement: 'SOLO level: Relational'."""
    described = {str(one.get("id")): one for one in _objects(achievement.get("resultDescription"))}
    for result in _objects(subject.get("result")):
        description = described.get(str(result.get("resultDescription")), {})
        levels = {str(one.get("id")): one.get("name") for one in _objects(description.get("rubricCriterionLevel"))}
        reached = result.get("achievedLevel")
        value = levels.get(str(reached), reached) or result.get("value") or result.get("status")
        yield f"{description.get('name', 'result')}: {value}"


def _hashes(subject: dict[str, Any]) -> list[str]:
    return [str(one.get("identityHash")) for one in _objects(subject.get("identifier"))]


def _alignment(one: dict[str, Any]) -> str:
    return " · ".join(str(one[name]) for name in ("targetFramework", "targetCode", "targetName") if one.get(name))


def _status(one: dict[str, Any]) -> str:
    return f"{one.get('statusPurpose', one.get('type'))}, entry {one.get('statusListIndex')} of {one.get('id')}"


def _proof(one: dict[str, Any]) -> str:
    made = f", {one['created']}" if one.get("created") else ""
    return f"{one.get('cryptosuite', one.get('type'))} by {one.get('verificationMethod')}{made}"


def _embedded(one: dict[str, Any]) -> str:
    achievement = _first(_first(one.get("credentialSubject")).get("achievement"))
    began = one.get("validFrom") or one.get("issuanceDate")
    return f"{one.get('name') or achievement.get('name') or one.get('id')}, by {_named(one.get('issuer'))}, {began}"


def _endorsement(one: dict[str, Any]) -> str:
    subject = _first(one.get("credentialSubject"))
    return f"{subject.get('endorsementComment') or one.get('name')}, by {_named(one.get('issuer'))}"


def _association(one: dict[str, Any]) -> str:
    return f"{one.get('sourceId')} {one.get('associationType')} {one.get('targetId')}"


def _named(one: Any) -> str:
    """Return a thing's name with its identifier, or whichever of the two it has."""
    if not isinstance(one, dict):
        return str(one or "")
    name, identifier = one.get("name"), one.get("id")
    return f"{name} ({identifier})" if name and identifier else str(name or identifier or "")


def _list(value: Any) -> list[Any]:
    """Return one value or many as a list that is not too long to show."""
    return [] if value is None else value[:_MOST] if isinstance(value, list) else [value]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]


def _first(value: Any) -> dict[str, Any]:
    return next(iter(_objects(value)), {})
