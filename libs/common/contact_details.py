"""Whether a text that becomes public holds an e-mail address or a telephone number, as people write them. Pure.

Telephone numbers are found by phonenumbers (Google's libphonenumber): Australian ones as they are dialled there, others
with + or 0011; and an Australian local number of eight digits after a word such as 'phone'. A number is none where it
is written as a date, a decimal, a fraction, a list of marks, or as part of an id, or named as one (ISBN, ref).

What is found is named by its kind, and never repeated.
"""

import re
from enum import StrEnum
from functools import lru_cache
from html import unescape
from itertools import islice
from typing import Final
from urllib.parse import unquote

from phonenumbers import (
    Leniency,
    NumberParseException,
    PhoneNumberMatcher,
    is_valid_number,
    normalize_digits_only,
    parse,
)

from libs.common.addresses import Address


class ContactDetail(StrEnum):
    """What was found, as a stable code."""

    EMAIL = "email_in_text"
    TELEPHONE = "telephone_in_text"

    @property
    def said(self) -> str:
        """Return what people call it."""
        return "an e-mail address" if self is ContactDetail.EMAIL else "a telephone number"


class ContactPolicy(StrEnum):
    """What happens to a text that becomes public and holds such a thing: taken with a warning, or refused."""

    WARN = "warn"
    REFUSE = "refuse"


_AUSTRALIA: Final = "AU"
# Of one text so many candidates are looked at that the library takes for none, and as many that it takes for valid
# numbers: more are no telephone numbers but a table.
_MOST_TRIES: Final = 20
_REMEMBERED: Final = 4096

# What most texts lack, looked for first: an @ or what may stand around 'at', and seven digits near each other.
_AT: Final = re.compile(r"[@\uff20\ufe6b(\[{<]|\sat\s|[*_-]at[*_-]|%40|&(?:#|commat)", re.IGNORECASE)
_SEVEN_DIGITS: Final = re.compile(r"(?:\d[\W_]{0,3}){6}\d")

# An @ between spaces is left as it is, for that is a word elsewhere.
_MARKED_AT: Final = re.compile(
    r"\s?[(\[{<]\s?(?:at|@)\s?[)\]}>]\s?|\s?[*_-]at[*_-]\s?|[\uff20\ufe6b]|(?<=\S)@\s", re.IGNORECASE
)
_WRITTEN_DOT: Final = re.compile(r"\s?[(\[{<*_]\s?dot\s?[)\]}>*_]\s?", re.IGNORECASE)
# Ends of domains that people write in words, or after a space: fewer than there are, for 'at polka dot art' is a
# lesson, and '@kim.lee' a name elsewhere.
_USUAL_TOP: Final = (
    "(?:com|org|net|edu|gov|info|biz|io|co|au|nz|uk|ca|ie|sg|hk|jp|cn|kr|tw|de|fr|eu|nl|ch|es|za|br|test|example)"
)
_DOT_IN_WORDS: Final = r"(?:\.|\s\.\s?|\sdot\s)"
_SPACED_OUT: Final = re.compile(
    rf"(?<![\w.+'-])(?P<local>[\w.+'-]{{1,64}})(?:\s?@\s?|(?P<at>\sat\s))(?P<domain>(?:[\w-]{{1,63}}{_DOT_IN_WORDS}){{1,4}}{_USUAL_TOP})(?![\w-])",
    re.IGNORECASE,
)
_WITH_DOT: Final = re.compile(r"[^\W\d_]{2,}[._][^\W\d_]{2,}\d{0,4}")
_DOT: Final = re.compile(r"\s?(?:\.|\bdot\b)\s?", re.IGNORECASE)
# Not looked for behind each letter of a word: that takes as long as the words are.
_EMAIL: Final = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")

_YEAR: Final = "(?:19|20)[0-9]{2}"
_DATE: Final = re.compile(
    rf"(?<!\d)(?:[0-3]?[0-9]\s?([./-])\s?[0-3]?[0-9]\s?\1\s?(?:{_YEAR}|[0-9]{{2}})"
    rf"|{_YEAR}\s?([./-])\s?[0-3]?[0-9]\s?\2\s?[0-3]?[0-9]"
    rf"|{_YEAR}[01][0-9][0-3][0-9]|[0-3][0-9][01][0-9]{_YEAR})(?!\d)"
)
_YEARS: Final = re.compile(rf"(?<!\d){_YEAR}\W{{1,3}}{_YEAR}(?!\d)")
_DECIMAL: Final = re.compile(r"\d[.,]\d+")
_NAMED_ID: Final = re.compile(
    r"\b(?:isbn|issn|doi|ean|abn|acn|id|ref|reference|code|serial)\b[\s:.-]*(?:1[03]\W{1,2})?$", re.IGNORECASE
)
_PART_BEFORE: Final = re.compile(r"(?:\w[-_=]|[^\W\d]/|[0-9]{4}/|[0-9]:|#)$")
_PART_AFTER: Final = re.compile(r"[-_](?:\d|[A-Z]{1,3}\b)|/[1-9]")
_LOCAL: Final = re.compile(
    r"\b(?:ph|tel|phone|telephone|mob|mobile|call|ring|text|sms)\b\D{0,20}(?<!\d)[2-9]\d{3}[ -]?\d{4}(?!\d)",
    re.IGNORECASE,
)

