"""State changes of one delivery each, to be written together: the sending half of the machine in repository.py."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import UpdateOne

from libs.common.mongo import Document
from services.notifier.channels.failure import Failure
from services.notifier.deliveries.delivery import Delivery
from services.notifier.deliveries.schedule import FAILED, State

CLAIM_FIELDS = ("due_at", "claim", "owner", "slot_at")
"""What stands on a delivery only while somebody has to look at it again."""

_TO_CANCEL: Final = (State.PENDING, State.NO_ADDRESS, *FAILED)
"""In these states a delivery waits for what may have it sent: where a reason to cancel it stands, it is over."""
_CANCELLED: Final = {"$gt": ["$cancel_reason", None]}
_IF_CANCELLED: Final = {
    "state": (State.CANCELLED, "$state"),
    "changed_at": ("$$NOW", "$changed_at"),
    "due_at": ("$$REMOVE", "$due_at"),
    "slot_at": ("$$REMOVE", "$slot_at"),
}
"""What a delivery's fields become if it was cancelled, and else."""


@dataclass(frozen=True, slots=True)
class Change:
    """One state change of one delivery, to be written with others in one call."""

    update: UpdateOne


def sent(delivery: Delivery, now: datetime) -> Change:
    """The server said 250. This holds even where the lease was lost meanwhile: the mail has gone."""
    change = {
        "state": State.SENT,
        "sent_at": now,
        "attempts": delivery.attempts + 1,
        "changed_at": now,
        "address_mark": delivery.address_mark,
    }
    return Change(UpdateOne({"_id": delivery.id}, {"$set": change, "$unset": unset(CLAIM_FIELDS)}))


def failed(delivery: Delivery, failure: Failure, state: State, due_at: datetime | None, now: datetime) -> Change:
    """An attempt failed; `due_at` is None where no other follows."""
    change: Document = {
        "state": state,
        "attempts": delivery.attempts + 1,
        "first_attempt_at": delivery.first_attempt_at or now,
        "last_error": {"kind": failure.kind, "code": failure.code, "enhanced": failure.enhanced, "at": now},
        "changed_at": now,
        "address_mark": delivery.address_mark,
    }
    return _held(delivery, change, due_at, None)


def put_back(delivery: Delivery, due_at: datetime, *, slot_at: float | None = None) -> Change:
    """No attempt was made; look again at `due_at`, with the slot of the domain's rate that it holds, if any."""
    return _held(delivery, {"state": State.PENDING}, due_at, slot_at)


def park(delivery: Delivery, now: datetime) -> Change:
    """The learner has no address (any more)."""
    return _held(delivery, {"state": State.NO_ADDRESS, "changed_at": now}, None, None)


def hold(delivery: Delivery, now: datetime) -> Change:
    """It had failed when the database was set back, and may have gone since: an operator decides."""
    return _held(delivery, {"state": State.MAY_HAVE_BEEN_SENT, "changed_at": now}, None, None)


def cancel(delivery: Delivery, now: datetime) -> Change:
    """The reason to cancel it was written down while it was being sent."""
    return _held(delivery, {"state": State.CANCELLED, "changed_at": now}, None, None)


def refuse_domain(delivery: Delivery, now: datetime) -> Change:
    """Its issuer's mail may not go to the domain of the address."""
    change = {"state": State.REFUSED_DOMAIN, "changed_at": now, "address_mark": delivery.address_mark}
    return _held(delivery, change, None, None)


def never_told(delivery: Delivery, now: datetime) -> Change:
    """It would tell that a badge was closed of which its learner was never told."""
    return _held(delivery, {"state": State.CANCELLED, "cancel_reason": "never_told", "changed_at": now}, None, None)


def told_with_successor(delivery: Delivery, now: datetime) -> Change:
    """It would tell that a badge was closed whose learner was told of what took its place."""
    change = {"state": State.CANCELLED, "cancel_reason": "told_with_successor", "changed_at": now}
    return _held(delivery, change, None, None)


def _held(delivery: Delivery, change: Document, due_at: datetime | None, slot_at: float | None) -> Change:
    """A change that only the holder of the claim may make."""
    fields = {"due_at": due_at, "slot_at": slot_at}
    kept = {name: value for name, value in fields.items() if value is not None}
    if delivery.allowed_at is not None:
        change = {**change, "allowed_at": delivery.allowed_at, "admitted": delivery.admitted}
    gone = [name for name in CLAIM_FIELDS if name not in kept]
    stages: list[Document] = [
        {"$set": {name: {"$literal": value} for name, value in {**change, **kept}.items()}},
        {"$unset": gone},
    ]
    if change["state"] in _TO_CANCEL:
        # It may have been cancelled while it was in flight. It may be looked at again much later, or never: while the
        # mail server is unavailable one delivery is tried every half minute, and who was erased gets no other address.
        stages.append(unless_cancelled())
    return Change(UpdateOne({"_id": delivery.id, "claim": delivery.claim}, stages))


def unless_cancelled() -> Document:
    """Return the stage of an update by which a delivery that was to go is over, where a reason to cancel it stands."""
    return {"$set": {name: {"$cond": [_CANCELLED, *each]} for name, each in _IF_CANCELLED.items()}}


def unset(names: Iterable[str]) -> dict[str, str]:
    """The argument of `$unset` for these fields."""
    return dict.fromkeys(names, "")
