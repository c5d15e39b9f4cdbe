"""What stacks on badges is asked for: of those that are closed, and of those held when an achievement is published.

A sweep goes through all credentials, some hundreds at a time, and asks for each that the new version wants:

1. Read the next credentials, by their ids.               Killed: nothing was done.
2. Publish that they are to be looked at, and wait.       Killed: the same again, with the same effect.
3. Note how far it has come.                              Killed: likewise.

Whoever decides meanwhile may have read the catalogue before the version was in it, so it goes through them once more
a minute later. What follows is awarded once, whoever asks for it and however often.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from libs.common.mongo import Collection, Database, Document, insert_new
from libs.common.stored import all_readable
from libs.common.telemetry import get_logger, new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AchievementPublished, ReconsiderHolding
from libs.contracts.proofs import Proofs
from libs.contracts.rules import asked_for
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import HeldCredentialName, MongoCredentials

_TOGETHER: Final = 500
_PAUSE_SECONDS: Final = 0.05
_DELAY_SECONDS: Final = 5.0
# Longer than anything decides by what it has read.
_AGAIN: Final = timedelta(seconds=60)
_PASSES: Final = 2
# The longest due of so many goes on that can be read.
_SWEEPS: Final = 20


class AskedFor(Protocol):
    """Knows what rules ask to hold."""

    async def asked_for(self, keys: Iterable[str]) -> set[str]:
        """Return those of these achievements, OWNER/ID, that the rule of a version asks to hold."""
        ...


class ClosedHoldings:
    """Asks for what stacked on closed credentials to be looked at."""

    def __init__(self, catalogue: AskedFor, proofs: Proofs) -> None:
        self._catalogue = catalogue
        self._proofs = proofs

    async def reconsider(self, closed: Sequence[Credential]) -> list[ReconsiderHolding]:
        """Return what asks for that: the same each time, and nothing where nothing stacks on them."""
        wanted = await self._catalogue.asked_for({_all_versions(each.achievement) for each in closed})
        return [
            self._proofs.proven(
                ReconsiderHolding(
                    credential_id=each.credential_id,
                    issuer_id=each.issuer_id,
                    learner_id=each.learner_id,
                    requested_at=each.revocation.at,
                )
            )
            for each in closed
            if each.revocation is not None and _all_versions(each.achievement) in wanted
        ]


class Sweeps:
    """The collection `sweeps`: achievements that were published and that others may hold what they ask for."""

    def __init__(
        self,
        database: Database,
        *,
        credentials: MongoCredentials,
        proofs: Proofs,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._sweeps = _sweeps(database)
        self._credentials = credentials
        self._proofs = proofs
        self._publish = publish
        self._clock = clock

    async def begin(self, published: Sequence[AchievementPublished]) -> None:
        """Note that these are to be swept for; a version that was noted before is not noted again."""
        now = self._clock()
        documents: list[Document] = [
            {
                "_id": each.version_key,
                "schema": 1,
                # Of a shared achievement, the holders at every school.
                "issuer_id": None if each.shared else each.owner,
                "holds": asked,
                "passes": _PASSES,
                "due": now,
            }
            for each in published
            if each.rule is not None and (asked := asked_for(each.rule))
        ]
        await insert_new(self._sweeps, documents)

    async def tick(self) -> float:
        """Go on with one sweep; return the seconds until the next time."""
        # All tenants: the loop serves each in its turn.
        query = {"passes": {"$gt": 0}, "due": {"$lte": self._clock()}}
        found = await self._sweeps.find(query).sort("due", 1).limit(_SWEEPS).to_list(None)
        sweep = next(iter(all_readable(sweep_of, found, self._sweeps)), None)
        if sweep is None:
            return _DELAY_SECONDS
        page = await self._credentials.names_after(sweep.get("after"), _TOGETHER)  # 1
        wanted = [each for each in page.names if _is_wanted(sweep, each)]
        if wanted:
            trace, at = new_trace(), self._clock()
            events = [_event(each, at, self._proofs) for each in wanted]
            await self._publish([Outgoing(each, trace) for each in events])  # 2
        await self._come_to(sweep, page.after)  # 3
        return _PAUSE_SECONDS

    async def _come_to(self, sweep: Document, after: UUID | None) -> None:
        # Another process may have come as far meanwhile.
        as_read = {"_id": sweep["_id"], "after": sweep.get("after"), "passes": sweep["passes"]}
        if after is not None:
            await self._sweeps.update_one(as_read, {"$set": {"after": after}})
            return
        ended = {"$set": {"passes": sweep["passes"] - 1, "due": self._clock() + _AGAIN}, "$unset": {"after": ""}}
        await self._sweeps.update_one(as_read, ended)
        get_logger().info("holders of what an achievement asks for are gone through", achievement=sweep["_id"])


class HeldBelow:
    """Asks once more for what sweeps have asked for: Kafka may have lost it before it was done."""

    def __init__(self, database: Database, credentials: MongoCredentials, proofs: Proofs) -> None:
        self._sweeps = _sweeps(database)
        self._credentials = credentials
        self._proofs = proofs

    async def reconsider(self, since: datetime, at: datetime) -> AsyncIterator[list[ReconsiderHolding]]:
        """Yield, some at a time, what every sweep that was under way since then asks for; `at` is the present moment.

        Where that was done, nothing follows.
        """
        # An operator's query, over all tenants.
        found = await self._sweeps.find({"$or": [{"passes": {"$gt": 0}}, {"due": {"$gte": since}}]}).to_list(None)
        sweeps = all_readable(sweep_of, found, self._sweeps)
        after: UUID | None = None
        while sweeps:
            names, after = await self._credentials.names_after(after, _TOGETHER)
            wanted = [each for each in names if any(_is_wanted(sweep, each) for sweep in sweeps)]
            yield [_event(each, at, self._proofs) for each in wanted]
            if after is None:
                return


def _sweeps(database: Database) -> Collection:
    return database["sweeps"]


def sweep_of(stored: Document) -> Document:
    """Return the sweep, of which all that it takes can be read."""
    after, issuer_id = stored.get("after"), stored["issuer_id"]
    if not (isinstance(stored["passes"], int) and isinstance(stored["holds"], list)):
        raise TypeError("a sweep that does not say how often, or for what")
    if not (isinstance(after, UUID | None) and isinstance(issuer_id, str | None)):
        raise TypeError("a sweep that does not say how far it has come, or whose it is")
    return stored


def _event(held: HeldCredentialName, at: datetime, proofs: Proofs) -> ReconsiderHolding:
    event = ReconsiderHolding(
        credential_id=held.credential_id, issuer_id=held.issuer_id, learner_id=held.learner_id, requested_at=at
    )
    return proofs.proven(event)


def _is_wanted(sweep: Document, held: HeldCredentialName) -> bool:
    of_issuer = sweep["issuer_id"] in {None, held.issuer_id}
    return held.active and of_issuer and _all_versions(held.achievement) in sweep["holds"]


def _all_versions(version_key: str) -> str:
    return version_key.rpartition("/")[0]
