"""What is left out where stored documents were damaged: each is named, and costs no other its place."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from libs.common.mongo import Document
from libs.common.stored import UNREADABLE
from libs.common.telemetry import get_logger

T = TypeVar("T")
K = TypeVar("K")


class Damage:
    """Documents that could not be read, for whoever goes on without them.

    Attributes:
        ids: theirs.
    """

    def __init__(self) -> None:
        self._found: dict[str, None] = {}
        self.ids: set[Any] = set()

    @property
    def found(self) -> Sequence[str]:
        """What could not be read so far, each once: which it is, whose, and what reading it raised."""
        return list(self._found)

    def note(self, collection: str, document: Document, error: Exception) -> None:
        """Note that this document of DATABASE.COLLECTION cannot be read."""
        self.ids.add(document.get("_id"))
        whose = document.get("issuer_id") or document.get("owner")
        of = f", of {whose}" if isinstance(whose, str) else ""
        self._found[f"{collection} {_name(document.get('_id'))}{of}: {type(error).__name__}"] = None

    def readable(self, collection: str, found: Iterable[Document], read: Callable[[Document], T]) -> list[T]:
        """Return what can be read of these documents."""
        good = list[T]()
        for each in found:
            try:
                good.append(read(each))
            except UNREADABLE as error:
                self.note(collection, each, error)
        return good

    async def parts(self, collection: str, find: Callable[[Sequence[K]], Awaitable[T]], ids: Iterable[K]) -> list[T]:
        """Return what `find` gives of these ids: all at once, and where one cannot be read in parts without it."""
        wanted = list(ids)
        try:
            return [await find(wanted)]
        except UNREADABLE as error:
            if len(wanted) < 2:
                self.note(collection, {"_id": next(iter(wanted), None)}, error)
                return []
        half = len(wanted) // 2
        return [part for some in (wanted[:half], wanted[half:]) for part in await self.parts(collection, find, some)]

    async def by_ids(
        self, collection: str, find: Callable[[Sequence[K]], Awaitable[dict[K, T]]], ids: Iterable[K]
    ) -> dict[K, T]:
        """Return what can be read of these ids, by id."""
        return {key: each for part in await self.parts(collection, find, ids) for key, each in part.items()}

    async def listed(
        self, collection: str, find: Callable[[Sequence[K]], Awaitable[list[T]]], ids: Iterable[K]
    ) -> list[T]:
        """Return what can be read of these ids."""
        return [each for part in await self.parts(collection, find, ids) for each in part]


async def told_by_ids(
    collection: str, find: Callable[[Sequence[K]], Awaitable[dict[K, T]]], ids: Iterable[K]
) -> tuple[dict[K, T], set[K]]:
    """Return what can be read of these ids, by id; and those that cannot be read, which the log then has."""
    damage = Damage()
    found = await damage.by_ids(collection, find, ids)
    for each in damage.found:
        get_logger().error("a stored document cannot be read", document=each)
    return found, damage.ids


def without_damaged(
    damage: Damage | None, collection: str, found: Iterable[Document], read: Callable[[Document], T]
) -> list[T]:
    """Return what can be read of these documents; where nobody notes damage, one that cannot is raised."""
    return list(map(read, found)) if damage is None else damage.readable(collection, found, read)


def _name(key: Any) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)
