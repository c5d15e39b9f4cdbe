"""Types of fields in requests, whose JSON Schema says exactly what is taken; pydantic's own take more."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic.fields import FieldInfo

from libs.common.addresses import DOMAIN_PATTERN, LONGEST, Address
from libs.common.addresses import PATTERN as ADDRESS_PATTERN
from libs.common.contact_details import contact_detail_in
from libs.common.markup import markup_fault
from libs.common.text import REFUSED, clean_line, clean_name, clean_text
from libs.common.web_urls import PATTERN as URL_PATTERN
from libs.common.web_urls import SecretInUrlError, public_web_url

# At least one character that is seen, and none that no text may hold. What depends on the characters beside it, or on
# the version of Unicode, no schema says.
VISIBLE: Final = rf"^[^{REFUSED}]*[^{REFUSED}\s\xa0\xad\u115f\u1160\u180e\u2000-\u2029\u205f-\u2064\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0][^{REFUSED}]*$"  # noqa: E501  # one regular expression


def _in_json(value: object) -> object:
    if isinstance(value, str | bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic answers a ValueError alone
    return value


def _cleaned(longest: int, clean: Callable[[str], str]) -> AfterValidator:
    def validated(text: str) -> str:
        cleaned = clean(text)
        if not cleaned:
            raise ValueError("must not be blank")
        # NFC writes a few characters as several.
        if len(cleaned) > longest:
            raise ValueError(f"must have at most {longest} characters in the normal form NFC")
        return cleaned

    return AfterValidator(validated)


def _not_blank(longest: int) -> FieldInfo:
    # The length is that of the text as it was sent: so the schema says it.
    info: FieldInfo = Field(min_length=1, max_length=longest, json_schema_extra={"pattern": VISIBLE})
    return info


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")

NumberInJson: Final = BeforeValidator(_in_json)
"""Marks a number, after its bounds: 2 and 2.0 are whole numbers in JSON, and neither `"2"` nor `true` is one."""

Truth = Annotated[bool, Field(strict=True)]
"""`true` or `false`, and neither 1 nor `"yes"`."""


def _without_markup(text: str) -> str:
    fault = markup_fault(text)
    if fault is not None:
        raise ValueError(f"{fault}, where it is read as Markdown or HTML; describe it in words")
    return text


Line = Annotated[str, _not_blank(200), _cleaned(200, clean_name), AfterValidator(_without_markup)]
"""A name: one line of at most 200 characters as it is sent, cleaned or refused by the profile of text; no link."""


def _without_contact(name: str) -> str:
    found = contact_detail_in(name)
    if found is not None:
        raise ValueError(f"holds what looks like {found.said}, which no name of an issuer may hold")
    return name


IssuerName = Annotated[Line, AfterValidator(_without_contact)]
"""The name of a school or department, which stands in every badge and mail: a name that holds no telephone number."""

Sentence = Annotated[str, _not_blank(500), _cleaned(500, clean_line)]
"""A line of at most 500 characters, by the same profile; it may hold a link."""

Text = Annotated[str, _not_blank(5_000), _cleaned(5_000, clean_text), AfterValidator(_without_markup)]
"""Text of several lines, of at most 5,000 characters as it is sent, by the same profile; words, no pictures."""

SoughtText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
"""What is looked for in names: one line, of which nothing is kept."""


def _web_url(text: str) -> str:
    try:
        return public_web_url(clean_line(text))
    except SecretInUrlError as error:
        raise ValueError(f"must be a URL that anybody may have: it {error}") from None
    except ValueError as error:
        raise ValueError(f"must be a whole URL, such as https://school.example/: it {error}") from None


def _address(text: str) -> str:
    address = Address.parse(clean_line(text))
    if address is None:
        raise ValueError("must be an e-mail address, such as office@school.example")
    return str(address)


def _domain(text: str) -> str:
    address = Address.parse(f"a@{clean_line(text)}")
    if address is None:
        raise ValueError("must be a domain of e-mail addresses, such as students.school.example")
    return address.domain


WebUrl = Annotated[
    str,
    Field(min_length=1, max_length=2_000, json_schema_extra={"pattern": f"^{URL_PATTERN}$"}),
    AfterValidator(_web_url),
]
"""A URL (http, https) in the form that a credential can hold, without tokens, for it becomes public."""

EmailAddress = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST, json_schema_extra={"pattern": f"^{ADDRESS_PATTERN}$"}),
    AfterValidator(_address),
]
"""An e-mail address, its domain in ASCII and lower case."""


Domain = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST - len("a@"), json_schema_extra={"pattern": f"^{DOMAIN_PATTERN}$"}),
    AfterValidator(_domain),
]
"""A domain of e-mail addresses, in ASCII and lower case."""


@cache
def _time_zones() -> frozenset[str]:
    # Not what stands for the machine's own time, or for none.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("must be a time zone of the IANA database, such as Australia/Sydney")
    return name


TimeZone = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$"), AfterValidator(_time_zone)]
"""A name of the IANA time zone database; which names there are, its version tells and no schema."""


def _day(value: object) -> object:
    if not isinstance(value, date | None) and (not isinstance(value, str) or _DAY.fullmatch(value) is None):
        raise ValueError("must be a day, such as 2026-11-20")
    return value


Day = Annotated[date, BeforeValidator(_day)]
"""A day (RFC 3339, section 5.6, `full-date`); no number is one, and no moment."""


def _moment(value: object) -> object:
    if isinstance(value, str) and _MOMENT.fullmatch(value) is None:
        raise ValueError("must be a moment as RFC 3339 writes it, such as 2026-11-20T09:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a moment of the years 1 to 9999 in UTC, too") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
"""A moment in a query (RFC 3339, section 5.6), read with its offset and given in UTC; no number is one."""
