"""What our own records say of an issuer beside its badges: its department, and the time zone of its pages."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pymongo.errors import PyMongoError

from services.verifier.material.cache import ShortMemory
from services.verifier.material.records import Organisation

# A page may show an older name this much longer.
_REMEMBERED_SECONDS = 30.0
_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class Affiliation:
    """What a page adds to what a badge says.

    Attributes:
        zone: in which times are shown.
        department: the name of the issuer's department; None where it has none, or that is not known now.
        learners_from_16: whether the issuer itself says that all its learners are 16 or older.
    """

    zone: tzinfo = UTC
    department: str | None = None
    learners_from_16: bool = False


class Organisations(Protocol):
    """Where profiles are read from."""

    async def organisation(self, issuer_id: str) -> Organisation | None:
        """Return the public profile of an issuer."""
        ...


class Affiliations:
    """Looks them up, and remembers them for a moment."""

    def __init__(self, organisations: Organisations) -> None:
        self._profiles = ShortMemory(organisations.organisation, seconds=_REMEMBERED_SECONDS, entries=_REMEMBERED)

    async def of(self, issuer_id: str | None) -> Affiliation:
        """Return what is known of an issuer; where nothing can be looked up, times are in UTC, and no error."""
        if issuer_id is None:
            return Affiliation()
        try:
            issuer = await self._profiles.get(issuer_id)
            parent = None if issuer is None or issuer.parent is None else await self._profiles.get(issuer.parent)
        except PyMongoError:
            return Affiliation()
        named = (each.time_zone for each in (issuer, parent) if each is not None and each.time_zone)
        from_16 = issuer is not None and issuer.learners_from_16
        return Affiliation(_zone(next(named, None)), None if parent is None else parent.name, from_16)


def _zone(name: str | None) -> tzinfo:
    try:
        return UTC if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
