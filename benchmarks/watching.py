"""A consumer of our own beside the services: when was evidence accepted, and when was what it earned announced?"""

import asyncio
from time import time
from types import TracebackType
from typing import Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.contracts import topics
from libs.contracts.events import CredentialIssued

_ISSUED = CredentialIssued.type.encode()
_EVIDENCE = (topics.EVIDENCE_SUBMITTED.name, topics.EVIDENCE_BULK.name)


class Watcher:
    """Counts the announcements of some issuers, from the moment of its start on; use it as a context manager.

    Attributes:
        announced: credential id to when `CredentialIssued` arrived here, seconds since the epoch.
        repeats: announcements that arrived more than once; promised are the same event ids, not single deliveries.
        accepted: learner id to `received_at` of the evidence, where `with_acceptance` asks for it.
        learners: credential id to learner id, which announcements do not tell; likewise.
    """

    def __init__(self, bootstrap: str, *issuer_ids: str, with_acceptance: bool = False) -> None:
        self._bootstrap = bootstrap
        self._issuer_ids = frozenset(issuer_ids)
        self._topics = [topics.CREDENTIAL_LIFECYCLE.name]
        if with_acceptance:
            self._topics += [*_EVIDENCE, topics.EVIDENCE_DECIDED.name]
        self._joins = with_acceptance
        self.announced: dict[str, float] = {}
        self.accepted: dict[str, str] = {}
        self.learners: dict[str, str] = {}
        self.repeats = 0

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="latest", enable_auto_commit=False
        )
        await self._consumer.start()
        partitions = [TopicPartition(name, number) for name in self._topics for number in range(topics.PARTITIONS)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)
        # Asked for, so that what is published from now on lies behind these positions.
        for partition in partitions:
            await self._consumer.position(partition)
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._consumer.stop()

    async def wait_for(self, count: int, *, stalled_seconds: float) -> None:
        """Return once so many credentials are announced, and known whose they are where that is asked for.

        Raises:
            TimeoutError: none was announced for this long, and some are missing.
        """
        seen, since = -1, time()
        while len(self.announced) < count or (self._joins and not self.announced.keys() <= self.learners.keys()):
            if self._task.done():
                await self._task
            if len(self.announced) > seen:
                seen, since = len(self.announced), time()
            elif time() > since + stalled_seconds:
                raise TimeoutError(f"{count - seen} of {count} credentials were not announced")
            await asyncio.sleep(0.01)

    async def _watch(self) -> None:
        while True:
            for partition, records in (await self._consumer.getmany(timeout_ms=200)).items():
                now = time()
                for record in records:
                    data = orjson.loads(record.value)
                    if data.get("issuer_id") not in self._issuer_ids:
                        continue
                    if partition.topic in _EVIDENCE:
                        self.accepted[data["learner_id"]] = data["received_at"]
                    elif partition.topic == topics.EVIDENCE_DECIDED.name:
                        self.learners[data.get("credential_id", "")] = data["learner_id"]
                    elif dict(record.headers).get("ce_type") == _ISSUED:
                        self.repeats += data["credential_id"] in self.announced
                        self.announced.setdefault(data["credential_id"], now)
