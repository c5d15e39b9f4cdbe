"""The stage `dates`: is it in force now?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import moment_of
from libs.openbadges.verify.mechanisms import mechanism_of
from libs.openbadges.verify.run import Context

_WIDEST: Final = timedelta(hours=14)
"""How far a zone lies from UTC at most (XML Schema 1.1, part 2, section 3.3.7)."""


def check_dates(context: Context) -> Finding:
    """Check validFrom and validUntil, the same under their names in VCDM 1.1, and those of the mechanism."""
    document, now = context.document, context.run.now
    try:
        for name in ("validFrom", "issuanceDate"):
            if (begins := _moment(document, name, now)) is not None and begins > now:
                return Finding("fail", "not_yet_valid", f"It is valid only from {times.write(begins)}.")
        for name in ("validUntil", "expirationDate"):
            if (ends := _moment(document, name, now)) is not None and ends <= now:
                return Finding("fail", "expired", f"It was valid until {times.write(ends)}.")
        mechanism_of(context.opened).check_dates(context.opened, now)
    except CredentialError as error:
        return Finding.of(error)
    return Finding("pass", "in_force", "The date lies within its validity.")


def _moment(document: Mapping[str, Any], name: str, now: datetime) -> datetime | None:
    moment = moment_of(document, name)
    if moment is not None and abs(moment - now) <= _WIDEST and not times.has_zone(document[name]):
        message = f"{name} does not say in which zone, and in some it is past while in others it is not."
        raise UndecidedError("date_without_zone", message, f"/{name}")
    return moment
