"""The pages of docs/reference/: columns of evidence, codes of reasons, of closing and suspending, scopes, modules."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bowerbird import module_map
from bowerbird.catalogue.written import achievement_schema
from libs.access.scopes import MEANINGS as SCOPES
from libs.contracts.organisations import CLOSING_MEANINGS
from libs.contracts.reasons import (
    AWARD_MEANINGS,
    REVOCATION_MEANINGS,
    SUSPENSION_MEANINGS,
    TAKE_DOWN_MEANINGS,
    WITHDRAWAL_MEANINGS,
    WithdrawalReason,
)
from libs.contracts.rules import rule_schema
from services.evidence.sources.advice import ADVICE
from services.evidence.sources.refusals import Reason
from services.evidence.sources.schema import column_table
from services.issuer.decisions.decision import Reason as Decided
from services.issuer.decisions.messages import MESSAGES

_AT_DECISION: Final[Mapping[Decided, str]] = {
    Decided.UNKNOWN_ISSUER: "Ask the department to onboard your school; a row that waits is then decided.",
    Decided.UNKNOWN_ACHIEVEMENT: "If it is still to be published: nothing, the row waits. Else send it again with "
    "the right id.",
    Decided.ISSUER_SUSPENDED: "Nothing while the row waits: it is decided when the issuer is resumed. Once it is "
    "refused: send it again then. Ask the department why.",
    Decided.SIGNING_KEY_MISSING: "Nothing: the row waits, and whoever runs the service is told.",
    Decided.SIGNING_KEY_CLOSED: "Nothing: the row waits, and whoever runs the service is told.",
    Decided.ISSUER_UNUSABLE: "Nothing: the row waits, and whoever runs the service is told.",
    Decided.ACHIEVEMENT_UNUSABLE: "Publish the achievement's next version, if it is yours; the row waits, and whoever "
    "runs the service is told.",
    Decided.LEVEL_NEEDED: "Send it again with a level, or publish an achievement that asks for a score.",
    Decided.SCORE_NEEDED: "Send it again with a score, or publish an achievement that asks for a level.",
    Decided.CANNOT_BE_WRITTEN: "Correct the link, or leave it out, and send again.",
    Decided.SOURCE_ID_REUSED: "Give this evidence a source id of its own and send it again.",
    Decided.SENT_BEFORE: "Nothing: the first sending was decided.",
    Decided.BELOW_REQUIRED_LEVEL: "Nothing: it is kept, and new evidence under a new source id may earn the badge.",
    Decided.BELOW_REQUIRED_SCORE: "Nothing: it is kept, and new evidence under a new source id may earn the badge.",
    Decided.MORE_EVIDENCE_NEEDED: "Nothing: it is kept and counts. What is still missing stands in the row's `detail`.",
    Decided.ALREADY_AWARDED: "Nothing: the row names the credential that the learner holds.",
    Decided.HIGHER_LEVEL_HELD: "Nothing: the row names the credential that the learner holds.",
    Decided.SUPERSEDED_UNKNOWN: "Look up the badge's id, and whose it is, in `GET /v1/credentials`: no badge has "
    "changed.",
    Decided.SUPERSEDED_REVOKED: "Award the right one without `supersedes`: nothing stands in its way.",
    Decided.SUPERSEDED_BEFORE: "Nothing, if what took its place is right. Else name that one: `superseded_by` of the "
    "badge in `GET /v1/credentials`.",
    Decided.WITHDRAWN_BEFORE: "Nothing, if it is wrong. If it is right after all, give it another source id.",
    **dict.fromkeys((Decided(each.value) for each in WithdrawalReason), "Nothing: your school took it back."),
}
_GENERATED: Final = "<!-- Generated from the code by `bowerbird contracts`: edit there. -->"


def documents() -> dict[str, str]:
    """Return file name to text, for everything under docs/reference/."""
    return {
        "evidence.md": _columns(),
        "reasons.md": _reasons(),
        "revocation.md": _revocation(),
        "scopes.md": _scopes(),
        "suspension.md": _suspension(),
        "closing.md": _closing(),
        "modules.md": module_map.page(),
        "rule.schema.json": _schema(rule_schema()),
        "achievement.schema.json": _schema(achievement_schema()),
    }


def _schema(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _columns() -> str:
    return _page(
        "Columns of evidence",
        "A file is CSV (UTF-8, comma or semicolon, names in the first line, in any order), NDJSON or an Excel workbook "
        "(.xlsx), plain, gzip or alone in a ZIP. "
        "What is public stands on the badge's open page and in the signed credential, for everybody who has the link, "
        "and cannot be called back. What is public by choice does so only where the issuer's profile says "
        "`public_evidence` when the badge is issued; else it stays with the school. `GET /v1/evidence/template` gives "
        "a CSV file to fill in, with these marks beside the names; they may stay there.",
        column_table(),
    )


def _reasons() -> str:
    at_ingestion = ((reason, "", ADVICE[reason]) for reason in Reason)
    at_decision = ((reason, MESSAGES[reason], _AT_DECISION[reason]) for reason in Decided)
    return _page(
        "Codes of reasons",
        "Why a row earned no badge: stable codes, in `reason` of `GET /v1/batches/{id}/rows`. Beside each stands a "
        "sentence about the row itself, in `detail`. Send only the corrected rows again. `email_in_text`, "
        "`telephone_in_text`, and `link_secret` of an activity stand in a row's `warnings`, and the row is taken, "
        "unless the operator has set `BOWERBIRD_CONTACT_DETAILS=refuse`. What was signed can be revoked or taken down; "
        "it cannot be changed.",
        "## The row could not be read",
        _table(("code", "what to do"), ((f"`{code}`", todo) for code, _, todo in at_ingestion)),
        "## The row was read, and decided",
        _table(("code", "meaning", "what to do"), ((f"`{code}`", told, todo) for code, told, todo in at_decision)),
    )


def _revocation() -> str:
    return _page(
        "Why a badge was revoked, taken down or awarded by hand, or evidence withdrawn",
        "Stable codes, which partners read; the badge's page tells what they mean. No code blames a learner. "
        "What a school writes beside it (`note`) stays with the school: it is on no topic, page or log, and is removed "
        "when its life ends. "
        "A reader treats a code that it does not know as `other`.",
        "## Revoked: the badge holds no longer, and its page says so",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in REVOCATION_MEANINGS.items())),
        "## Taken down: nobody can read what it said, and it is revoked too",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in TAKE_DOWN_MEANINGS.items())),
        "## Evidence withdrawn: its row says so, and what rested on it alone is revoked as `evidence_withdrawn`",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in WITHDRAWAL_MEANINGS.items())),
        "## Awarded by hand: no partner reads these, and they stand on no page",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in AWARD_MEANINGS.items())),
    )


def _scopes() -> str:
    return _page(
        "Scopes of API keys",
        "An API key is bound to one issuer, and may do there what its scopes say. They are given when the key is made "
        "(`POST /v1/issuers/{id}/keys`).",
        _table(("scope", "lets its holder"), ((f"`{scope}`", meaning) for scope, meaning in SCOPES.items())),
    )


def _suspension() -> str:
    return _page(
        "Why an issuer is suspended",
        "Stable codes, in `suspension` of the record `issuer:ID` of the catalogue, which partners, verifiers and the "
        "public read. A reader treats a code that it does not know as `other`.",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in SUSPENSION_MEANINGS.items())),
    )


def _closing() -> str:
    return _page(
        "Why an organisation closes",
        "Stable codes, in `closing` of the record `organisation:ID` of the catalogue, which partners and the public "
        "read. A reader treats a code that it does not know as `other`.",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in CLOSING_MEANINGS.items())),
    )


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_GENERATED, f"# {title}", *parts]) + "\n"


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines))