# Dialled with the number of the country and no plus, which is told by the word before it.
_ABROAD: Final = re.compile(
    r"\b(?:ph|tel|phone|telephone|mob|mobile|call|ring|text|sms|whatsapp|viber|contact)\b\W{0,6}"
    r"((?:[1-9]\d(?:[ -]?\d){8,11}))(?![\w-])",
    re.IGNORECASE,
)
_SLASHED: Final = re.compile(
    r"(?<![\w/])(?:04\d\d\s?([/_~|,:*\u00b7\u2022])\s?\d{3}\s?\1?\s?\d{3}"
    r"|0[2378]/(?!(?:19|20)\d\d/)\d{4}/\d{4})(?![\w/])"
)
# Letters in the place of digits, which a reader takes for them.
_O_FOR_ZERO: Final = re.compile(r"(?<!\w)[Oo](?=4\d\d)|(?<=\d)[Oo](?=\d)")
_I_FOR_ONE: Final = re.compile(r"(?<=\d)[Il](?=\d)")
_LETTERS_FOR_DIGITS: Final = re.compile(f"{_O_FOR_ZERO.pattern}|{_I_FOR_ONE.pattern}")
_EXTENSION: Final = re.compile(r"[^\W\d_].*", re.DOTALL)
_MOBILE: Final = r"04\d\d[ .-]?\d{3}[ .-]?\d{3}(?![\w/-])"
_BEHIND_SIGN: Final = re.compile(rf"(?<![^\W\d_])([^\W\d_]{{1,40}})\s?(?:#|[0-9]{{1,2}}:|\s[0-9]{{1,2}}:)\s?{_MOBILE}")
_ID_WORD: Final = re.compile(
    "ticket|order|case|student|learner|pupil|no|number|item|asset|badge|job|invoice|barcode|issue|id|ref|reference|code"
    "|serial|isbn|card|record|entry|row|key|part|model|task|question|sample|locker",
    re.IGNORECASE,
)
# Links that begin a call or a chat with a number.
_CALLS: Final = re.compile(
    r"(?<![\w-])(?:wa\.me/|(?:api|web)\.whatsapp\.com/send/?\?(?:\S{0,80}&)?phone=|signal\.me/#p/|t\.me/(?=\+|%2B))"
    r"(?:\+|%2B)?\d{7,15}(?!\w)",
    re.IGNORECASE,
)


def contact_detail_in(text: str) -> ContactDetail | None:
    """Return what of the kind a text holds, an address before a number; None where there is neither."""
    if _AT.search(text) and _holds_email(text):
        return ContactDetail.EMAIL
    if _LETTERS_FOR_DIGITS.search(text):
        text = _O_FOR_ZERO.sub("0", _I_FOR_ONE.sub("1", text))
    if _SEVEN_DIGITS.search(text) and (_holds_dialled(text) or _holds_telephone(text)):
        return ContactDetail.TELEPHONE
    return None


def contact_detail_in_url(url: str) -> ContactDetail | None:
    """Return what of the kind a URL holds: an address, or a number that it calls; other numbers in URLs are ids."""
    if ("@" in url or "%40" in url) and _holds_email(unquote(url)):
        return ContactDetail.EMAIL
    return ContactDetail.TELEPHONE if _CALLS.search(url) else None


@lru_cache(_REMEMBERED)
def _holds_email(text: str) -> bool:
    if "%40" in text or "&" in text:
        text = unescape(unquote(text))
    marked = _MARKED_AT.sub("@", text)
    written = _WRITTEN_DOT.sub(".", marked)
    if any(Address.parse(found[0].strip(".'-")) is not None for found in _EMAIL.finditer(written)):
        return True
    return any(_is_spaced_out(found) for found in _SPACED_OUT.finditer(written))


def _is_spaced_out(found: re.Match[str]) -> bool:
    """Return whether an address has spaces or words for its marks, as in 'kim.lee at school dot example'."""
    domain = _DOT.sub(".", found["domain"])
    if found["at"] is not None:
        in_words = " dot " in found["domain"].lower()
        # 'Seen at school.example' and 'look at this dot example' name nobody; 'kim.lee at …' does.
        if not _WITH_DOT.fullmatch(found["local"]) and not (in_words and not domain.endswith("example")):
            return False
    return Address.parse(f"{found['local'].strip(chr(46))}@{domain}") is not None


@lru_cache(_REMEMBERED)
def _holds_telephone(text: str) -> bool:
    # A letter in the place of a date, so that the numbers on its two sides are not read as one.
    text = _YEARS.sub("x", _DATE.sub("x", text)).replace("(+", " +")
    if _LOCAL.search(text):
        return True
    found = PhoneNumberMatcher(text, _AUSTRALIA, leniency=Leniency.VALID, max_tries=_MOST_TRIES)
    return any(_is_telephone(text, match.start, match.end) for match in islice(found, _MOST_TRIES))


def _holds_dialled(text: str) -> bool:
    """Return whether a text holds a number in a form that the library does not see, or that ids have too."""
    if _CALLS.search(text) or _SLASHED.search(text):
        return True
    if any(_ID_WORD.fullmatch(found[1]) is None for found in _BEHIND_SIGN.finditer(text)):
        return True
    return any(_is_valid(found[1]) for found in islice(_ABROAD.finditer(text), _MOST_TRIES))


def _is_valid(digits: str) -> bool:
    try:
        return is_valid_number(parse(f"+{digits}"))
    except NumberParseException:
        return False


def _is_telephone(text: str, start: int, end: int) -> bool:
    """Return whether what the library takes for a valid number is written as one."""
    written = text[start:end]
    if "/" in written or _DECIMAL.fullmatch(written):
        return False
    if written[0] not in "+\uff0b":
        written = _EXTENSION.sub("", written)
        groups = [len(group) for group in re.findall(r"\d+", written)]
        if groups[-1] == 1 or max(groups) < 3:
            return False
        if not normalize_digits_only(written).startswith(("0", "1300", "1800")):
            return False
    return not (
        _NAMED_ID.search(text[max(0, start - 24) : start])
        or _PART_BEFORE.search(text[max(0, start - 5) : start])
        or _PART_AFTER.match(text, end)
    )
