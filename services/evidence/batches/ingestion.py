"""Takes an upload in, chunk by chunk, so that SIGKILL at any instant loses nothing that was acknowledged.

What a crash leaves behind after each step:

0. store the batch and, where a key stands for   a batch without rows, which is marked `interrupted` in time; the key
   its rows, which of them come first               stands for this file, so no other one takes the numbers of its rows
1. record which rows come next, behind the       what is on Kafka is decided, and its rows come with the decisions
   first chunk; publish contacts, then
   submissions, confirmed
2. store the rows of the chunk, and publish      every row that says `pending` is on Kafka, and will be decided;
   what is stored, sealed; then store how far    a database that is set back takes up what it lacks of this
   the upload has come                           (adoption.py)
3. accept the batch, with the last chunk by      all is there; only the answer is missing, and a repeat is harmless
   the write that says how far it has come
4. answer 202

While chunks come, the batch's lease is renewed; a batch whose upload died is marked `interrupted`, so that its sender
knows to send it again. No repeated evidence is recognised here: only a decision that the issuer has recorded proves
that the first sending was not lost.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import zip_longest
from time import monotonic
from typing import TypeVar
from uuid import UUID

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from libs.common.contact_details import ContactPolicy
from libs.common.errors import (
    BowerbirdError,
    ConflictError,
    InvalidRequestError,
    TooManyRequestsError,
    UnavailableError,
)
from libs.common.failpoints import failpoint
from libs.common.kafka import is_transient
from libs.common.mongo import is_permanent
from libs.common.telemetry import get_logger, trace_id
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import Event
from libs.contracts.ids import Ids
from libs.contracts.proofs import Proofs
from services.evidence.batches import metrics
from services.evidence.batches.batch import DIED, LEASE, Batch, NewRow, Progress, Upload, UploadLease
from services.evidence.batches.chunks import Chunk, Chunker
from services.evidence.batches.contact_sealing import ContactSealing, SealedContacts
from services.evidence.batches.repeats import Repeat, first_progress
from services.evidence.batches.repository import Batches
from services.evidence.batches.row_checks import MOST_REFUSED
from services.evidence.batches.sealing import BatchSealing, Header, StoredRows
from services.evidence.sources.reader import RawRow, Reader, rows_of
from services.evidence.sources.refusals import Refusal

T = TypeVar("T")
Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]
Charge = Callable[[int], Awaitable[None]]

# So much is read on the event loop itself, some milliseconds: waiting for the thread takes longer, the more so the
# busier the loop is.
_READ_AT_ONCE_BYTES = 8 * 1024
_RENEW_SECONDS = 2.0
_CHUNK_SECONDS = 60.0
_TRY_AGAIN_SECONDS = 10
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_TAKEN_OVER = "This upload was so slow that another one under the same Idempotency-Key has taken its place."
_HOPELESS = (
    f"More than {MOST_REFUSED:,} rows were refused, and most of all; no more of the file was read. The rows of its"
    " batch say why: correct the file and send it again."
)


@dataclass(frozen=True, slots=True)
class Intake:
    """What taking uploads in needs, and how many rows it holds at once; `local` as in `read_row`.

    `contacts_topic` tells the id of the topic of contacts (`contact_arrival.py`).
    """

    batches: Batches
    ids: Ids
    publish: Publish
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    sealing: BatchSealing
    contact_sealing: ContactSealing
    contacts_topic: Callable[[], Awaitable[str]]
    proofs: Proofs
    chunk_rows: int
    chunk_bytes: int = 1024 * 1024
    uploads_per_issuer: int = 8
    dry_runs_per_issuer: int = 2
    contact_policy: ContactPolicy = ContactPolicy.WARN
    local: bool = False
    _under_way: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Rows are read and checked beside the event loop, which meanwhile answers everybody else; one thread, for more of
    # them would take the interpreter from the loop.
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "rows"))

    async def receive(
        self, upload: Upload, reader: Reader, blocks: AsyncIterator[bytes], charge: Charge | None = None
    ) -> Batch:
        """Take all rows in and return the batch when Kafka has confirmed and the database has stored them.

        `charge` is told how many rows are to be taken in next, and may refuse them. A batch that came in one chunk is
        returned as it was sent: to count what was decided in the milliseconds since then costs more than to store it.

        Raises:
            InvalidRequestError: the file as a whole cannot be read, or nearly all of very many rows were refused.
            ConflictError: the sender's key stands for another upload, or this one is under way already.
            UnavailableError: Kafka or MongoDB were unavailable for too long.
            TooManyRequestsError: so many files of this issuer are on their way already.
            BowerbirdError: a limit was passed (body.py).
        """
        if upload.format == "json":
            return await self._read(upload, await self._receive(upload, reader, blocks, charge))
        with self.under_way(upload.issuer_id, "uploads", self.uploads_per_issuer):
            accepted = await self._receive(upload, reader, blocks, charge)
        return await self._read(upload, accepted)

    @contextmanager
    def under_way(self, issuer_id: str, kind: str, most: int) -> Iterator[None]:
        """Count something of this kind ("uploads") and issuer as under way until the end of the block.

        Raises:
            TooManyRequestsError: as many are already as may be.
        """
        counted = issuer_id, kind
        if self._under_way[counted] >= most:
            metrics.UPLOADS.labels("refused").inc()
            raise TooManyRequestsError(
                f"{most} {kind} of this issuer are under way; send the next one after them", _TRY_AGAIN_SECONDS
            )
        self._under_way[counted] += 1
        try:
            yield
        finally:
            self._under_way[counted] -= 1
            if not self._under_way[counted]:
                del self._under_way[counted]

    async def _read(self, upload: Upload, accepted: Batch | UUID) -> Batch:
        return accepted if isinstance(accepted, Batch) else await self.batches.batch(accepted, upload.issuer_id)

    async def compute(self, size: int, work: Callable[[], T]) -> T:
        """Do pure work on so many bytes: at once where they are few, else in the thread for rows."""
        if size <= _READ_AT_ONCE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _receive(
        self, upload: Upload, reader: Reader, blocks: AsyncIterator[bytes], charge: Charge | None
    ) -> Batch | UUID:
        started = monotonic()
        session = UploadSession(self, upload, reader, charge)
        end = "failed"
        try:
            async for block in blocks:
                await session.read(block)
            await session.read(None)
            accepted = await session.accept()
            end = "accepted"
        except BowerbirdError as error:
            end = error.code
            await session.give_up(error)
            raise
        finally:
            session.end()
            metrics.UPLOADS.labels(end).inc()
            get_logger().info(
                "upload",
                issuer_id=upload.issuer_id,
                source=upload.source,
                format=upload.format,
                end=end,
                **session.account,
                seconds=round(monotonic() - started, 4),
                trace=trace_id(upload.trace),
            )
        return accepted

    async def interrupt_expired(self) -> float:
        """Mark the uploads that died; returns the seconds until it is worth looking again."""
        found = await self.batches.interrupt_stale(self.clock() - LEASE, DIED)
        if found:
            get_logger().warning("uploads died", batches=found)
        return 2.0


class UploadSession:
    """One upload in flight; at most one chunk of it is in memory."""

    def __init__(self, intake: Intake, upload: Upload, reader: Reader, charge: Charge | None) -> None:
        self._intake = intake
        self._charge = charge
        self._upload = upload
        self._reader = reader
        self._came_bytes = 0
        self._chunk: list[RawRow] = []
        self._held_bytes = 0
        self._batch: _Batch | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def account(self) -> dict[str, object]:
        """What the log line says of the rows."""
        if self._batch is None:
            return {"batch": None, "rows": 0, "refused": 0}
        lease, stored = self._batch.lease, self._batch.stored
        return {"batch": str(lease.batch_id), "rows": stored.received, "refused": self._batch.chunker.checks.refused}

    async def read(self, block: bytes | None) -> None:
        """Hold the rows that a block completes (None: the end), and go through the steps whenever there are enough."""
        self._came_bytes += len(block or b"")
        # A row may have begun in any block before.
        for raw in await self._intake.compute(self._came_bytes, partial(rows_of, self._reader, block)):
            self._chunk.append(raw)
            sent = raw[1].sent or {} if isinstance(raw[1], Refusal) else raw[1]
            self._held_bytes += sum(map(len, sent.values()))
            if len(self._chunk) >= self._intake.chunk_rows or self._held_bytes >= self._intake.chunk_bytes:
                await self._flush(is_last=False)

    async def _flush(self, *, is_last: bool) -> None:
        """Steps 0 to 2 for the rows held, and 3 with the last. Nothing more is read before they are done."""
        raws, self._chunk, self._held_bytes = self._chunk, [], 0
        if self._charge is not None:
            await self._charge(len(raws))
        # All of a batch takes one lane, so that its rows are decided in their order: its first chunk tells which.
        batch = self._batch = self._batch or await self._acquire(raws, bulk=not is_last)
        batch.unproven += [raw for raw in raws if batch.repeat.is_new(raw)]
        # Rows that an earlier upload may have published go out once all of them are seen to be the same: one chunk.
        if batch.unproven and batch.repeat.is_same:
            new, batch.unproven = batch.unproven, []
            if batch.lost:
                raise ConflictError(_TAKEN_OVER)
            now, progress = self._intake.clock(), batch.repeat.progress
            chunk = await self._intake.compute(
                self._came_bytes, lambda: self._chunked(batch, new, now, progress, is_last=is_last)
            )
            is_hopeless = batch.chunker.checks.is_hopeless
            accepted_at = now if is_last and not is_hopeless else None
            if not await _patiently(lambda: self._put(batch, chunk, progress, accepted_at)):
                raise ConflictError(_TAKEN_OVER)
            if accepted_at is not None and batch.lease.begins and not batch.stored.received:
                batch.as_sent = Batch.as_sent(batch.lease, self._upload, chunk.rows, accepted_at)
            batch.stored, batch.is_accepted = progress, accepted_at is not None
            if is_hopeless:
                raise InvalidRequestError(_HOPELESS)

    async def _acquire(self, first: Sequence[RawRow], *, bulk: bool) -> "_Batch":
        upload, intake = self._upload, self._intake
        key = upload.idempotency_key
        batch_id = intake.new_id() if key is None else intake.ids.batch_id(upload.issuer_id, key)
        token, now = intake.new_id(), intake.clock()
        begun = first_progress(upload.fingerprint_key, first)
        lease = await _patiently(lambda: intake.batches.acquire(batch_id, upload, token, now, now - LEASE, first=begun))
        failpoint("evidence.ingestion.0")
        if not lease.accepted:
            self._renewal = asyncio.create_task(self._renew_lease())
        chunker = Chunker(
            upload, batch_id, intake.ids, intake.proofs, intake.contact_policy, bulk=bulk, local=intake.local
        )
        return _Batch(
            lease, Repeat(lease, upload.fingerprint_key), chunker, lease.progress, lease.announced, lease.accepted
        )

    async def _renew_lease(self) -> None:
        """Renew the lease while the upload goes on, also while a chunk waits for Kafka."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            batch = self._batch
            try:
                if batch and not await self._intake.batches.renew(batch.lease, self._intake.clock()):
                    batch.lost = True
                    return
            except PyMongoError as away:
                get_logger().warning("lease not renewed", problem=type(away).__name__)

    def end(self) -> None:
        """The upload is over, however it ended."""
        if self._renewal is not None:
            self._renewal.cancel()

    def _chunked(
        self, batch: "_Batch", raws: Sequence[RawRow], now: datetime, progress: Progress, *, is_last: bool
    ) -> Chunk:
        chunk = batch.chunker.chunk(raws, now)
        accepted = is_last and not batch.chunker.checks.is_hopeless
        chunk.stored = self._intake.sealing.seal(self._stored(batch, chunk.rows, progress), now, accepted=accepted)
        return chunk

    def _stored(self, batch: "_Batch", rows: Sequence[NewRow], progress: Progress) -> StoredRows:
        upload, lease = self._upload, batch.lease
        header = Header(lease.batch_id, upload.issuer_id, upload.source, upload.format, lease.created_at)
        return StoredRows(header, tuple(rows), progress)

    async def _put(self, batch: "_Batch", chunk: Chunk, progress: Progress, accepted_at: datetime | None) -> bool:
        """Steps 1 to 3; False where the batch is another upload's by now."""
        lease, intake = batch.lease, self._intake
        if progress.fingerprint and progress != batch.announced:
            if not await intake.batches.announce(lease, progress):
                return False
            batch.announced = progress
        # Confirmed before the submissions, so that no credential can be ready before its learner can be told.
        contacts = await self._publish_contacts(chunk)
        failpoint("evidence.ingestion.1.contacts")
        if chunk.submissions:
            # Side by side: none needs the other, and both must be done before the rows count.
            await asyncio.gather(
                self._publish(chunk, "submissions", chunk.submissions, chunk.bodies),
                intake.batches.sent.keep(chunk.submissions, chunk.packed, contacts),
            )
        failpoint("evidence.ingestion.1")
        # Confirmed before the rows count: of what was acknowledged nothing is in the database alone.
        stored = partial(self._publish, chunk, "stored", chunk.stored)
        issuer_id = self._upload.issuer_id
        ours = await intake.batches.store(lease, issuer_id, chunk.rows, progress, accepted_at, beside=stored)
        failpoint("evidence.ingestion.2")
        return ours

    async def _publish_contacts(self, chunk: Chunk) -> SealedContacts | None:
        """Publish the contacts of a chunk; return them as they are kept, None where there are none."""
        if not chunk.contacts:
            return None
        contacts, first = list(chunk.contacts.values()), chunk.submissions[0].submission_id
        # The topic that was there before, for of a later one nothing would tell that they are not on it.
        chunk.contacts_topic = chunk.contacts_topic or await self._intake.contacts_topic()
        sealed = self._intake.contact_sealing.seal(first, self._upload.issuer_id, contacts)
        await self._publish(chunk, "contacts", contacts)
        return SealedContacts(chunk.contacts_topic, sealed)

    async def _publish(
        self, chunk: Chunk, kind: str, events: Sequence[Event], bodies: Sequence[bytes | None] = ()
    ) -> None:
        """Publish these events of a chunk, confirmed; not anew where that was done and another step is done again."""
        if kind not in chunk.confirmed:
            written = zip_longest(events, bodies)
            await self._intake.publish([Outgoing(each, self._upload.trace, body) for each, body in written])
            chunk.confirmed.add(kind)

    async def accept(self) -> Batch | UUID:
        """Step 3: everything is there; return the batch where all of it is known here, else its id."""
        if self._chunk:
            await self._flush(is_last=True)
        batch = self._batch
        if batch is None:
            raise InvalidRequestError("There are no rows of data in the file.")
        batch.repeat.check_same()
        self.end()
        if not batch.is_accepted:
            now, progress = self._intake.clock(), batch.repeat.progress
            stored = self._intake.sealing.seal(self._stored(batch, (), progress), now, accepted=True)
            await _patiently(lambda: self._intake.publish([Outgoing(each, self._upload.trace) for each in stored]))
            if not await _patiently(lambda: self._intake.batches.accept(batch.lease, progress, now)):
                raise ConflictError(_TAKEN_OVER)
        failpoint("evidence.ingestion.3")
        return batch.as_sent or batch.lease.batch_id

    async def give_up(self, error: BowerbirdError) -> None:
        """Mark the batch, if it was begun, and tell the sender of it. If that fails as well, its lease runs out."""
        if self._batch is None or self._batch.is_accepted:
            return
        lease, stored = self._batch.lease, self._batch.stored
        message = str(error)
        error.args = (f"{message} Batch {lease.batch_id} holds {stored.received} rows; it is not accepted.",)
        try:
            await self._intake.batches.interrupt(lease, stored, message)
        except PyMongoError as away:
            get_logger().warning("interruption not recorded", problem=type(away).__name__)


@dataclass(slots=True)
class _Batch:
    """The batch in flight: `stored` is how far it is proven, `announced` how far rows may be on Kafka.

    `lost` says that another upload has taken it over; `unproven` are rows not yet compared with what an earlier upload
    may have published; `as_sent` is the batch as it was accepted, where this upload began it and it was one chunk.
    """

    lease: UploadLease
    repeat: Repeat
    chunker: Chunker
    stored: Progress
    announced: Progress
    is_accepted: bool
    lost: bool = False
    unproven: list[RawRow] = field(default_factory=list)
    as_sent: Batch | None = None


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do idempotent `work`, again and again while Kafka or MongoDB is unavailable, for the time that a chunk may take.

    Raises:
        UnavailableError: they were unavailable for all of that time.
    """
    pause = _FIRST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(_CHUNK_SECONDS):
            while True:
                try:
                    return await work()
                except PyMongoError as error:
                    if is_permanent(error):
                        raise
                except KafkaError as error:
                    if not is_transient(error):
                        raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        raise UnavailableError("Kafka or the database was unavailable for too long; send the file again.") from None
