"""The life of contacts: who was neither sent again by a school nor mailed about a badge for so long is forgotten.

1. Publish that the contact has ended. On the compacted topic that takes the place of name and address.
2. Delete it. Killed before: done again, and the consumer of what was published deletes it too.

A school may send the address again meanwhile. What has ended is what was given or needed before a moment, so the newer
one stays here; where it lies before the end on the topic, the consumer publishes it once more (contacts/worker.py).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import LearnerContactEnded
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]


class ContactLife:
    """Ends contacts whose life is over."""

    def __init__(
        self, contacts: Contacts, deliveries: Deliveries, publish: Publish, clock: Callable[[], datetime]
    ) -> None:
        self._contacts = contacts
        self._deliveries = deliveries
        self._publish = publish
        self._clock = clock

    async def end(self, before: datetime, limit: int) -> int:
        """End contacts that were neither given nor needed since then, at most so many; return how many."""
        old = await self._contacts.unused(before, limit)
        needed = await self._deliveries.last_needed(list(old), before)
        await self._contacts.keep_from(needed)
        over = {learner: issuer for learner, issuer in old.items() if learner not in needed}
        if over:
            now = self._clock()
            ended = [
                LearnerContactEnded(learner_id=learner, issuer_id=issuer, before=before, ended_at=now)
                for learner, issuer in over.items()
            ]
            await self._publish([Outgoing(each, new_trace()) for each in ended])  # 1
            await self._contacts.end(dict.fromkeys(over, before))  # 2
        return len(over)
