"""Reads one row of evidence: text fields become a submission, or a refusal that says which column and why. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

import orjson

from libs.contracts.results import Result, SoloLevel

COLUMNS = (
    "source_id",
    "learner_id",
    "learner_name",
    "learner_email",
    "achievement",
    "level",
    "score",
    "date",
    "activity",
    "class",
    "term",
    "assessor",
    "comment",
    "link",
)
# Stands in every submission; raise it when a change of this file would read the same row differently.
MAPPING_VERSION = "1"
REQUIRED = ("source_id", "learner_id", "achievement", "date", "activity")
# Fields that never leave the row for this service's database, its logs or `evidence.submitted` (promise 7).
PERSONAL = ("learner_name", "learner_email")

# What stands on the badge's open page and in the signed credential, which is in others' hands from then on.
PUBLIC = ("achievement", "level", "score", "date", "activity", "link")

LONGEST = {
    "source_id": 200,
    "learner_id": 64,
    "learner_name": 200,
    "learner_email": 254,
    "achievement": 64,
    "level": 40,
    "score": 20,
    "date": 40,
    "activity": 300,
    "class": 64,
    "term": 64,
    "assessor": 200,
    "comment": 4000,
    "link": 2000,
}
# An identifier: no space and no @, so that neither a name nor an address is mistaken for one.
_SOURCE_ID = re.compile(r"[^\W_][\w.:/#+=|~-]*", re.ASCII)
_LEARNER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ACHIEVEMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# A class or a term by its short name (7B, 2026-T3): no space, so that no name is mistaken for one.
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_EMAIL = re.compile(r'[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f]{1,64}@[^\W_](?:[\w-]*\.)+[^\W_][\w-]*[^\W_]')
DATE = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}")
SCORE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")
_LINK = re.compile(r'https?://[^\s/?#@\\"<>\x00-\x1f\x7f]+(?:[/?#][^\s\\"<>\x00-\x1f\x7f]*)?', re.IGNORECASE)
# What a name or a text must not hold: control characters other than tab and line ends.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Noon at the date line is already tomorrow in UTC terms.
_GRACE = timedelta(days=1)


class Reason(StrEnum):
    """Why a row was refused at ingestion: a stable code."""

    MISSING_VALUE = "missing_value"
    SOURCE_ID_FORM = "source_id_form"
    LEARNER_ID_FORM = "learner_id_form"
    EMAIL_FORM = "email_form"
    LEVEL_UNKNOWN = "level_unknown"
    SCORE_FORM = "score_form"
    LEVEL_AND_SCORE = "level_and_score"
    DATE_FORM = "date_form"
    DATE_IN_FUTURE = "date_in_future"
    ACHIEVEMENT_FORM = "achievement_form"
    CLASS_FORM = "class_form"
    TERM_FORM = "term_form"
    LINK_FORM = "link_form"
    TOO_LONG = "too_long"
    TEXT_FORM = "text_form"
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    COLUMNS_WRONG = "columns_wrong"
    TOO_MANY_FIELDS = "too_many_fields"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row cannot be taken. `message` is for people and never repeats what the row says."""

    reason: Reason
    column: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One row whose form is good.

    `digest` is the SHA-256, hex, over the canonical JSON of what the row says without name and address.
    """

    source_id: str
    learner_id: str
    learner_name: str | None
    learner_email: str | None
    achievement: str
    result: Result
    observed_on: date
    activity: str
    class_id: str | None
    term: str | None
    assessor: str | None
    comment: str | None
    link: str | None
    digest: str


class _RefusedError(Exception):
    """Carries a refusal out of the checks of single fields."""

    def __init__(self, reason: Reason, column: str, message: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, column, message)


def read_row(fields: Mapping[str, str], today: date) -> Submission | Refusal:
    """Check the fields of one row in the order of the columns; the first fault refuses it.

    `fields` has names of `COLUMNS` only; an absent and an empty field are the same. `today` is the date in UTC.
    """
    try:
        return _read({name: stripped for name, text in fields.items() if (stripped := text.strip())}, today)
    except _RefusedError as refused:
        return refused.refusal


def presentable_source_id(fields: Mapping[str, str]) -> str | None:
    """The row's source id where it has the form of one: what tells the sender which row a refusal speaks of."""
    source_id = fields.get("source_id", "").strip()
    return source_id if len(source_id) <= LONGEST["source_id"] and _SOURCE_ID.fullmatch(source_id) else None


