"""Damages stored documents one field at a time, for tests of what reads them."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from bson.datetime_ms import DatetimeMS

from bowerbird.auditing import loops
from libs.common.damage import Damage
from libs.common.mongo import Database, Document
from libs.common.stored import UNREADABLE
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import EvidenceSubmitted

NO_MOMENT: Final = DatetimeMS(2**53)
"""A moment that MongoDB can hold, and no `datetime` can."""


class Harm(NamedTuple):
    """What somebody's hand did to a document: the update that does it."""

    name: str
    update: Document

    def __str__(self) -> str:
        return str(self.update)


def harms(stored: Document, others: Iterable[str] = ()) -> Iterator[Harm]:
    """Yield what takes each field but its id away, or puts nothing there, no text, or what is of another kind.

    `others` are fields that it may have beside.
    """
    for name in dict.fromkeys([*stored, *others]):
        if name not in {"_id", "schema"}:
            yield Harm(name, {"$unset": {name: ""}})
            other = 7.5 if isinstance(stored.get(name, ""), str) else "x"
            for value in (None, "", other, *([NO_MOMENT] if isinstance(stored.get(name), datetime) else [])):
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


async def one_by_one(
    handle: Callable[[Sequence[Received[EvidenceSubmitted]]], Awaitable[Sequence[Outgoing]]],
    batch: Sequence[Received[EvidenceSubmitted]],
) -> list[Received[EvidenceSubmitted]]:
    """Have each done by itself, as a consumer does of what it could not do together; return its dead letters."""
    dead: list[Received[EvidenceSubmitted]] = []
    for each in batch:
        try:
            await handle([each])
        except UNREADABLE:
            dead.append(each)
    return dead
