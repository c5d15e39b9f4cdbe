"""Puts the evidence service together: its settings, routes, consumers and loops."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from pydantic import Field

from libs.access.api_keys import ApiKeys
from libs.access.audit_api import audit_routes
from libs.access.catching_up import CatchingUp
from libs.access.key_use import KeyUse
from libs.access.organisation_worker import OrganisationWorker
from libs.access.organisations import INDEXES as ORGANISATION_INDEXES
from libs.access.organisations import OrganisationStore
from libs.access.repository import KeyRepository
from libs.access.signatures import GrantKeys
from libs.access.worker import AccessWorker
from libs.common.authority_secret import AuthoritySettings
from libs.common.canary import Stage
from libs.common.clock import now
from libs.common.contact_details import ContactPolicy
from libs.common.mongo import Database, Index
from libs.common.retention import Kept, Retention
from libs.common.runtime import Plumbing
from libs.contracts import topics
from libs.contracts.events import (
    ApiKeyGranted,
    ApiKeyWithdrawn,
    BatchStored,
    CanaryDecided,
    EvidenceDecided,
    OrganisationPublished,
)
from libs.contracts.proofs import SUPERSEDING, Proofs
from services.evidence.batches.api import batch_routes, upload_routes
from services.evidence.batches.awards_api import award_routes
from services.evidence.batches.body import Limits
from services.evidence.batches.closed_organisations import ClosedOrganisations
from services.evidence.batches.contact_arrival import ContactArrival
from services.evidence.batches.contact_sealing import ContactSealing
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.list_api import batch_list_routes
from services.evidence.batches.originals import OriginalSealing
from services.evidence.batches.quotas import DailyLimits, Quotas
from services.evidence.batches.repository import INDEXES as BATCH_INDEXES
from services.evidence.batches.repository import Batches
from services.evidence.batches.sealing import BatchSealing
from services.evidence.batches.whole_files import WholeFiles, unpacking_workers
from services.evidence.batches.worker import Decisions, StoredBatches
from services.evidence.synthetic_learners import SyntheticLearners

INDEXES: Sequence[Index] = (*BATCH_INDEXES, *ORGANISATION_INDEXES)


class ServiceSettings(AuthoritySettings):
    """The settings of the evidence service."""

    upload_bytes: int = Field(default=1 << 30, ge=1, description="most bytes of one upload as sent")
    upload_plain_bytes: int = Field(default=1 << 31, ge=1, description="most bytes of one upload once unpacked")
    upload_workbook_bytes: int = Field(
        default=16 << 20,
        ge=1,
        le=1 << 30,
        description="most bytes of a workbook or ZIP archive, which are held whole",
    )
    upload_workbook_cpu_seconds: float = Field(
        default=120, gt=0, le=3_600, description="CPU time that opening a workbook or a ZIP archive may take"
    )
    upload_workbook_memory_bytes: int = Field(
        default=256 << 20, ge=1 << 20, description="memory that opening one may take, in a worker process"
    )
    upload_row_length: int = Field(
        default=65_536, ge=1_024, le=1_000_000, description="longest row of a file, in characters (JSON: bytes)"
    )
    upload_idle_seconds: float = Field(default=30, gt=0, le=100, description="longest silence within an upload")
    upload_seconds: float = Field(default=3_600, gt=0, description="longest time that one upload may take")
    upload_chunk_rows: int = Field(
        default=500, ge=1, le=5_000, description="rows that are published, confirmed and stored at once"
    )
    upload_chunk_bytes: int = Field(
        default=1 << 20, ge=65_536, le=1 << 26, description="text of such rows; they go out sooner where it is more"
    )
    uploads_per_issuer: int = Field(
        default=8, ge=1, le=1_000, description="most uploads of one issuer at the same time; one more is answered 429"
    )
    quota_rows_per_key: int = Field(
        default=5_000_000, ge=0, description="most rows of evidence that one API key may send in a day (UTC); 0: any"
    )
    quota_rows_per_issuer: int = Field(default=10_000_000, ge=0, description="with all keys of one issuer; 0: any")
    quota_bytes_per_key: int = Field(
        default=5 << 30, ge=0, description="most bytes, as sent, that one API key may send in a day; 0: any number"
    )
    quota_bytes_per_issuer: int = Field(default=10 << 30, ge=0, description="with all keys of one issuer; 0: any")
    contact_details: ContactPolicy = Field(
        default=ContactPolicy.WARN,
        description="what an e-mail address or telephone number in a text that becomes public, or in a learner's "
        "name, or a link that opens something in an activity, leads to: `warn` in the batch, or `refuse` the row",
    )
    evidence_texts_days: float = Field(
        default=400,
        ge=1,
        le=36_500,
        description="how long comments and names of assessors are kept beside a batch's rows, in days",
    )
    original_rows_days: float = Field(
        default=30,
        ge=1,
        le=36_500,
        description="how long rows are kept as they were sent, sealed, in days, and no longer than comments: for the "
        "file of the failed rows of a batch",
    )
    submissions_days: float = Field(
        default=14,
        ge=1,
        le=365,
        description="how long rows are kept as they were published, in days: for `bowerbird republish`, should Kafka "
        "lose them before they are decided",
    )
    uploads_days: float = Field(
        default=730,
        ge=30,
        le=36_500,
        description="how long batches and their rows are kept, in days, unless a row still waits; longer than topics "
        "keep decisions",
    )

    @property
    def daily_limits(self) -> DailyLimits:
        """What may be sent in a day."""
        return DailyLimits(
            self.quota_rows_per_key, self.quota_rows_per_issuer, self.quota_bytes_per_key, self.quota_bytes_per_issuer
        )


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does."""
    plumbing.app.description = "Takes evidence in, one piece or a file at a time, and tells what became of each row."
    batches = Batches(plumbing.database, OriginalSealing(plumbing.authority_key))
    sealing = BatchSealing(plumbing.authority_key)
    arrival = ContactArrival(plumbing.kafka, batches.sent, now)
    plumbing.repeat("contact-arrival", arrival.tick)
    intake = Intake(
        batches=batches,
        ids=plumbing.ids,
        publish=plumbing.kafka.publish,
        clock=now,
        new_id=uuid4,
        sealing=sealing,
        contact_sealing=ContactSealing(plumbing.authority_key),
        contacts_topic=arrival.topic,
        proofs=Proofs(plumbing.authority_key(SUPERSEDING)),
        chunk_rows=settings.upload_chunk_rows,
        chunk_bytes=settings.upload_chunk_bytes,
        uploads_per_issuer=settings.uploads_per_issuer,
        contact_policy=settings.contact_details,
        local=settings.local_only,
    )
    limits = Limits(
        sent_bytes=settings.upload_bytes,
        plain_bytes=settings.upload_plain_bytes,
        idle_seconds=settings.upload_idle_seconds,
        total_seconds=settings.upload_seconds,
    )
    access = KeyRepository(plumbing.database)
    use = KeyUse(plumbing.service, plumbing.kafka.publish)
    organisations = OrganisationStore(plumbing.database)
    keys = ApiKeys(access, tree=organisations, used=use.note)
    keys.count_known(plumbing.app)
    quotas = Quotas(plumbing.database, settings.daily_limits, now)
    plumbing.consume(
        name="catalogue",
        topics=[topics.CATALOGUE],
        contracts=[OrganisationPublished],
        handle=OrganisationWorker(organisations).handle,
    )
    closed = ClosedOrganisations(organisations.newest, now)
    plumbing.app.include_router(
        award_routes(
            intake,
            keys,
            plumbing.audit,
            limits,
            longest_row=settings.upload_row_length,
            quotas=quotas,
            closed=closed,
        )
    )
    plumbing.app.include_router(
        upload_routes(
            intake,
            keys,
            limits,
            longest_row=settings.upload_row_length,
            quotas=quotas,
            closed=closed,
            whole_files=_whole_files(plumbing, settings),
        )
    )
    plumbing.app.include_router(batch_routes(batches, keys, now))
    plumbing.app.include_router(batch_list_routes(batches.lists, keys))
    grant_keys = GrantKeys.load(settings.grant_keys_file)
    plumbing.reload("grant-keys", lambda: grant_keys.renew(settings.grant_keys_file))
    _consume_access(plumbing, keys, AccessWorker(access, grant_keys))
    plumbing.repeat("key-use", use.publish)
    plumbing.app.include_router(audit_routes(plumbing.service, keys, plumbing.audit))
    plumbing.consume(
        name="decisions",
        topics=[topics.EVIDENCE_DECIDED],
        contracts=[EvidenceDecided],
        handle=Decisions(batches).apply,
        canary=Stage("returned", CanaryDecided),
    )
    if settings.canary_seconds:
        synthetic = SyntheticLearners(plumbing.ids)
        plumbing.repeat("canary", plumbing.canary.sending(synthetic.submitted, plumbing.kafka.publish))
    plumbing.consume(
        name="batches",
        topics=[topics.EVIDENCE_BATCHES],
        contracts=[BatchStored],
        handle=StoredBatches(batches, sealing, now).apply,
    )
    plumbing.repeat("dead-uploads", intake.interrupt_expired)
    lives = kept(plumbing.database, settings)
    plumbing.repeat("retention", Retention(lives, now, enforced=settings.retention_enforced).tick)


