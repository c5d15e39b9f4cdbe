"""Reads one row of evidence: text fields become a submission, or a refusal of everything that is wrong. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeVar

import orjson

from libs.common.addresses import Address
from libs.common.contact_details import ContactPolicy, contact_detail_in, contact_detail_in_url
from libs.common.links import holds_link
from libs.common.markup import markup_fault
from libs.common.public_url import leads_to_private
from libs.common.text import TextRefusedError, clean_line, clean_text
from libs.common.text_links import holds_secret_link
from libs.common.web_urls import SecretInUrlError, public_web_url
from libs.contracts.results import Result, SoloLevel
from services.evidence.sources.columns import BY_NAME, REQUIRED, TABLE, Column
from services.evidence.sources.refusals import Reason, Refusal, RefusedError, contact_detail_refusal

T = TypeVar("T")

# Stands in every submission; raise it when a change of this file would read the same row differently.
MAPPING_VERSION: Final = "7"

DATE: Final = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}")
_SCORE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]+)?")
# How spreadsheets are made to keep a value as text; either is left over in some exports.
_AS_TEXT: Final = re.compile(r"'(.*)|=\"(.*)\"")
# The same before a text that a spreadsheet would take for a formula (libs/common/spreadsheets.py).
_NO_FORMULA: Final = re.compile(r"'[=+\-@]")
_NAME: Final = "learner_name"
_ACTIVITY: Final = "activity"
_WITHOUT_FORM: Final = frozenset({_NAME, "activity", "assessor", "comment"})
_LINK_PRIVATE: Final = (
    "The link leads to a machine of your own or to a private network, where nobody else reaches the work; give one on"
    " the open web, or leave it out."
)
_LINK_OPENS: Final = (
    "The column activity can stand on an open page, signed; it holds a link that looks as if it opened something to"
    " whoever has it."
)
# So many times a column's length is cleaned: a text may be shorter without its spaces.
_MOST_UNCLEANED: Final = 2
_PERSONAL: Final = frozenset(column.name for column in TABLE if column.personal)
_MISSING: Final[Mapping[str, Refusal]] = {
    name: Refusal(Reason.MISSING_VALUE, name, f"The column {name} is empty; every row needs it.") for name in REQUIRED
}
# Noon at the date line is already tomorrow in UTC terms.
_GRACE: Final = timedelta(days=1)
# A year that was mistyped: no evidence is older than its learner.
_EARLIEST: Final = date(1950, 1, 1)


@dataclass(frozen=True, slots=True)
class Submission:
    """One row whose form is good, its texts cleaned (libs/common/text.py).

    `digest` is the SHA-256, hex, over the canonical JSON of what the row says without name and address; `warnings` are
    of what becomes public, or goes out by mail, and should perhaps not.
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
    warnings: tuple[Refusal, ...] = ()


def read_row(
    fields: Mapping[str, str], today: date, policy: ContactPolicy = ContactPolicy.WARN, *, local: bool = False
) -> Submission | Refusal:
    """Check the fields of one row; a refusal speaks of the first fault in each column.

    `fields` has names of `COLUMNS` only; an absent and an empty field are the same. `today` is the date in UTC;
    `policy` says what an e-mail address, a telephone number or a link that opens something leads to in a public text,
    and the former two in a name;
    `local` takes links to this machine and to private networks.
    """
    try:
        submission = _read(_cleaned(fields), today)
        _check_reachable(submission.link, local=local)
    except RefusedError:
        return _every_fault(fields, today, policy, local=local)
    if submission.warnings and policy is ContactPolicy.REFUSE:
        return _together(submission.warnings)
    return submission


