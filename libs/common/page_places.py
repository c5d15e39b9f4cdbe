"""Where a page of a list begins that is in the order of a moment and an id, as the text of a parameter. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

AFTER_PATTERN: Final = r"^[0-9]{1,14}\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""What such a text looks like: milliseconds until the year 5138, and the id."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def place_text(moment: datetime, id_: UUID) -> str:
    """Return the place behind the entry of this moment and id; MongoDB keeps moments to the millisecond."""
    return f"{(moment - _EPOCH) // _MILLISECOND}.{id_}"


def place_of(text: str) -> tuple[datetime, UUID]:
    """Return the moment and the id that `place_text` made a text of."""
    milliseconds, _, id_ = text.partition(".")
    return _EPOCH + int(milliseconds) * _MILLISECOND, UUID(id_)
