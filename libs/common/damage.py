"""What is left out where stored documents were damaged: each is named, and costs no other its place."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from libs.common.mongo import Collection, Document, full_name
from libs.common.stored import UNREADABLE, log_unreadable, name_of, problem_of, read_all

T = TypeVar("T")
K = TypeVar("K")


class Damage:
    """Documents that could not be read, for whoever goes on without them.

    Attributes:
        ids: theirs.
    """

    def __init__(self, *, logged: bool = False) -> None:
        """Begin with none; `logged` has the log name each as it is found."""
        self._logged = logged
        self._found: dict[str, None] = {}
        self.ids: set[Any] = set()

    @property
    def found(self) -> Sequence[str]:
        """What could not be read so far, each once: which it is, whose, and what reading it raised."""
        return list(self._found)

    def note(self, collection: str, document: Document, error: Exception) -> None:
        """Note that this document of DATABASE.COLLECTION cannot be read."""
        self.ids.add(document.get("_id"))
        if self._logged:
            log_unreadable(collection, document, error)
        whose = document.get("issuer_id") or document.get("owner")
        of = f", of {whose}" if isinstance(whose, str) else ""
        self._found[f"{collection} {name_of(document.get('_id'))}{of}: {problem_of(error)}"] = None

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

    async def listed(
        self, collection: str, find: Callable[[Sequence[K]], Awaitable[list[T]]], ids: Iterable[K]
    ) -> list[T]:
        """Return what can be read of these ids."""
        return [each for part in await self.parts(collection, find, ids) for each in part]


async def readable_page(
    collection: Collection,
    query: Document,
    read: Callable[[Document], T],
    *,
    order: Sequence[tuple[str, int]],
    limit: int,
    projection: Mapping[str, Any] | None = None,
) -> list[T]:
    """Return the first so many that can be read: a page is short only where the list ends."""
    damage = Damage(logged=True)
    while True:
        others = {"$and": [query, {"_id": {"$nin": list(damage.ids)}}]} if damage.ids else query
        found = await collection.find(others, projection).sort(list(order)).limit(limit).to_list(None)
        good = damage.readable(full_name(collection), found, read)
        if len(good) == len(found):
            return good


def without_damaged(
    damage: Damage | None, collection: str, found: Iterable[Document], read: Callable[[Document], T]
) -> list[T]:
    """Return what can be read of these documents; where nobody notes damage, the log names it and it is raised."""
    return read_all(read, found, collection) if damage is None else damage.readable(collection, found, read)
