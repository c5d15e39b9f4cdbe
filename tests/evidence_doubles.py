"""Doubles of the evidence service: its repository in memory, and an application without sockets."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import FastAPI

from libs.access.api_keys import ApiKeys, Caller
from libs.audit.entry import AuditWriter
from libs.common.contact_details import ContactPolicy
from libs.common.errors import ConflictError, NotFoundError, OtherTenantError, UnavailableError
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.workers.jobs import Runner
from libs.common.workers.threads import Threads
from libs.contracts.cloudevents import Outgoing, body_of
from libs.contracts.events import (
    EvidenceDecided,
    EvidenceSubmitted,
    LearnerContact,
    OrganisationPublished,
    Outcome,
)
from services.evidence.batches.api import batch_routes, upload_routes
from services.evidence.batches.awards_api import award_routes
from services.evidence.batches.batch import (
    Batch,
    BatchState,
    FailedRow,
    NewRow,
    Progress,
    Row,
    Tally,
    Upload,
    UploadLease,
)
from services.evidence.batches.body import Limits
from services.evidence.batches.closed_organisations import ClosedOrganisations
from services.evidence.batches.contact_sealing import ContactSealing, SealedContacts
from services.evidence.batches.failed_rows import FailedRows
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.list_api import batch_list_routes
from services.evidence.batches.listing import BatchLists, BatchPlace, ListedBatch, SoughtBatches
from services.evidence.batches.originals import OriginalSealing
from services.evidence.batches.quotas import DailyLimits, Quotas
from services.evidence.batches.repository import Batches
from services.evidence.batches.sealing import BatchSealing
from services.evidence.batches.submissions import SentSubmissions, packed
from services.evidence.batches.whole_files import WholeFiles
from tests.ids import IDS, SECRET, SUPERSEDING_PROOFS
from tests.issuer_doubles import MemoryAudit
from tests.keys_in_memory import MemoryKeys

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BATCH_SEALING = BatchSealing(SECRET.key)
CONTACT_SEALING = ContactSealing(SECRET.key)
ORIGINALS = OriginalSealing(SECRET.key)
CONTACTS_TOPIC = "the topic of contacts"
LIMITS = Limits(sent_bytes=100_000, plain_bytes=200_000, idle_seconds=0.3, total_seconds=5)


async def contacts_topic() -> str:
    """Return the id of the topic that contacts are published on."""
    return CONTACTS_TOPIC


class MemorySubmissions(SentSubmissions):
    """What was published and is kept, by the id of its first row."""

    def __init__(self) -> None:
        self.kept: dict[UUID, list[EvidenceSubmitted]] = {}
        self.sealed: dict[UUID, SealedContacts | None] = {}

    async def keep(
        self, submissions: Sequence[EvidenceSubmitted], value: bytes, contacts: SealedContacts | None = None
    ) -> None:
        assert value == packed(list(map(body_of, submissions)))
        self.kept[submissions[0].submission_id] = list(submissions)
        self.sealed[submissions[0].submission_id] = contacts


class MemoryFailedRows(FailedRows):
    """Rows that were refused, out of the same dicts as the batches."""

    def __init__(self, rows_of: dict[UUID, dict[str, Any]]) -> None:
        self._rows_of = rows_of

    async def page(self, batch_id: UUID, issuer_id: str, *, after: int, limit: int) -> list[FailedRow]:
        mine = [
            each for each in self._rows_of.values() if (each["batch_id"], each["issuer_id"]) == (batch_id, issuer_id)
        ]
        failed = [
            FailedRow(each["row"], (each["new"].original if "new" in each else None) or {})
            for each in mine
            if each["row"].state == Outcome.REFUSED and each["row"].row > after
        ]
        return sorted(failed, key=lambda each: each.row.row)[:limit]


class MemoryBatchLists(BatchLists):
    """The same over the batches of `MemoryBatches`."""

    def __init__(self, batches: dict[UUID, dict[str, Any]]) -> None:
        self.batches = batches

    async def page(
        self, issuer_id: str, sought: SoughtBatches, after: BatchPlace | None, limit: int
    ) -> list[ListedBatch]:
        found = []
        for batch_id, each in self.batches.items():
            said: Upload = each["said"]
            place = BatchPlace(each["created_at"], batch_id)
            fits = sought.state in {None, each["state"]} and sought.source in {None, said.source}
            if said.issuer_id == issuer_id and fits and (after is None or place < after):
                begun = (each["state"], said.source, said.format, each["progress"].received, each.get("problem"))
                found.append(ListedBatch(batch_id, *begun, each["created_at"], None))
        return sorted(found, key=lambda each: (each.created_at, each.batch_id), reverse=True)[:limit]


class MemoryBatches(Batches):
    """The repository's promises over dicts; the same tests run against the real one."""

    def __init__(self) -> None:
        self.batches: dict[UUID, dict[str, Any]] = {}
        self.rows_of: dict[UUID, dict[str, Any]] = {}
        self.sent = MemorySubmissions()
        self.failed = MemoryFailedRows(self.rows_of)
        self.lists = MemoryBatchLists(self.batches)

    async def acquire(
        self, batch_id: UUID, upload: Upload, token: UUID, now: datetime, stale_before: datetime, *, first: Progress
    ) -> UploadLease:
        found = self.batches.get(batch_id)
        if found is None:
            found = {
                "upload": None,
                "said": upload,
                "state": BatchState.INTERRUPTED,
                "progress": Progress(),
                "announced": first,
            }
            found |= {"created_at": now, "alive_at": now}
        begins = batch_id not in self.batches
        self.batches[batch_id] = found
        said: Upload = found["said"]
        if (said.issuer_id, said.source, said.format) != (upload.issuer_id, upload.source, upload.format):
            raise ConflictError("another source or format")
        if found["state"] is BatchState.RECEIVING and found["alive_at"] >= stale_before:
            raise UnavailableError("being received")
        if found["state"] is not BatchState.ACCEPTED:
            found |= {"state": BatchState.RECEIVING, "upload": token, "alive_at": now, "problem": None}
        return UploadLease(
            batch_id,
            token,
            found["created_at"],
            found["progress"],
            found["announced"],
            found["state"] is BatchState.ACCEPTED,
            begins=begins,
        )

    def _held(self, lease: UploadLease) -> dict[str, Any]:
        found = self.batches[lease.batch_id]
        return found if found["upload"] == lease.upload else {}

    async def renew(self, lease: UploadLease, now: datetime) -> bool:
        held = self._held(lease)
        if held.get("state") is BatchState.ACCEPTED:
            return False
        if held:
            held |= {"state": BatchState.RECEIVING, "alive_at": now}
        return bool(held)

    async def announce(self, lease: UploadLease, progress: Progress) -> bool:
        held = self._held(lease)
        if held.get("state") is BatchState.RECEIVING:
            held["announced"] = progress
        return held.get("state") is BatchState.RECEIVING

    async def accept(self, lease: UploadLease, progress: Progress, now: datetime) -> bool:
        held = self._held(lease)
        if held:
            held |= {"state": BatchState.ACCEPTED, "accepted_at": now, "progress": progress}
        return bool(held)

    async def interrupt(self, lease: UploadLease, progress: Progress, problem: str) -> None:
        held = self._held(lease)
        if held.get("state") is BatchState.RECEIVING:
            held |= {"state": BatchState.INTERRUPTED, "problem": problem, "upload": None, "progress": progress}

    async def interrupt_stale(self, alive_before: datetime, problem: str) -> int:
        stale = [
            each
            for each in self.batches.values()
            if each["state"] is BatchState.RECEIVING and each["alive_at"] < alive_before
        ]
        for each in stale:
            each |= {"state": BatchState.INTERRUPTED, "problem": problem}
        return len(stale)

    async def store(
        self,
        lease: UploadLease,
        issuer_id: str,
        rows: Sequence[NewRow],
        progress: Progress,
        accepted_at: datetime | None = None,
        *,
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        if beside is not None:
            await beside()
        for row in rows:
            new = {"batch_id": lease.batch_id, "issuer_id": issuer_id, "new": row, "row": _row(row)}
            self.rows_of.setdefault(row.submission_id, new)
        if accepted_at is not None:
            return await self.accept(lease, progress, accepted_at)
        held = self._held(lease)
        if held.get("state") is BatchState.RECEIVING:
            held["progress"] = progress
        return held.get("state") is BatchState.RECEIVING

    async def decide(self, decisions: Sequence[EvidenceDecided]) -> None:
        for each in decisions:
            found = self.rows_of.get(each.submission_id)
            if found is None or found.get("sequence", 0) < each.sequence:
                row = Row(each.row, each.source_id, each.outcome.value, None, each.reason, each.detail)
                row = row if found is None else replace(row, warnings=found["row"].warnings)
                decided = {"batch_id": each.batch_id, "issuer_id": each.issuer_id, "row": row}
                self.rows_of[each.submission_id] = {**(found or {}), **decided, "sequence": each.sequence}

    async def batch(self, batch_id: UUID, issuer_id: str) -> Batch:
        await self.format(batch_id, issuer_id)
        found = self.batches[batch_id]
        rows = [each["row"] for each in self.rows_of.values() if each["batch_id"] == batch_id]
        counts: dict[tuple[str, str], int] = {}
        for row in rows:
            counts[row.state, row.reason or ""] = counts.get((row.state, row.reason or ""), 0) + 1
        said: Upload = found["said"]
        return Batch(
            batch_id, found["state"], said.source, said.format, found["created_at"], found.get("accepted_at"),
            found.get("problem"), Tally(counts), _warned(rows),
        )  # fmt: skip

    async def format(self, batch_id: UUID, issuer_id: str) -> str:
        found = self.batches.get(batch_id)
        if found is None:
            raise NotFoundError.for_caller("no batch")
        said: Upload = found["said"]
        if said.issuer_id != issuer_id:
            raise OtherTenantError.for_caller("no batch")
        return said.format

    async def rows(
        self, batch_id: UUID, issuer_id: str, *, state: str | None, after: tuple[str, int], limit: int
    ) -> list[Row]:
        def order(row: Row) -> tuple[str, int]:
            return ("" if state is None else row.reason or "", row.row)

        mine = [each["row"] for each in self.rows_of.values() if each["batch_id"] == batch_id]
        return sorted((r for r in mine if state in {None, r.state} and order(r) > after), key=order)[:limit]

    async def warned_rows(self, batch_id: UUID, issuer_id: str, *, after: int, limit: int) -> list[Row]:
        rows = await self.rows(batch_id, issuer_id, state=None, after=("", after), limit=len(self.rows_of))
        return [row for row in rows if row.warnings][:limit]


def _row(new: NewRow) -> Row:
    said = (new.row, new.source_id, new.state, new.column, new.reason, new.detail)
    return Row(*said, warnings=new.warnings, also=new.also)


def _warned(rows: Sequence[Row]) -> dict[str, int]:
    return dict(Counter(reason for row in rows for reason in {each.reason for each in row.warnings}))


class Published:
    """Remembers what was published, and fails as it is told."""

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []
        self.before: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, outgoing: Sequence[Outgoing]) -> None:
        if self.before is not None:
            await self.before()
        self.outgoing += outgoing

    @property
    def submissions(self) -> list[EvidenceSubmitted]:
        return [each.event for each in self.outgoing if isinstance(each.event, EvidenceSubmitted)]

    @property
    def contacts(self) -> list[LearnerContact]:
        return [each.event for each in self.outgoing if isinstance(each.event, LearnerContact)]


