"""Moments as credentials write them (xsd:dateTime with a zone), read strictly."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from libs.openbadges.errors import CredentialError

_DATE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)


def write(moment: datetime) -> str:
    """Write a moment in UTC to the second.

    Raises:
        CredentialError: the moment has no zone.
    """
    if moment.tzinfo is None:
        raise CredentialError(
            "date_without_zone", "A moment without a zone means different times to different readers."
        )
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


def read(text: object, path: str = "") -> datetime:
    """Read an xsd:dateTime with a zone; fractions beyond microseconds are cut off.

    Raises:
        CredentialError: not such text (`date_form`), or no zone (`date_without_zone`).
    """
    match = _DATE_TIME.match(text) if isinstance(text, str) else None
    if match is None:
        raise CredentialError("date_form", f"{text!r} is not a date and time like 2026-03-02T09:30:00Z.", path)
    seconds, fraction, zone = match.groups()
    if zone is None:
        raise CredentialError("date_without_zone", f"{text!r} does not say in which zone.", path)
    end_of_day = seconds.endswith("T24:00:00") and not (fraction or "").strip(".0")
    try:
        if end_of_day:
            return datetime.fromisoformat(f"{seconds[:11]}00:00:00{zone}") + timedelta(days=1)
        return datetime.fromisoformat(f"{seconds}{(fraction or '.0')[:7]:0<7}{zone}")
    except (ValueError, OverflowError) as error:
        raise CredentialError("date_form", f"{text!r} is not a moment that exists.", path) from error


def read_lenient(text: object, path: str = "") -> datetime:
    """Read an xsd:dateTime of a proof; one without a zone means UTC (Data Integrity 1.0, section 2.1).

    Raises:
        CredentialError: not such text (`date_form`).
    """
    match = _DATE_TIME.match(text) if isinstance(text, str) else None
    return read(f"{text}Z" if match is not None and match[3] is None else text, path)
