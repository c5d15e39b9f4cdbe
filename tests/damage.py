"""Damages stored documents one field at a time, for tests of what reads them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from bowerbird.auditing import loops
from libs.common.damage import Damage
from libs.common.mongo import Database, Document

WRONG: Final[Sequence[Any]] = (None, 7.5, "x", "", [], {})


class Harm(NamedTuple):
    """What somebody's hand did to a document: the update that does it."""

    name: str
    update: Document

    def __str__(self) -> str:
        return str(self.update)


def harms(stored: Document, others: Iterable[str] = ()) -> Iterator[Harm]:
    """Yield what takes each field but its id away, empties it or puts something else there; `others` are fields too."""
    for name in dict.fromkeys([*stored, *others]):
        if name not in {"_id", "schema"}:
            yield Harm(name, {"$unset": {name: ""}})
            for value in WRONG:
                if not value or type(value) is not type(stored.get(name)):
                    yield Harm(name, {"$set": {name: value}})


def told(logs: Iterable[Any]) -> set[tuple[object, object]]:
    """Return the documents that the log names, each with its collection."""
    return {(each.get("collection"), each.get("document")) for each in logs}


async def unreadable(database: Database, collection: str) -> list[str]:
    """Return what the audit names of a collection, by id."""
    damage = Damage()
    for each in loops.READ:
        if each.collection == collection:
            await loops.look(database, each, damage)
    named = f"{database.name}.{collection} "
    assert all(each.startswith(named) for each in damage.found), damage.found
    return sorted({each.removeprefix(named).partition(":")[0].partition(",")[0] for each in damage.found})
