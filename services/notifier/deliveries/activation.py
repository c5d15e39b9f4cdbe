"""What an address that arrives does to deliveries: those that wait for one are due, and what failed is tried anew.

A contact and a credential travel on different topics, so either may come first. Each side writes its own document
before it looks for the other's:

    deliveries/worker.py:  A1 insert the delivery as `no_address`    A2 look up the contact; there: make it `pending`
    contacts/worker.py:    B1 store the contact                      B2 make the learner's `no_address` ones `pending`

If A2 misses the contact, then it read before B1 was done; A1 was done before A2, and B2 comes after B1, so B2 sees the
delivery. The other way round likewise: if B2 misses the delivery, A1 came after it, and so A2 sees the contact. Both
may see each other: making pending touches `no_address` only, so it happens once. A crash between the steps leaves the
record uncommitted, and both steps are done again.

A delivery that failed is tried anew where its learner's address is another than the one it failed at (`address_mark`):
the same address again would fail again. A corrected address and a failure may cross like a contact and a credential:
B2 may see the delivery in flight still. So whoever wrote down a failure looks up the contact after it, too.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.delivery import address_mark
from services.notifier.deliveries.repository import Deliveries


class Activation:
    """What contacts do to deliveries."""

    def __init__(self, contacts: Contacts, deliveries: Deliveries) -> None:
        self._contacts = contacts
        self._deliveries = deliveries

    async def activate(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """Make the waiting deliveries of those of these learners who have an address due now; the step A2."""
        reachable = await self._contacts.reachable(learner_ids)
        if reachable:
            await self._deliveries.activate(list(reachable), now)

    async def addressed(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """Make what waits for an address of these learners due, and what failed at another address; the step B2."""
        reachable = await self._contacts.reachable(learner_ids)
        if not reachable:
            return
        await self._deliveries.activate(list(reachable), now)
        failed = await self._deliveries.failed_for(list(reachable))
        elsewhere = [
            each
            for each in failed
            if each.learner_id is not None
            and each.address_mark != address_mark(each.id, reachable[each.learner_id].email)
        ]
        await self._deliveries.reopen(elsewhere, now)

    async def erased(self, learner_ids: Collection[UUID], now: datetime) -> None:
        """Cancel what is not sent yet of these learners, whose contacts were erased."""
        await self._deliveries.cancel_for_learners(list(learner_ids), "erased", now)
