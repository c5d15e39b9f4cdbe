"""Reading stored documents one by one: what cannot be read is logged, left out, and costs no other its turn."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from libs.common.errors import UnreadableError
from libs.common.mongo import Collection, Document
from libs.common.telemetry import get_logger

T = TypeVar("T")

# What reading a document raises that somebody's hand has damaged: a field that is gone, of another kind, or no JSON.
UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)

MOMENT: Final[Document] = {"$type": "date"}
"""What a query asks of a field, lest a document that lacks it, or has something else there, comes first of all."""


def readable(read: Callable[[Document], T], stored: Document, collection: Collection | None = None) -> T | None:
    """Return what a document of a collection says; None where it cannot be read, which the log then has by its id."""
    try:
        return read(stored)
    except UNREADABLE as error:
        get_logger().error(
            "a stored document cannot be read",
            **({} if collection is None else {"collection": f"{collection.database.name}.{collection.name}"}),
            document=str(stored["_id"]),
            problem=type(error).__name__,
        )
        return None


def require_readable(read: Callable[[Document], T], stored: Document, what: str) -> T:
    """Return what a document says; `what` names it for people.

    Raises:
        UnreadableError: it cannot be read.
    """
    said = readable(read, stored)
    if said is None:
        raise UnreadableError(what, stored.get("version"))
    return said


def all_readable(
    read: Callable[[Document], T], found: Iterable[Document], collection: Collection | None = None
) -> list[T]:
    """Return what these documents of a collection say, without those that cannot be read."""
    return [each for stored in found if (each := readable(read, stored, collection)) is not None]
