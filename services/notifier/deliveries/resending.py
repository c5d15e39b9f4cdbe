"""Sending a mail again because its school asks for it, within limits, and showing where the last one went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.access.api_keys import Caller
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common.addresses import Address
from libs.common.errors import ConflictError
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.delivery import StoredDelivery, address_mark
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import OPEN

MOST_TIMES: Final = 5
"""How often one mail may be sent again."""

BETWEEN: Final = timedelta(minutes=10)
"""How long after a mail was sent, or failed, it may be sent again."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a mail goes, as far as its school is shown.

    Attributes:
        masked: the learner's address now, but for its first character and its domain; None where there is none.
        last_went_there: whether the last attempt went to this address; None where there was none.
    """

    masked: str | None
    last_went_there: bool | None


class Resending:
    """Reads deliveries with where they go, and sends one again."""

    def __init__(
        self, deliveries: Deliveries, contacts: Contacts, audit: AuditLog, clock: Callable[[], datetime]
    ) -> None:
        self._deliveries = deliveries
        self._contacts = contacts
        self._audit = audit
        self._clock = clock

    async def recipients(self, deliveries: Sequence[StoredDelivery], caller: Caller) -> dict[UUID, Recipient]:
        """Return where these of the caller's issuer go, by delivery."""
        own = [each for each in deliveries if each.issuer_id == caller.issuer_id]
        learners = {each.learner_id for each in own if each.learner_id is not None}
        contacts = await self._contacts.reachable(learners)
        shown: dict[UUID, Recipient] = {}
        for each in own:
            contact = None if each.learner_id is None else contacts.get(each.learner_id)
            if contact is None:
                shown[each.id] = Recipient(None, None)
                continue
            mark = each.address_mark
            there = None if mark is None else mark == address_mark(each.id, contact.email)
            shown[each.id] = Recipient(masked(contact.email), there)
        return shown

    async def send_again(self, delivery_id: UUID, caller: Caller, cause: Cause) -> StoredDelivery:
        """Let a delivery of the caller's issuer be sent once more; one that is to be sent anyway stays as it is.

        Raises:
            NotFoundError: there is none of this issuer.
            ConflictError: it was cancelled, or was sent a moment ago, or often enough; the detail says which.
        """
        found = await self.own(delivery_id, caller)
        if found.state in OPEN:
            return found
        now = self._clock()
        if found.cancel_reason is not None:
            raise ConflictError(f"this mail was cancelled ({found.cancel_reason}), and is not sent any more")
        if found.sending >= MOST_TIMES:
            raise ConflictError(f"this mail was sent again {MOST_TIMES} times, which is the most")
        if now - found.changed_at < BETWEEN:
            wait = int(BETWEEN.total_seconds()) // 60
            raise ConflictError(f"this mail went out a moment ago; it can be sent again {wait} minutes after that")
        subject, details = f"delivery {found.id}", {"credential": str(found.credential_id)}
        await self._audit.record(
            Entry(Action.MAIL_SENT_AGAIN, cause, (found.issuer_id,), subject, reason=found.state.value, details=details)
        )
        # Where two ask at once, one of them does it and both see it.
        await self._deliveries.send_again(found, now)
        return await self.own(delivery_id, caller)

    async def own(self, delivery_id: UUID, caller: Caller) -> StoredDelivery:
        """Return a delivery of the caller's issuer.

        Raises:
            NotFoundError: there is none of this issuer.
        """
        found = await self._deliveries.of_issuer(caller.issuer_id, [delivery_id])
        if not found:
            raise await self._deliveries.not_found(caller.issuer_id, [delivery_id], "no delivery")
        return found[0]


def masked(email: str) -> str:
    """Return the address but for its first character and its domain; nothing of what is no address."""
    address = Address.parse(email)
    return "…" if address is None else f"{address.local[0]}…@{address.domain}"
