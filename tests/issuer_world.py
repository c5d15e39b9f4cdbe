"""What tests of the issuer's storage share: one database, all that was published, and workers upon them."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from libs.audit.log import AuditLog
from libs.common import mongo
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    EvidenceSubmitted,
    RevokeCredential,
    StatusListPublished,
    TakeDownCredential,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusList
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.waiting import WaitingClosing
from services.issuer.credentials.waiting_commands import WaitingCommands
from services.issuer.credentials.worker import Closing
from services.issuer.decisions.holdings import Sweeps
from services.issuer.decisions.learner_events import LearnerEvents
from services.issuer.decisions.made_again import MadeAgain
from services.issuer.decisions.published import MongoPublishedDecisions, PublishedHistory
from services.issuer.decisions.reconsidering import Reconsidering
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.superseding import Superseding
from services.issuer.decisions.withdrawing import Withdrawing
from services.issuer.decisions.worker import Awarding
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.renewal.publication import Freshness
from services.issuer.status.allocation import StatusEntryAllocation
from services.issuer.status.epoch import Epochs
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StatusListRepository
from services.issuer.urls import Urls
from tests.ids import IDS, PROOFS, SEALING, SUPERSEDING_PROOFS, event_id
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryCatalogue,
    NothingStacked,
    PlainSigner,
    achievement,
    evidence,
    issuer,
)

URLS = Urls("https://badges.example")
FRESHNESS = Freshness(valid_for=timedelta(days=7), ttl=timedelta(seconds=60))

KEK = FileKeyEncryption(bytes(range(32)))


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class World:
    """One database, and all that was published; `worker` is a process of its own upon them."""

    client: mongo.Client
    database: mongo.Database
    published: list[Outgoing] = field(default_factory=list)

    @property
    def credentials(self) -> MongoCredentials:
        return MongoCredentials(self.database)

    @property
    def decisions(self) -> MongoDecisions:
        return MongoDecisions(self.client, self.database, self.credentials)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await asyncio.sleep(0)
        self.published += outgoing

    def publication(self, clock: Callable[[], datetime] = lambda: NOW, **changes: Any) -> StatusListPublication:
        parts: dict[str, Any] = {
            "revoked": self.credentials,
            "signer": BitsAsText(),
            "audit": AuditLog(self.database),
            "publish": self.publish,
            "clock": clock,
            "freshness": FRESHNESS,
        }
        return StatusListPublication(StatusListRepository(self.database), self.epochs(clock), **(parts | changes))

    def epochs(self, clock: Callable[[], datetime] = lambda: NOW) -> Epochs:
        return Epochs(self.database, StatusListRepository(self.database), clock)

    def entries(self, size: int = MINIMUM_SIZE) -> StatusEntryAllocation:
        lists = StatusListRepository(self.database)
        return StatusEntryAllocation(lists, self.epochs(), self.publication(), lambda: NOW, size=size)

    @property
    def published_lists(self) -> list[StatusListPublished]:
        return [each.event for each in self.published if isinstance(each.event, StatusListPublished)]

    @property
    def key_copies(self) -> KeyCopies:
        repository = SigningKeyRepository(self.client, self.database)
        return KeyCopies(repository, KEK, publish=self.publish, clock=lambda: NOW)

    def signing_keys(self) -> SigningKeys:
        return SigningKeys(SigningKeyRepository(self.client, self.database), KEK, self.key_copies)

    def worker(self, **changes: Any) -> Awarding:
        parts: dict[str, Any] = {
            "ids": IDS,
            "decisions": self.decisions,
            "history": PublishedHistory(
                MongoPublishedDecisions(self.database, self.decisions.recorded),
                self.decisions,
                self.credentials,
                IDS,
            ),
            "credentials": self.credentials,
            "catalogue": MemoryCatalogue([issuer()], [achievement()]),
            "signer": PlainSigner(),
            "entries": self.entries(),
            "announcer": Announcer(URLS, SEALING),
            "superseding": Superseding(
                credentials=self.credentials,
                lists=self.publication(),
                announcer=Announcer(URLS, SEALING),
                stacked=NothingStacked(),
            ),
            "audit": AuditLog(self.database),
            "publish": self.publish,
            "clock": ticking(),
            "longest_wait": timedelta(hours=1),
            "longest_suspended": timedelta(days=30),
        }
        return Awarding(**(parts | changes))

    def sweeps(self, clock: Callable[[], datetime] = lambda: NOW) -> Sweeps:
        return Sweeps(self.database, credentials=self.credentials, proofs=PROOFS, publish=self.publish, clock=clock)

    def learner_events(self, catalogue: MemoryCatalogue) -> LearnerEvents:
        """A worker that applies all that comes on the topic of evidence."""
        worker = self.worker(catalogue=catalogue)
        again = MadeAgain(
            worker,
            decisions=self.decisions,
            history=PublishedHistory(
                MongoPublishedDecisions(self.database, self.decisions.recorded), self.decisions, self.credentials, IDS
            ),
            credentials=self.credentials,
            lists=self.publication(),
            announcer=Announcer(URLS, SEALING),
            audit=AuditLog(self.database),
        )
        clock = ticking()
        reconsidering = Reconsidering(worker, again, self.credentials, clock)
        return LearnerEvents(
            worker,
            Withdrawing(worker, again, clock),
            reconsidering,
            proofs=PROOFS,
            superseding_proofs=SUPERSEDING_PROOFS,
        )

    async def stored(self, collection: str) -> list[mongo.Document]:
        return await self.database[collection].find({}).sort("_id", 1).to_list(None)


def ticking() -> Any:
    """Each look at this clock is a moment later, so that nothing is the same by accident."""
    moments = count()
    return lambda: NOW + timedelta(seconds=next(moments))


class BitsAsText:
    """Instead of a signed list: the set bits."""

    async def status_list(self, list_id: str, purpose: str, bits: StatusList, at: object, **fresh: object) -> str:
        await asyncio.sleep(0)
        set_bytes = (place for place, byte in enumerate(bits.to_bytes()) if byte)
        return json.dumps([8 * place + bit for place in set_bytes for bit in range(8) if bits.get(8 * place + bit)])


def school_week(learners: int = 8) -> list[EvidenceSubmitted]:
    """Each learner: a level, a repeat of the row, the same level by other evidence, a higher one, a lower one."""
    pieces = []
    for number in range(learners):
        name, row = f"s{number}", number * 5
        pieces += [
            evidence(row + 1, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-a"),
            evidence(row + 2, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-a"),
            evidence(row + 3, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-b"),
            evidence(row + 4, SoloLevel.EXTENDED_ABSTRACT, learner=name, source_id=f"{name}-c"),
            evidence(row + 5, SoloLevel.UNISTRUCTURAL, learner=name, source_id=f"{name}-d"),
        ]
    return pieces


def told(outgoing: Sequence[Outgoing]) -> dict[object, str]:
    return {event_id(each.event): each.event.model_dump_json() for each in outgoing}


def closing(world: World) -> Closing:
    return Closing(
        credentials=world.credentials,
        remove_evidence_texts=world.decisions.remove_texts,
        lists=world.publication(),
        announcer=Announcer(URLS, SEALING),
        stacked=NothingStacked(),
        waiting=WaitingCommands(world.database),
        most_waiting=3,
        clock=lambda: NOW,
    )


def waiting_closing(world: World, clock: Callable[[], datetime] = lambda: NOW) -> WaitingClosing:
    return WaitingClosing(
        WaitingCommands(world.database),
        closing=closing(world),
        credentials=world.credentials,
        publish=world.publish,
        clock=clock,
        longest=timedelta(days=14),
    )


Command = Received[RevokeCredential | TakeDownCredential]


def command(
    credential: mongo.Document, reason: RevocationReason = RevocationReason.ISSUED_IN_ERROR, seconds: int = 0
) -> Command:
    event = RevokeCredential(
        credential_id=credential["_id"],
        issuer_id=credential["issuer_id"],
        request_id=uuid4(),
        reason=reason,
        requested_at=NOW + timedelta(seconds=seconds),
    )
    return Received(event, event.key, TRACE)


def take_down(credential: mongo.Document, seconds: int = 0) -> Command:
    event = TakeDownCredential(
        credential_id=credential["_id"],
        issuer_id=credential["issuer_id"],
        request_id=uuid4(),
        reason=TakeDownReason.PERSONAL_DATA,
        requested_at=NOW + timedelta(seconds=seconds),
    )
    return Received(event, event.key, TRACE)
