"""Which topics `bowerbird republish` has filled, by their ids: nobody need be called to do it once more."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from libs.common.mongo import Database
from libs.common.stored import readable, typed

_LAST = "last"


class _Note(NamedTuple):
    """What is noted; where it was damaged nothing was, and somebody is called who need not be."""

    topic_ids: list[str]


_note = typed(_Note)


class Refilled:
    """The note of it, in the issuer's database."""

    def __init__(self, database: Database) -> None:
        self._notes = database["refilled_topics"]

    async def note(self, topic_ids: Collection[str], at: datetime) -> None:
        """Note, in the place of what was noted before, that what the stores hold was published on these topics.

        Args:
            topic_ids: asked for before anything was published.
            at: when.
        """
        noted = {"schema": 1, "topic_ids": sorted(topic_ids), "at": at}
        await self._notes.update_one({"_id": _LAST}, {"$set": noted}, upsert=True)

    async def topic_ids(self) -> frozenset[str]:
        """Return the ids of the topics that were filled last."""
        found = await self._notes.find_one({"_id": _LAST})
        note = None if found is None else readable(_note, found, self._notes)
        return frozenset() if note is None else frozenset(note.topic_ids)
