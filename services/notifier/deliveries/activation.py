"""Makes deliveries that wait for an address pending once the address is there, whichever of the two arrives first.

A contact and a credential travel on different topics, so either may come first. Each side writes its own document
before it looks for the other's:

    deliveries/worker.py:  A1 insert the delivery as `no_address`    A2 look up the contact; there: make it `pending`
    contacts/worker.py:    B1 store the contact                      B2 make the learner's `no_address` ones `pending`

If A2 misses the contact, then it read before B1 was done; A1 was done before A2, and B2 comes after B1, so B2 sees the
delivery. The other way round likewise: if B2 misses the delivery, A1 came after it, and so A2 sees the contact. Both
may see each other: making pending touches `no_address` only, so it happens once. A crash between the steps leaves the
record uncommitted, and both steps are done again.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.repository import Deliveries


async def activate_reachable(
    contacts: Contacts, deliveries: Deliveries, learner_ids: Sequence[UUID], now: datetime
) -> None:
    """Make the waiting deliveries of those of these learners who have an address due now; the steps A2 and B2."""
    reachable = await contacts.reachable(learner_ids)
    if reachable:
        await deliveries.activate(list(reachable), now)
