"""The time of day, as precise as it can be stored."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the moment in UTC, in whole milliseconds: MongoDB keeps no finer, and what is kept is what was sent."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
