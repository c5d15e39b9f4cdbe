"""Which mails to one mailbox go now, whoever sends them: a slot is taken when a mail is due, and issuers take turns.

No slot is given out ahead of its time, so no issuer's queue stands before another's mail: a mail that finds none asks
again when the next one is in order, and the issuer that was served longest ago goes first. An issuer that is to ask
again counts as waiting until a while after that time, so that a replica cannot pass it by. The rate is as in
`buckets.py`; mailboxes are stored by digests.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel
from pymongo import UpdateOne

from libs.common.mongo import Collection, Document, find_by_ids
from libs.common.stored import Count, Seconds, readable, typed
from services.notifier.deliveries.buckets import Rate, digest

_SOONEST_SECONDS = 2.0
# For those whose turn it is not though a slot is free: it is another issuer's, which asks for it in a moment.
_TURN_SECONDS = 60.0
# How much later than it was to ask again an issuer keeps its turn: its mail may be due behind many.
_PATIENCE_SECONDS = 600.0
# An issuer that had none of so many slots, and waits for none, counts as one that was never served.
_TURNS_KEPT = 100
_WRITES_KEPT = 32


@dataclass(frozen=True, slots=True)
class Ask:
    """A mail that would go to a mailbox now."""

    delivery_id: UUID
    issuer_id: str
    mailbox: str


@dataclass(slots=True)
class _Issuer:
    """When an issuer was served last, by the number of the slot (0: never), and until when it keeps its turn."""

    served: int = 0
    waits_until: float = 0.0


class _Served(BaseModel):
    """What is kept of an issuer."""

    id: str
    served: int
    waits_until: float


class _Standing(NamedTuple):
    """How a mailbox stands, and what was damaged: as one that nothing was ever sent to."""

    next_at: Seconds = 0.0
    turn: Count = 0
    issuers: Sequence[_Served] = ()


_standing = typed(_Standing)


class Mailboxes:
    """The slots of all mailboxes. They belong to no tenant: a mailbox gets so many mails, whichever school writes."""

    def __init__(self, mailboxes: Collection, rate: Rate) -> None:
        self._mailboxes = mailboxes
        self._interval = 1 / rate.per_second
        self._burst = rate.burst

    async def admit(self, asks: Sequence[Ask], *, token: UUID, now: float) -> dict[UUID, float]:
        """Take a slot for each of these that may go; return when the others ask again, in seconds since 1970.

        `token` tells this call's write from others'. Where another replica wrote first, nothing was taken.
        """
        by_mailbox: dict[str, list[Ask]] = defaultdict(list)
        for ask in asks:
            by_mailbox[digest(f"mailbox {ask.mailbox}")].append(ask)
        stored = {each["_id"]: each for each in await find_by_ids(self._mailboxes, "_id", list(by_mailbox))}
        later: dict[UUID, float] = {}
        updates: list[UpdateOne] = []
        for mailbox, theirs in by_mailbox.items():
            kept = stored.get(mailbox, {"_id": mailbox})
            standing = readable(_standing, kept, self._mailboxes) or _Standing()
            written, refused = self._serve(standing, theirs, now)
            later |= refused
            before = [] if (written_by := kept.get("writes")) is None else written_by
            writes = [*(before if isinstance(before, list) else []), token][-_WRITES_KEPT:]
            document = {"_id": mailbox, "schema": 1, **written, "writes": writes}
            unchanged = {"$eq": [{"$ifNull": ["$writes", []]}, {"$literal": before}]}
            replaced = {"$cond": [unchanged, {"$literal": document}, "$$ROOT"]}
            updates.append(UpdateOne({"_id": mailbox}, [{"$replaceWith": replaced}], upsert=mailbox not in stored))
        if updates:
            await self._mailboxes.bulk_write(updates, ordered=False)
        found = await find_by_ids(self._mailboxes, "_id", list(by_mailbox))
        ours = {each["_id"] for each in found if token in each.get("writes", ())}
        lost = [ask for mailbox, theirs in by_mailbox.items() if mailbox not in ours for ask in theirs]
        return later | {ask.delivery_id: now + _SOONEST_SECONDS for ask in lost}

    def _serve(self, kept: "_Standing", asks: Sequence[Ask], now: float) -> tuple[Document, dict[UUID, float]]:
        """Return how a mailbox stands after these asked, and when those ask again that it has no slot for."""
        next_at = max(kept.next_at, now - (self._burst - 1) * self._interval)
        turn = kept.turn
        issuers = defaultdict(_Issuer, {each.id: _Issuer(each.served, each.waits_until) for each in kept.issuers})
        waiting = list(asks)
        while waiting and next_at <= now:
            ask = min(waiting, key=lambda each: issuers[each.issuer_id].served)
            own = issuers[ask.issuer_id].served
            if any(each.served < own and each.waits_until > now for each in issuers.values()):
                break
            turn += 1
            next_at += self._interval
            issuers[ask.issuer_id] = _Issuer(served=turn)
            waiting.remove(ask)
        again = max(next_at, now + _SOONEST_SECONDS) if next_at > now else now + _TURN_SECONDS
        for ask in waiting:
            issuers[ask.issuer_id].waits_until = again + _PATIENCE_SECONDS
        remembered = [
            {"id": id_, "served": each.served, "waits_until": each.waits_until}
            for id_, each in issuers.items()
            if each.waits_until > now or each.served > turn - _TURNS_KEPT
        ]
        written = {"next_at": next_at, "turn": turn, "issuers": remembered}
        return written, {ask.delivery_id: again for ask in waiting}