class AnyKey(ApiKeys):
    """Knows a caller by the text of the bearer token: ISSUER, ISSUER-read, or ISSUER-award, which awards by hand."""

    def __init__(self) -> None:
        super().__init__(MemoryKeys())

    async def caller(self, key: str) -> Caller:
        issuer_id, _, only = key.partition("-")
        scopes = {f"evidence:{only}"} if only else {"evidence:read", "evidence:write"}
        scopes = {"credentials:award"} if only == "award" else scopes
        return Caller(issuer_id, frozenset(scopes))


class Taken:
    """The collection of daily quotas in memory."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    async def find_one_and_update(
        self, query: dict[str, str], update: list[dict[str, Any]], **_: object
    ) -> dict[str, Any]:
        [stage] = update
        found = self.documents.setdefault(query["_id"], {**stage["$set"], "taken": 0})
        found["taken"] += stage["$set"]["taken"]["$add"][1]
        return dict(found)

    async def delete_many(self, query: dict[str, dict[str, str]]) -> None:
        before = query["day"]["$lt"]
        self.documents = {name: each for name, each in self.documents.items() if each["day"] >= before}


def quotas(limits: DailyLimits, taken: Taken | None = None, clock: Callable[[], datetime] = lambda: NOW) -> Quotas:
    """A process's quotas, over a collection that it may share with others."""
    database: Any = {"quotas": taken or Taken()}
    return Quotas(database, limits, clock)


