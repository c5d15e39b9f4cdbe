"""What a value that was refused most likely means: a proposal for people to check, never taken by itself. Pure."""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from libs.common.addresses import Address
from libs.common.web_urls import public_web_url
from libs.contracts.results import SoloLevel
from services.evidence.sources.advice import ADVICE
from services.evidence.sources.columns import BY_NAME
from services.evidence.sources.refusals import Reason

_CONSIDERED: Final = 300
_NOT_IN_SLUG: Final = re.compile(r"[^a-z0-9]+")
_WHOLE_NUMBER: Final = re.compile(r"([0-9]+)\.0*")
_NUMBER: Final = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,12}))?\s*%?")
_DATE: Final = re.compile(r"([0-9]{1,2})[./ -]([0-9]{1,2})[./ -]([0-9]{4})(?:[ T].*)?")
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})[./ -]?([0-9]{1,2})[./ -]?([0-9]{1,2})(?:[ T].*)?")
_SERIAL: Final = re.compile(r"[2-6][0-9]{4}")
_SERIAL_ZERO: Final = date(1899, 12, 30)
_ADDRESS: Final = re.compile(r"[^\s<>()\"',;]+@[^\s<>()\"',;]+")


def suggestion(code: str, value: str) -> str:
    """Return what to do about a value that was refused for this reason; empty where nothing is known of the code."""
    try:
        reason = Reason(code)
    except ValueError:
        return ""
    propose = _PROPOSALS.get(reason)
    proposed = None if propose is None else propose(value.strip()[:_CONSIDERED])
    return f"Did you mean {proposed}?" if proposed else ADVICE[reason]


def _level(value: str) -> str | None:
    near = difflib.get_close_matches(re.sub(r"[\s_]+", "-", value.lower()), [each.value for each in SoloLevel], n=1)
    return near[0] if near else None


def _achievement(value: str) -> str | None:
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return _of_form("achievement", _NOT_IN_SLUG.sub("-", plain).strip("-"))


def _whole_number(column: str) -> Callable[[str], str | None]:
    def propose(value: str) -> str | None:
        number = _WHOLE_NUMBER.fullmatch(value)
        return None if number is None else _of_form(column, number[1])

    return propose


def _score(value: str) -> str | None:
    number = _NUMBER.fullmatch(value)
    if number is None:
        return None
    score = number[1] if number[2] is None else f"{number[1]}.{number[2]}"
    return score if float(score) <= 100 else None


def _date(value: str) -> str | None:
    """Return the day, or both where day and month may be meant either way round: which one is never guessed."""
    if _SERIAL.fullmatch(value):
        return (_SERIAL_ZERO + timedelta(days=int(value))).isoformat()
    if found := _YEAR_FIRST.fullmatch(value):
        return _day(found[1], found[2], found[3])
    if not (found := _DATE.fullmatch(value)):
        return None
    readings = (_day(found[3], found[2], found[1]), _day(found[3], found[1], found[2]))
    return " or ".join(dict.fromkeys(each for each in readings if each is not None)) or None


def _day(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def _email(value: str) -> str | None:
    found = _ADDRESS.findall(value.removeprefix("mailto:"))
    address = Address.parse(found[0]) if len(found) == 1 else None
    return None if address is None else str(address)


def _link(value: str) -> str | None:
    if "://" in value or "." not in value.partition("/")[0]:
        return None
    try:
        return public_web_url(f"https://{value}")
    except ValueError:
        return None


def _of_form(column: str, value: str) -> str | None:
    form = BY_NAME[column].form
    return value if form is not None and form.pattern.fullmatch(value) else None


_PROPOSALS: Final[Mapping[Reason, Callable[[str], str | None]]] = {
    Reason.LEVEL_UNKNOWN: _level,
    Reason.ACHIEVEMENT_FORM: _achievement,
    Reason.SOURCE_ID_FORM: _whole_number("source_id"),
    Reason.LEARNER_ID_FORM: _whole_number("learner_id"),
    Reason.SCORE_FORM: _score,
    Reason.DATE_FORM: _date,
    Reason.EMAIL_FORM: _email,
    Reason.LINK_FORM: _link,
}