def _every_fault(fields: Mapping[str, str], today: date, policy: ContactPolicy, *, local: bool) -> Refusal:
    """Return what is wrong with a row that is refused: the first fault of each column, in the order of reading."""
    found: list[Refusal] = []
    faulty: set[str | None] = set()

    def noted(check: Callable[..., T], *given: object) -> T | None:
        try:
            return check(*given)
        except RefusedError as refused:
            if refused.refusal.column not in faulty:
                found.append(refused.refusal)
                faulty.add(refused.refusal.column)
            return None

    texts = {name: text for name, raw in fields.items() if raw and (text := noted(_clean, name, raw))}
    unreadable = frozenset(faulty)
    # Without a check of each: junk is mostly rows in which nearly all is missing.
    missing = [name for name in REQUIRED if name not in texts and name not in unreadable]
    found += map(_MISSING.__getitem__, missing)
    faulty.update(missing)
    for column in TABLE:
        if column.name in texts:
            noted(_check_text, texts, column, texts[column.name])
    if not unreadable & {"level", "score"}:
        noted(_result, texts)
    if "date" in texts:
        noted(_day, texts["date"], today)
    if "link" not in faulty:
        noted(lambda: _check_reachable(texts.get("link"), local=local))
    if policy is ContactPolicy.REFUSE:
        good = {name: text for name, text in texts.items() if name not in faulty}
        found += _warnings(good.get("activity", ""), good.get("link"), good.get(_NAME))
    return _together(found)


def _together(found: Sequence[Refusal]) -> Refusal:
    return replace(found[0], also=tuple(found[1:]))


def says_little(refusal: Refusal) -> bool:
    """Return whether most of what every row needs is missing in a row that was refused for this."""
    missing = (each.reason is Reason.MISSING_VALUE for each in (refusal, *refusal.also))
    return sum(missing) * 2 > len(REQUIRED)


def presentable_source_id(fields: Mapping[str, str]) -> str | None:
    """The row's source id where it has the form of one: what tells the sender which row a refusal speaks of."""
    column = BY_NAME["source_id"]
    try:
        source_id = _clean(column.name, fields.get(column.name, ""))
    except RefusedError:
        return None
    fits = column.form is not None and column.form.pattern.fullmatch(source_id) is not None
    return source_id if fits and len(source_id) <= column.longest else None


