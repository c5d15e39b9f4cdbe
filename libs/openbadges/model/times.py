"""Moments as credentials write them (xsd:dateTime with a zone), read strictly."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from libs.openbadges.model.errors import CredentialError

_DATE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)


_LONGEST: Final = 64
"""Characters of a moment beyond which nothing is one."""


def write(moment: datetime) -> str:
    """Write a moment in UTC to the second; within hours of the calendar's ends, which UTC may not have, in its zone.

    Raises:
        CredentialError: the moment has no zone.
    """
    if moment.tzinfo is None:
        raise CredentialError(
            "date_without_zone", "A moment without a zone means different times to different readers."
        )
    try:
        return _written(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    except OverflowError:
        return moment.isoformat("T", "seconds")


@lru_cache(maxsize=64)
def _written(in_utc: datetime) -> str:
    """Remembered, since a batch is signed in one moment."""
    return in_utc.isoformat()[:19] + "Z"


def read(text: object, path: str = "") -> datetime:
    """Read an xsd:dateTime with a zone; fractions beyond microseconds are cut off.

    Raises:
        CredentialError: not such text (`date_form`), or no zone (`date_without_zone`).
    """
    try:
        if isinstance(text, str) and len(text) <= _LONGEST:
            return _moment(text)
        match = None
    except (ValueError, OverflowError):
        match = _DATE_TIME.match(str(text))
    if match is None:
        raise CredentialError("date_form", f"{text!r} is not a date and time like 2026-03-02T09:30:00Z.", path)
    if match[3] is None:
        raise CredentialError("date_without_zone", f"{text!r} does not say in which zone.", path)
    raise CredentialError("date_form", f"{text!r} is not a moment that exists.", path)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    """Read a moment; a credential's are looked at several times, and many credentials share theirs.

    Raises:
        ValueError, OverflowError: no such text, no zone, or no such moment.
    """
    match = _DATE_TIME.match(text)
    if match is None or match[3] is None:
        raise ValueError(text)
    seconds, fraction, zone = match.groups()
    if seconds.endswith("T24:00:00") and not (fraction or "").strip(".0"):
        return datetime.fromisoformat(f"{seconds[:11]}00:00:00{zone}") + timedelta(days=1)
    return datetime.fromisoformat(f"{seconds}{(fraction or '.0')[:7]:0<7}{zone}")


def has_zone(text: object) -> bool:
    """Return whether a text is an xsd:dateTime that says in which zone."""
    match = _DATE_TIME.match(text) if isinstance(text, str) else None
    return match is not None and match[3] is not None


def read_lenient(text: object, path: str = "") -> datetime:
    """Read an xsd:dateTime of a proof; one without a zone means UTC (Data Integrity 1.0, section 2.1).

    Raises:
        CredentialError: not such text (`date_form`).
    """
    match = _DATE_TIME.match(text) if isinstance(text, str) else None
    return read(f"{text}Z" if match is not None and match[3] is None else text, path)
