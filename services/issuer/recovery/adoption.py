"""Taking up what was published and is not in the database, before anything is decided: the numbered steps.

1. Read each topic from its mark to its end, and compare with the database. A mark says that everything below it is here
   (`marks.py`); where there is none, all of the topic is read. Killed here: nothing was changed; from the beginning.
2. At the first fact that is not here, note that the database went back. Killed: noted, from 1.
3. Take up what is not here: signing keys, the catalogue, credentials with what became of them, status
   lists, decisions. Killed: some of it is here, and the note says that it was not. From 1; what is here is not taken
   up again.
4. Begin a new epoch, above all that were published: no list of an earlier one is filled further, so that no index is
   given away again, and every list has a version above all that were published. Killed: from 1, and once more.
5. Write the ends down as marks, take the note away. Killed: the note is still there; from 1, with one epoch more.

Everything that is published is recorded before, so where the database did not go back there is nothing to take up.
Several processes may do this at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from libs.common.failpoints import failpoint
from libs.common.kafka import Kafka
from libs.common.mongo import Collection, Database
from libs.common.telemetry import get_logger
from libs.common.topic_reading import Ends, reading
from libs.contracts import topics
from libs.contracts.events import Event, SigningKeySealed, StatusListPublished
from libs.contracts.topics import Topic
from libs.openbadges.status.bitstring import MINIMUM_SIZE
from services.issuer.catalogue.publications import Publications
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.probe import KeyEncryptionProbe
from services.issuer.recovery import metrics
from services.issuer.recovery.credentials import CredentialAdoption
from services.issuer.recovery.marks import TOPICS, Marks
from services.issuer.status.epoch import Epochs
from services.issuer.status.repository import StatusListRepository

# Evidence that was decided so long ago is on its topic no longer: two weeks there, and a month that it may wait.
_LONGEST_PUBLISHED = timedelta(days=60)
_NOTE = "adoption"
_TOLD_EVERY_SECONDS = 10.0


async def leave_note(notes: Collection, at: datetime) -> None:
    """Leave word among the issuer's notes that its database was set back: the next process takes up what was published.

    It begins a new epoch then, also where Kafka has nothing any more that the database lacks: entries of status lists
    that were given away since stand in badges that learners have.
    """
    await notes.update_one({"_id": _NOTE}, {"$setOnInsert": {"schema": 1, "since": at}}, upsert=True)


@dataclass(frozen=True, kw_only=True)
class Adopters:
    """What takes up the facts of each kind."""

    probe: KeyEncryptionProbe
    keys: KeyAdoption
    catalogue: Publications
    credentials: CredentialAdoption
    lists: StatusListRepository
    epochs: Epochs
    decisions: MongoPublishedDecisions


class Adoption:
    """What an issuer process does before it decides anything."""

    def __init__(
        self, kafka: Kafka, database: Database, marks: Marks, adopters: Adopters, clock: Callable[[], datetime]
    ) -> None:
        self._kafka = kafka
        self._notes = database["adoption"]
        self._marks = marks
        self._adopters = adopters
        self._clock = clock
        self._highest_epoch = 0
        self._went_back = False

    async def run(self) -> None:
        """Go through the steps; return when the database has all that was published.

        Raises:
            KafkaError: the brokers are unavailable; to be done again, as for what follows.
            PyMongoError: the database is unavailable.
            OSError: a topic is missing.
            OtherKeyEncryptionKeyError: the key-encryption key in place opens nothing that was published.
        """
        metrics.ADOPTING.set(1)
        started = self._clock()
        self._went_back = await self._notes.find_one({"_id": _NOTE}) is not None
        ends: Ends = {}
        ids: dict[str, str] = {}
        made_anew = False
        for topic in TOPICS:
            async with reading(self._kafka, topic) as reader:
                until = await reader.ends()
                since = await self._marks.since(until, reader.ids)
                made_anew |= since is None
                if since is None or topic is topics.SIGNING_KEYS:
                    since = {}  # keys are few: one that was lost or damaged by itself is taken back, too
                await self._take_up(topic, reader.events(since, until))  # 1 to 3
                ends |= until
                ids |= reader.ids
        await self._adopters.credentials.settle()
        # Topics that were lost tell nothing of how far the database had come.
        if self._went_back or made_anew:
            failpoint("issuer.adopting.3")
            epoch = await self._adopters.epochs.begin_new(self._highest_epoch + 1)  # 4
            failpoint("issuer.adopting.4")
            get_logger().warning(
                "the database has taken up what was published, and begins a new epoch of status lists",
                epoch=epoch,
                seconds=round((self._clock() - started).total_seconds(), 1),
            )
        await self._marks.keep(ends, ids)
        await self._notes.delete_one({"_id": _NOTE})  # 5
        await self._adopters.decisions.remove_ended(self._clock() - _LONGEST_PUBLISHED)
        await self._marks.tell_lacking(ids)
        metrics.ADOPTING.set(0)

    def _parts(self) -> Mapping[Topic, "_Part"]:
        """Return, by topic, what finds what the database lacks, and what takes it up."""
        parts = self._adopters
        return {
            topics.CATALOGUE: _Part(parts.catalogue.lacking, parts.catalogue.adopt),
            topics.CREDENTIAL_DOCUMENTS: _Part(parts.credentials.lacking, parts.credentials.adopt),
            topics.STATUS_LISTS: _Part(self._lacking_lists, self._adopt_lists),
            topics.EVIDENCE_DECIDED: _Part(parts.decisions.lacking, parts.decisions.adopt),
        }

    async def _take_up(self, topic: Topic, events: AsyncIterator[list[Event]]) -> None:
        if topic is topics.SIGNING_KEYS:
            # They are few, and those of an issuer belong together. They cannot be compared without being taken up; what
            # a lost key has signed is lacking too, and says so.
            copies = [each async for some in events for each in some if isinstance(each, SigningKeySealed)]
            # Of each key the last one alone: those before it may be sealed under what was given up since.
            last = {each.key_id: each.kek_id for each in copies}
            await self._adopters.probe.make(set(last.values()))
            metrics.ADOPTED.labels(topic.name).inc(await self._adopters.keys.adopt(copies))
            return
        part, taken, told_at = self._parts()[topic], 0, monotonic()
        async for some in events:
            if lacking := await part.lacking(some):
                await self._note()  # 2
                await part.adopt(lacking)  # 3
                failpoint("issuer.adopting.3.some")
                metrics.ADOPTED.labels(topic.name).inc(len(lacking))
                taken += len(lacking)
                if monotonic() - told_at > _TOLD_EVERY_SECONDS:
                    told_at = monotonic()
                    get_logger().info("taking up what was published", topic=topic.name, taken=taken)

    async def _note(self) -> None:
        if not self._went_back:
            get_logger().error("the database lacks what was published: it was set back, and takes it up")
            await leave_note(self._notes, self._clock())
            self._went_back = True
            failpoint("issuer.adopting.2")

    async def _lacking_lists(self, events: Sequence[Event]) -> list[StatusListPublished]:
        epochs = [each.epoch for each in events if isinstance(each, StatusListPublished)]
        self._highest_epoch = max([self._highest_epoch, *epochs])
        return await self._adopters.lists.lacking(events)

    async def _adopt_lists(self, lacking: Sequence[StatusListPublished]) -> None:
        await self._adopters.lists.adopt(lacking, MINIMUM_SIZE)


class _Part(NamedTuple):
    """How the facts of one topic are taken up."""

    lacking: Callable[[Sequence[Event]], Awaitable[list[Any]]]
    adopt: Callable[[list[Any]], Awaitable[None]]