def _cleaned(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that are not empty, each by the profile of text."""
    return {
        name: text for name, raw in fields.items() if raw and (text := raw if _is_clean(raw) else _clean(name, raw))
    }


def _is_clean(text: str) -> bool:
    """Return whether a text, which is not empty, is surely what `_clean` makes of it, as most are."""
    return text.isascii() and text.isprintable() and not (text[0] in " '=" or text[-1] == " " or "  " in text)


def _clean(name: str, text: str) -> str:
    if len(text) > _MOST_UNCLEANED * BY_NAME[name].longest:
        raise _too_long(BY_NAME[name])
    try:
        text = clean_text(text) if BY_NAME[name].several_lines else clean_line(text)
    except TextRefusedError as refused:
        raise RefusedError(Reason.TEXT_FORM, name, f"The column {name} {refused}.") from None
    if text[:1] not in {"'", "="}:
        return text
    if name in _WITHOUT_FORM:
        return text[1:] if _NO_FORMULA.match(text) else text
    written = _AS_TEXT.fullmatch(text)
    return text if written is None else (written[1] or written[2] or "").strip()


def _read(fields: dict[str, str], today: date) -> Submission:
    for name in REQUIRED:
        _check_given(fields, name)
    for column in TABLE:
        if column.name in fields:
            _check_text(fields, column, fields[column.name])
    result = _result(fields)
    observed_on = _day(fields["date"], today)
    says = {name: text for name, text in fields.items() if name not in _PERSONAL}
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
        warnings=_warnings(fields["activity"], fields.get("link"), fields.get(_NAME)),
    )


def _warnings(activity: str, link: str | None, name: str | None) -> tuple[Refusal, ...]:
    in_activity = contact_detail_in(activity)
    in_link = None if link is None else contact_detail_in_url(link)
    # Of a name that holds an address nothing is taken (NAME_LINK).
    in_name = None if name is None else contact_detail_in(name)
    opening = holds_secret_link(activity)
    if in_activity is None and in_link is None and in_name is None and not opening:
        return ()
    found = ((_NAME, in_name), ("activity", in_activity), ("link", in_link))
    details = tuple(contact_detail_refusal(column, detail) for column, detail in found if detail is not None)
    return (*details, Refusal(Reason.LINK_SECRET, "activity", _LINK_OPENS)) if opening else details


def _check_given(fields: Mapping[str, str], name: str) -> None:
    if name not in fields:
        raise RefusedError.of(_MISSING[name])


def _check_text(fields: dict[str, str], column: Column, text: str) -> None:
    # Before anything that takes time by the length.
    if len(text) > column.longest:
        raise _too_long(column)
    if column.name in _WRITTEN_ANEW:
        _write_anew(fields, column, text)
        return
    if column.form is not None and not column.form.pattern.fullmatch(text):
        raise RefusedError(column.form.reason, column.name, column.form.message)
    fault = markup_fault(text) if column.name == _ACTIVITY else None
    if fault is not None:
        message = f"The column {_ACTIVITY} {fault}, where it is read as Markdown or HTML; describe it in words."
        raise RefusedError(Reason.TEXT_FORM, _ACTIVITY, message)
    if column.name == _NAME and holds_link(text):
        message = f"The column {_NAME} holds a link or an e-mail address, which no name may hold."
        raise RefusedError(Reason.NAME_LINK, _NAME, message)


def _too_long(column: Column) -> RefusedError:
    message = f"The column {column.name} takes {column.longest} characters at most."
    return RefusedError(Reason.TOO_LONG, column.name, message)


def _check_reachable(link: str | None, *, local: bool) -> None:
    if link is not None and not local and leads_to_private(link):
        raise RefusedError(Reason.LINK_FORM, "link", _LINK_PRIVATE)


def _write_anew(fields: dict[str, str], column: Column, text: str) -> None:
    """Write an address or a link in the one form that all of this product takes."""
    assert column.form is not None  # noqa: S101  # as the table says
    try:
        fields[column.name] = written = _WRITTEN_ANEW[column.name](text)
    except ValueError as error:
        raise RefusedError(column.form.reason, column.name, f"{column.form.message} {error}".strip()) from None
    if len(written) > column.longest:
        raise _too_long(column)


def _address(text: str) -> str:
    address = Address.parse(text)
    if address is None:
        raise ValueError
    return str(address)


def _link(text: str) -> str:
    try:
        return public_web_url(text)
    except SecretInUrlError as error:
        message = (
            f"The link can become public, and this one {error}. Give a link that opens nothing to those"
            " who may not see the work, or leave it out."
        )
        raise RefusedError(Reason.LINK_SECRET, "link", message) from None
    except ValueError as error:
        raise ValueError(f"This one {error}.") from None


_WRITTEN_ANEW: Final[Mapping[str, Callable[[str], str]]] = {"learner_email": _address, "link": _link}


def _result(fields: Mapping[str, str]) -> Result:
    level, score = fields.get("level"), fields.get("score")
    if level is not None and score is not None:
        raise RefusedError(Reason.LEVEL_AND_SCORE, "score", "Give a level or a score, not both.")
    if level is not None:
        return _level(level)
    if score is not None:
        return _score(score)
    raise RefusedError(Reason.MISSING_VALUE, "level", "Both level and score are empty; every row needs one of them.")


@lru_cache(maxsize=256)
def _level(text: str) -> Result:
    try:
        return Result(level=SoloLevel.parse(text))
    except ValueError:
        names = ", ".join(SoloLevel)
        raise RefusedError(Reason.LEVEL_UNKNOWN, "level", f"The level is none of the five: {names}.") from None


@lru_cache(maxsize=1024)
def _score(text: str) -> Result:
    if not _SCORE.fullmatch(text) or float(text) > 100:
        raise RefusedError(
            Reason.SCORE_FORM, "score", "A score is a number from 0 to 100, with a decimal point if any."
        )
    score = float(text)
    if Decimal(repr(score)) != Decimal(text):
        raise RefusedError(
            Reason.SCORE_FORM, "score", "The score has more digits than can be kept exactly; give 15 at most."
        )
    return Result(score=score)


def _day(text: str, today: date) -> date:
    observed_on = _observed_on(text)
    if observed_on > today + _GRACE:
        raise RefusedError(Reason.DATE_IN_FUTURE, "date", "The date lies in the future.")
    if observed_on < _EARLIEST:
        said = f"The date lies before {_EARLIEST}, which is taken for a mistake in its year."
        raise RefusedError(Reason.DATE_TOO_EARLY, "date", said)
    return observed_on


@lru_cache(maxsize=1024)
def _observed_on(text: str) -> date:
    # Three forms of ISO 8601 that `fromisoformat` takes as well are no dates to a teacher: hence the pattern first.
    if DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise RefusedError(
        Reason.DATE_FORM, "date", "A date is written YEAR-MONTH-DAY, such as 2026-03-09, and must exist."
    )