def _whole_files(plumbing: Plumbing, settings: ServiceSettings) -> WholeFiles:
    workers = unpacking_workers(
        cpu_seconds=settings.upload_workbook_cpu_seconds, memory_bytes=settings.upload_workbook_memory_bytes
    )
    plumbing.at_stop(workers.close)
    return WholeFiles(
        workers, settings.upload_workbook_bytes, settings.upload_plain_bytes, longest_row=settings.upload_row_length
    )


def kept(database: Database, settings: ServiceSettings) -> list[Kept]:
    """Return what this service keeps for a stated life."""
    batches = Batches(database)
    texts, originals, uploads = batches.texts, batches.originals, batches.removal
    submissions_life = timedelta(days=settings.submissions_days)
    texts_life, uploads_life = timedelta(days=settings.evidence_texts_days), timedelta(days=settings.uploads_days)
    # Comments stand in them.
    originals_life = min(timedelta(days=settings.original_rows_days), texts_life)
    return [
        Kept("submissions", submissions_life, batches.sent.oldest, batches.sent.ended, batches.sent.remove),
        Kept("original_rows", originals_life, originals.oldest, originals.ended, originals.remove),
        Kept("evidence_texts", texts_life, texts.oldest, texts.ended, texts.remove),
        Kept("uploads", uploads_life, uploads.oldest, uploads.ended, uploads.remove),
    ]


def _consume_access(plumbing: Plumbing, keys: ApiKeys, worker: AccessWorker) -> None:
    catching_up = CatchingUp(plumbing.kafka, plumbing.positions, f"{plumbing.service}-access", worker)
    plumbing.preparation.add("reading API keys", catching_up.run)
    keys.wait_until(lambda: catching_up.done)
    contracts: list[type[ApiKeyGranted | ApiKeyWithdrawn]] = [ApiKeyGranted, ApiKeyWithdrawn]
    plumbing.consume(name="access", topics=[topics.ACCESS_KEYS], contracts=contracts, handle=worker.keys)
