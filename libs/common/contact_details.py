"""Whether a text that becomes public holds an e-mail address or a telephone number, as people write them. Pure.

Telephone numbers are found by phonenumbers (Google's libphonenumber): Australian ones as they are dialled there, others
with + or 0011; and an Australian local number of eight digits after a word such as 'phone'. A number is none where it
is written as a date, a decimal, a fraction, a list of marks, or as part of an id, or named as one (ISBN, ref).

What is found is named by its kind, and never repeated.
"""

import re
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Final
from urllib.parse import unquote

from phonenumbers import Leniency, PhoneNumberMatcher, normalize_digits_only

from libs.common.addresses import Address
from libs.common.text_links import links_in


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
_AT: Final = re.compile(r"[@\uff20\ufe6b(\[{<]")
_SEVEN_DIGITS: Final = re.compile(r"(?:\d\W{0,3}){6}\d")

_WRITTEN_AT: Final = re.compile(r"\s?(?:[@\uff20\ufe6b]|[(\[{<]\s?at\s?[)\]}>])\s?", re.IGNORECASE)
_WRITTEN_DOT: Final = re.compile(r"\s?[(\[{<]\s?dot\s?[)\]}>]\s?", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")

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


def contact_detail_in(text: str) -> ContactDetail | None:
    """Return what of the kind a text holds, an address before a number; None where there is neither."""
    if _AT.search(text) and _holds_email(text):
        return ContactDetail.EMAIL
    if "%40" in text and any(contact_detail_in_url(url) is ContactDetail.EMAIL for url in links_in(text)):
        return ContactDetail.EMAIL
    if _SEVEN_DIGITS.search(text) and _holds_telephone(text):
        return ContactDetail.TELEPHONE
    return None


def contact_detail_in_url(url: str) -> ContactDetail | None:
    """Return what of the kind a URL holds: an address, if any, for numbers in URLs are ids."""
    return ContactDetail.EMAIL if ("@" in url or "%40" in url) and _holds_email(unquote(url)) else None


@lru_cache(_REMEMBERED)
def _holds_email(text: str) -> bool:
    written = _WRITTEN_DOT.sub(".", _WRITTEN_AT.sub("@", text))
    return any(Address.parse(found[0].strip(".'-")) is not None for found in _EMAIL.finditer(written))


@lru_cache(_REMEMBERED)
def _holds_telephone(text: str) -> bool:
    # A letter in the place of a date, so that the numbers on its two sides are not read as one.
    text = _YEARS.sub("x", _DATE.sub("x", text)).replace("(+", " +")
    if _LOCAL.search(text):
        return True
    found = PhoneNumberMatcher(text, _AUSTRALIA, leniency=Leniency.VALID, max_tries=_MOST_TRIES)
    return any(_is_telephone(text, match.start, match.end) for match in islice(found, _MOST_TRIES))


def _is_telephone(text: str, start: int, end: int) -> bool:
    """Return whether what the library takes for a valid number is written as one."""
    written = text[start:end]
    if "/" in written or _DECIMAL.fullmatch(written):
        return False
    if written[0] not in "+\uff0b":
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
