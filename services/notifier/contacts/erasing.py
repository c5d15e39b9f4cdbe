"""Erasing the names and addresses of learners because their school asks for it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.audit.entry import Action, Cause, Entry
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import LearnerContact, LearnerErased


class Audit(Protocol):
    """The audit log, as far as it is needed here."""

    async def record(self, *entries: Entry) -> None:
        """Add entries."""
        ...


class StoredContacts(Protocol):
    """The contacts, as far as they are needed here."""

    async def stored(self, learner_ids: Collection[UUID]) -> list[LearnerContact]:
        """Return the contacts of those of these learners who have one."""
        ...


class Ledger(Protocol):
    """The ledger of erasures, as far as it is needed here."""

    async def note(self, erased: dict[UUID, datetime]) -> None:
        """Add that these learners were erased."""
        ...


class Erasing:
    """Has contacts erased: by an event, as whatever else changes them, so that the topic loses them too."""

    def __init__(
        self,
        contacts: StoredContacts,
        ledger: Ledger,
        audit: Audit,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        *,
        all_read: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        """Take what it needs; `all_read` returns when everything that is on the topic of contacts is stored."""
        self._contacts = contacts
        self._ledger = ledger
        self._audit = audit
        self._publish = publish
        self._all_read = all_read
        self._clock = clock

    async def erase(
        self, learner_ids: Collection[UUID], issuer_id: str, cause: Cause, trace: str
    ) -> tuple[int, datetime]:
        """Have the contacts of these learners of an issuer erased, within seconds.

        What is given of them later counts anew. Killed behind the ledger, `bowerbird audit promises --repair` does the
        rest; asking again does so too.

        Args:
            learner_ids: whom.
            issuer_id: whose learners they are; those of others are passed over.
            cause: by whom.
            trace: the `traceparent` of the request.

        Returns:
            Of how many there was a contact, and up to when what was given of them is erased.

        Raises:
            UnavailableError: of some nothing is stored, and what was given lately is not read yet; nothing is done.
            KafkaError: it may not be published; asking again is safe.
        """
        given = await self._given(learner_ids, issuer_id)
        if len(given) < len(set(learner_ids)):
            # What was given of the others a moment ago may be on its way: it would be stored behind their erasure.
            await self._all_read()
            given = await self._given(learner_ids, issuer_id)
        now = self._clock()
        # The clock of the service that took a contact in may be ahead of this one.
        erased_at = max([now, *(each.changed_at for each in given)])
        if given:
            learners = [each.learner_id for each in given]
            await self._audit.record(
                *(Entry(Action.CONTACT_ERASED, cause, (issuer_id,), f"learner {each}") for each in learners)
            )
            await self._ledger.note(dict.fromkeys(learners, erased_at))
            events = [LearnerErased(learner_id=each, erased_at=erased_at) for each in learners]
            await self._publish([Outgoing(each, trace) for each in events])
        return len(given), erased_at

    async def _given(self, learner_ids: Collection[UUID], issuer_id: str) -> list[LearnerContact]:
        return [each for each in await self._contacts.stored(learner_ids) if each.issuer_id == issuer_id]