async def no_organisation(_issuer_id: str) -> OrganisationPublished | None:
    return None


def evidence_app(
    batches: Batches,
    publish: Published,
    new_id: Callable[[], UUID],
    limits: Limits = LIMITS,
    *,
    longest_row: int = 1_000,
    chunk_rows: int = 3,
    uploads_per_issuer: int = 8,
    contact_policy: ContactPolicy = ContactPolicy.WARN,
    daily: DailyLimits | None = None,
    runner: Runner | None = None,
    newest_organisation: Callable[[str], Awaitable[OrganisationPublished | None]] = no_organisation,
    clock: Callable[[], datetime] = lambda: NOW,
    audit: AuditWriter | None = None,
) -> FastAPI:
    """The real routes over these."""
    intake = Intake(
        batches=batches,
        ids=IDS,
        publish=publish,
        clock=clock,
        new_id=new_id,
        sealing=BATCH_SEALING,
        contact_sealing=CONTACT_SEALING,
        contacts_topic=contacts_topic,
        proofs=SUPERSEDING_PROOFS,
        chunk_rows=chunk_rows,
        uploads_per_issuer=uploads_per_issuer,
        contact_policy=contact_policy,
    )
    app = create_app("evidence", Health())
    app.include_router(
        award_routes(
            intake,
            AnyKey(),
            audit or MemoryAudit(),
            limits,
            longest_row=longest_row,
            quotas=quotas(daily or DailyLimits()),
            closed=ClosedOrganisations(newest_organisation, clock),
        )
    )
    app.include_router(
        upload_routes(
            intake,
            AnyKey(),
            limits,
            longest_row=longest_row,
            quotas=quotas(daily or DailyLimits()),
            closed=ClosedOrganisations(newest_organisation, clock),
            whole_files=WholeFiles(
                runner or Threads(1, waiting=4, seconds=60), limits.sent_bytes, limits.plain_bytes, longest_row
            ),
        )
    )
    app.include_router(batch_routes(batches, AnyKey(), clock))
    app.include_router(batch_list_routes(batches.lists, AnyKey()))
    return app


def decided(
    submitted: EvidenceSubmitted, outcome: Outcome = Outcome.ISSUED, reason: str | None = None, sequence: int = 1
) -> EvidenceDecided:
    """The issuer's answer to a submission."""
    return EvidenceDecided(
        **submitted.model_dump(include={"submission_id", "evidence_id", "batch_id", "row", "issuer_id", "source_id"}),
        learner_id=submitted.learner_id,
        sequence=sequence,
        outcome=outcome,
        reason=reason,
        rule_version="d/resilience/1",
        decided_at=NOW,
    )