def _read(fields: dict[str, str], today: date) -> Submission:
    _check_present(fields)
    _check_texts(fields)
    result = _result(fields)
    observed_on = _observed_on(fields["date"])
    if observed_on > today + _GRACE:
        raise _RefusedError(Reason.DATE_IN_FUTURE, "date", "The date lies in the future.")
    says = {name: text for name, text in fields.items() if name not in PERSONAL}
    if result.level is not None:
        says["level"] = result.level.value
    else:
        says["score"] = repr(result.score)
    return Submission(
        source_id=fields["source_id"],
        learner_id=fields["learner_id"],
        learner_name=fields.get("learner_name"),
        learner_email=fields.get("learner_email"),
        achievement=fields["achievement"],
        result=result,
        observed_on=observed_on,
        activity=fields["activity"],
        class_id=fields.get("class"),
        term=fields.get("term"),
        assessor=fields.get("assessor"),
        comment=fields.get("comment"),
        link=fields.get("link"),
        digest=sha256(orjson.dumps(says, option=orjson.OPT_SORT_KEYS)).hexdigest(),
    )


def _check_present(fields: Mapping[str, str]) -> None:
    for name in REQUIRED:
        if name not in fields:
            raise _RefusedError(Reason.MISSING_VALUE, name, f"The column {name} is empty; every row needs it.")


FORMS = (
    (
        "source_id",
        _SOURCE_ID,
        Reason.SOURCE_ID_FORM,
        "A source id starts with a letter or digit and holds letters, digits and . : / # + = | ~ _ - only.",
    ),
    (
        "learner_id",
        _LEARNER_ID,
        Reason.LEARNER_ID_FORM,
        "A learner id starts with a letter or digit and holds letters, digits, dot, underscore and hyphen only.",
    ),
    (
        "learner_email",
        _EMAIL,
        Reason.EMAIL_FORM,
        "This is not an e-mail address; leave the column empty where there is none.",
    ),
    (
        "achievement",
        _ACHIEVEMENT,
        Reason.ACHIEVEMENT_FORM,
        "An achievement is named by its id: small letters, digits and hyphens.",
    ),
    (
        "class",
        _GROUP,
        Reason.CLASS_FORM,
        "A class is named by a short identifier such as 7B: letters, digits, dot, underscore, slash and hyphen only.",
    ),
    (
        "term",
        _GROUP,
        Reason.TERM_FORM,
        "A term is named by a short identifier such as 2026-T3: letters, digits, dot, underscore, slash, hyphen only.",
    ),
    (
        "link",
        _LINK,
        Reason.LINK_FORM,
        "A link starts with https:// or http:// and holds no spaces, user names or passwords.",
    ),
)


def _check_texts(fields: Mapping[str, str]) -> None:
    for name, text in fields.items():
        if len(text) > LONGEST[name]:
            raise _RefusedError(Reason.TOO_LONG, name, f"The column {name} takes {LONGEST[name]} characters at most.")
        if CONTROL.search(text):
            raise _RefusedError(Reason.TEXT_FORM, name, f"The column {name} holds a control character.")
    for name, form, reason, message in FORMS:
        if name in fields and not form.fullmatch(fields[name]):
            raise _RefusedError(reason, name, message)


def _result(fields: Mapping[str, str]) -> Result:
    level, score = fields.get("level"), fields.get("score")
    if level is not None and score is not None:
        raise _RefusedError(Reason.LEVEL_AND_SCORE, "score", "Give a level or a score, not both.")
    if level is not None:
        return _level(level)
    if score is not None:
        return _score(score)
    raise _RefusedError(Reason.MISSING_VALUE, "level", "Both level and score are empty; every row needs one of them.")


@lru_cache(maxsize=256)
def _level(text: str) -> Result:
    try:
        return Result(level=SoloLevel.parse(text))
    except ValueError:
        names = ", ".join(SoloLevel)
        raise _RefusedError(Reason.LEVEL_UNKNOWN, "level", f"The level is none of the five: {names}.") from None


@lru_cache(maxsize=1024)
def _score(text: str) -> Result:
    if not SCORE.fullmatch(text) or float(text) > 100:
        raise _RefusedError(
            Reason.SCORE_FORM, "score", "A score is a number from 0 to 100, with a decimal point if any."
        )
    return Result(score=float(text))


@lru_cache(maxsize=1024)
def _observed_on(text: str) -> date:
    # Three forms of ISO 8601 that `fromisoformat` takes as well are no dates to a teacher: hence the pattern first.
    if DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise _RefusedError(
        Reason.DATE_FORM, "date", "A date is written YEAR-MONTH-DAY, such as 2026-03-09, and must exist."
    )
