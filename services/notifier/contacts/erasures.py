"""The ledger of erasures: whose name and address were erased, and when; entries are added, never changed or removed.

Topics end: a tombstone after 400 days, all of them with Kafka's disk. From here erasures are published again.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.clock import in_milliseconds
from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, Index, find_by_ids, full_name, insert_new
from libs.contracts.events import LearnerContact, LearnerErased

INDEXES: Sequence[Index] = (Index("erasures", ["learner_id", "erased_at"]),)
_TOGETHER = 500


def covers(erased_at: datetime | None, contact: LearnerContact) -> bool:
    """Return whether the learner was erased, and this contact was given before."""
    return erased_at is not None and contact.changed_at <= erased_at


class Erasures:
    """Queries are by learner id, which is derived from the issuer's id: it carries the tenant within."""

    def __init__(self, database: Database) -> None:
        self._erasures = database["erasures"]

    async def note(self, erased: Mapping[UUID, datetime]) -> None:
        """Add that these learners were erased, each at its moment; what is there already stays."""
        # As the database keeps it: published again from there it is the same entry.
        moments = {each: in_milliseconds(at) for each, at in erased.items()}
        documents = [
            {"_id": f"{learner_id}/{at.isoformat()}", "schema": 1, "learner_id": learner_id, "erased_at": at}
            for learner_id, at in moments.items()
        ]
        await insert_new(self._erasures, documents)

    async def of(self, learner_ids: Iterable[UUID], damage: Damage | None = None) -> dict[UUID, datetime]:
        """Return those of these learners who were erased, and when last; `damage` as for `without_damaged`."""
        found = await find_by_ids(self._erasures, "learner_id", learner_ids)
        last: dict[UUID, datetime] = {}
        for each in without_damaged(damage, full_name(self._erasures), found, _erased):
            last[each.learner_id] = max(each.erased_at, last.get(each.learner_id, each.erased_at))
        return last

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[LearnerErased]]:
        """Yield the last erasure of every learner who was erased, some at a time; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants. By the index: what is of one learner comes together.
        cursor = self._erasures.find().sort([("learner_id", 1), ("erased_at", 1)]).batch_size(_TOGETHER)
        last: dict[UUID, LearnerErased] = {}
        while found := await cursor.to_list(_TOGETHER):
            for each in without_damaged(damage, "notifier.erasures", found, _erased):
                last[each.learner_id] = each
            yield [last.pop(each) for each in list(last)[:-1]]
        yield list(last.values())


def _erased(stored: Document) -> LearnerErased:
    return LearnerErased(learner_id=stored["learner_id"], erased_at=stored["erased_at"])
