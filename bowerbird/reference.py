"""The pages of docs/reference/: columns of evidence, codes of reasons, of closing and suspending, scopes, modules."""

from collections.abc import Iterable, Mapping
from typing import Final

from bowerbird import module_map
from libs.access.scopes import MEANINGS as SCOPES
from libs.contracts.reasons import REVOCATION_MEANINGS, SUSPENSION_MEANINGS, TAKE_DOWN_MEANINGS
from services.evidence.sources.refusals import Reason
from services.evidence.sources.schema import column_table
from services.issuer.decisions.decision import Reason as Decided
from services.issuer.decisions.messages import MESSAGES

_AT_INGESTION: Final[Mapping[Reason, str]] = {
    Reason.MISSING_VALUE: "Fill the column in; every row needs source_id, learner_id, achievement, date, "
    "activity, and a level or a score.",
    Reason.SOURCE_ID_FORM: "Use your system's id of the piece of evidence: no spaces, no @.",
    Reason.LEARNER_ID_FORM: "Use the student number or another id: no name, no e-mail address.",
    Reason.EMAIL_FORM: "Correct the address, or leave it empty; then no mail is sent.",
    Reason.LEVEL_UNKNOWN: "Write one of the five levels of the SOLO taxonomy.",
    Reason.SCORE_FORM: "Write a number from 0 to 100, with a decimal point if any.",
    Reason.LEVEL_AND_SCORE: "Empty one of the two columns.",
    Reason.DATE_FORM: "Write the date as 2026-03-09. A spreadsheet keeps that form in a column of text.",
    Reason.DATE_IN_FUTURE: "Correct the date: evidence is of something that has happened.",
    Reason.DATE_TOO_EARLY: "Correct the date, mostly its year: nothing before 1950 is taken.",
    Reason.ACHIEVEMENT_FORM: "Write the achievement's id, such as resilience, not its title.",
    Reason.CLASS_FORM: "Write the short name of the class, such as 7B.",
    Reason.TERM_FORM: "Write the short name of the term, such as 2026-T3.",
    Reason.LINK_FORM: "Write the whole link, beginning with https://, without user name or password.",
    Reason.LINK_SECRET: "Take a link without a token or password, which only those open who may see the work; or leave "
    "it out, in the column link and in the activity. Everybody can read it on the badge's page.",
    Reason.NAME_LINK: "Write the name alone; where a dot or a slash in it is read as a link, put a space behind it.",
    Reason.TOO_LONG: "Shorten the text; the limits are in the table of columns.",
    Reason.TEXT_FORM: "Type the text again: it holds the character that the row names, which no text may hold.",
    Reason.NOT_JSON: "Each line of an NDJSON file is one JSON object of texts and numbers.",
    Reason.DUPLICATE_FIELD: "Give each field once in an object.",
    Reason.NUMBER_FORM: "Write an id as text, in quotes.",
    Reason.NOT_UTF8: "Save the file as 'CSV UTF-8'.",
    Reason.COLUMNS_WRONG: "The row has more or fewer fields than the first line: look for a stray comma or quote.",
    Reason.EMAIL_IN_TEXT: "Take the address out of the activity or the link: everybody can read it on the open page.",
    Reason.TELEPHONE_IN_TEXT: "Take the number out of the activity, which everybody can read on the open page, or out"
    " of the learner's name, which is mailed.",
    Reason.TOO_MANY_FIELDS: "Leave out the fields that are not in the table of columns.",
}
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
    Decided.ALREADY_AWARDED: "Nothing: the row names the credential that the learner holds.",
    Decided.HIGHER_LEVEL_HELD: "Nothing: the row names the credential that the learner holds.",
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
        "modules.md": module_map.page(),
    }


def _columns() -> str:
    return _page(
        "Columns of evidence",
        "A file is CSV (UTF-8, comma or semicolon, names in the first line, in any order) or NDJSON, plain or gzip. "
        "What is public stands on the badge's open page and in the signed credential, for everybody who has the link, "
        "and cannot be called back. What is public by choice does so only where the issuer's profile says "
        "`public_evidence` when the badge is issued; else it stays with the school. `GET /v1/evidence/template` gives "
        "a CSV file to fill in, with these marks beside the names; they may stay there.",
        column_table(),
    )


def _reasons() -> str:
    at_ingestion = ((reason, "", _AT_INGESTION[reason]) for reason in Reason)
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
        "Why a badge was revoked or taken down",
        "Stable codes, which partners read; the badge's page tells what they mean. No code blames a learner. "
        "What a school writes beside it (`note`) stays with the school: it is on no topic, page or log, and is removed "
        "when its life ends. "
        "A reader treats a code that it does not know as `other`.",
        "## Revoked: the badge holds no longer, and its page says so",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in REVOCATION_MEANINGS.items())),
        "## Taken down: nobody can read what it said, and it is revoked too",
        _table(("code", "meaning"), ((f"`{code}`", told) for code, told in TAKE_DOWN_MEANINGS.items())),
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


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_GENERATED, f"# {title}", *parts]) + "\n"


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines))
