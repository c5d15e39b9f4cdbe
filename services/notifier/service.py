"""Puts the notifier service together: its routes, consumers and loops."""

import os
import random
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from libs.access import organisations as organisation_store
from libs.access.api_keys import ApiKeys
from libs.access.audit_api import audit_routes
from libs.access.catching_up import CatchingUp
from libs.access.key_use import KeyUse
from libs.access.organisations import OrganisationStore
from libs.access.repository import KeyRepository
from libs.access.signatures import GrantKeys
from libs.access.worker import AccessWorker
from libs.common.canary import Stage
from libs.common.clock import now
from libs.common.fence import Fence
from libs.common.group_progress import GroupProgress
from libs.common.mongo import Database
from libs.common.retention import Kept, Retention
from libs.common.runtime import Plumbing
from libs.common.set_back import StoreMoments
from libs.common.telemetry import get_logger
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    ApiKeyGranted,
    ApiKeyWithdrawn,
    CanaryDecided,
    CredentialRevoked,
    CredentialTakenDown,
    EvidenceDecided,
    LearnerContact,
    LearnerContactEnded,
    LearnerErased,
)
from libs.contracts.rights import CONTACTS_GROUP
from services.notifier.catalogue.repository import Catalogue
from services.notifier.catalogue.worker import FACTS, CatalogueWorker
from services.notifier.channels.email.drawing import picture_workers
from services.notifier.channels.email.message import EmailRenderer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.email.smtp import Relay, SmtpPool
from services.notifier.contacts import erasures as erasure_store
from services.notifier.contacts import repository as contact_store
from services.notifier.contacts.api import contact_routes
from services.notifier.contacts.erasing import Erasing
from services.notifier.contacts.erasures import Erasures
from services.notifier.contacts.repository import Contacts
from services.notifier.contacts.worker import ContactEvent, ContactWorker
from services.notifier.deliveries import metrics
from services.notifier.deliveries import repository as delivery_store
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.allowances import Allowances
from services.notifier.deliveries.api import routes
from services.notifier.deliveries.buckets import Rate
from services.notifier.deliveries.contact_life import ContactLife, Publish
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.preparation import Preparation
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.resending import Resending
from services.notifier.deliveries.schedule import RetryPolicy
from services.notifier.deliveries.sender import Sender, SenderSettings
from services.notifier.deliveries.state_writer import StateWriter
from services.notifier.deliveries.worker import DeliveryWorker
from services.notifier.mail_domains.repository import MailDomains
from services.notifier.mail_domains.rules import MailDomainRules
from services.notifier.settings import ServiceSettings

INDEXES = (
    *delivery_store.INDEXES,
    *contact_store.INDEXES,
    *erasure_store.INDEXES,
    *organisation_store.INDEXES,
)

_MEASURE_SECONDS = 10.0
_CLEANUP_SECONDS = 3600.0


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does."""
    plumbing.app.description = "Tells what became of the mails about credentials, and erases names and addresses."
    contacts, catalogue = Contacts(plumbing.database), Catalogue(plumbing.database)
    erasures = Erasures(plumbing.database)
    deliveries, mail_domains = Deliveries(plumbing.database), MailDomains(plumbing.database)
    activation, organisations = Activation(contacts, deliveries), OrganisationStore(plumbing.database)
    domains = Domains(plumbing.database, Rate(settings.domain_rate, settings.domain_burst))
    allowances = Allowances(
        plumbing.database,
        recipient=Rate(settings.recipient_mails_per_day / 86_400, settings.recipient_mails_at_once),
        issuer=Rate(settings.issuer_mails_per_hour / 3600, settings.issuer_mails_at_once),
    )
    pool = SmtpPool(_relay(settings), settings.sender_address)
    plumbing.reload("authorities-of-the-mail-server", pool.trust_anew)
    preparation = Preparation(
        deliveries=deliveries,
        contacts=contacts,
        activation=activation,
        catalogue=catalogue,
        mail_domains=mail_domains,
        domains=domains,
        allowances=allowances,
        public_base=settings.public_base,
        clock=_now,
        new_id=uuid4,
    )
    drawing = picture_workers()
    plumbing.repeat("picture-workers", drawing.maintain)
    plumbing.at_stop(drawing.close)
    sender = Sender(
        _sender_settings(settings),
        deliveries=deliveries,
        preparation=preparation,
        domains=domains,
        state_writer=StateWriter(deliveries),
        activation=activation,
        server=pool,
        renderer=EmailRenderer(settings.sender_address),
        pictures=Pictures(drawing),
        clock=_now,
        draw=random.random,
    )
    moments = StoreMoments(
        plumbing.kafka,
        plumbing.positions,
        plumbing.fence,
        plumbing.service,
        # The broker without idempotence is the one in memory (Tansu), whose compacted topics lose the last record too.
        is_kept=settings.kafka_idempotence,
    )
    hold = partial(_hold, plumbing.fence, moments, deliveries)
    plumbing.preparation.add("holding mails that may have been sent", hold)
    plumbing.repeat("store-moments", moments.publish)
    plumbing.at_stop(moments.close)
    _consume(
        plumbing,
        CatalogueWorker(catalogue, organisations, MailDomainRules(mail_domains, deliveries, _now)),
        ContactWorker(contacts, erasures, activation, _now),
        DeliveryWorker(deliveries, activation, plumbing.ids, _now, plumbing.fence.doubted_until),
    )
    plumbing.repeat("sender", sender.tick)
    plumbing.repeat("leases", sender.renew)
    _maintain(plumbing, settings, deliveries, domains, allowances)
    plumbing.at_stop(sender.finish)
    plumbing.at_stop(pool.close)
    access = KeyRepository(plumbing.database)
    use = KeyUse(plumbing.service, plumbing.kafka.publish)
    keys = ApiKeys(access, tree=organisations, used=use.note)
    keys.count_known(plumbing.app)
    grant_keys = GrantKeys.load(settings.grant_keys_file)
    plumbing.reload("grant-keys", lambda: grant_keys.renew(settings.grant_keys_file))
    _consume_access(plumbing, keys, AccessWorker(access, grant_keys))
    plumbing.repeat("key-use", use.publish)
    plumbing.app.include_router(audit_routes(plumbing.service, keys, plumbing.audit))
    resending = Resending(deliveries, contacts, plumbing.audit, _now)
    plumbing.app.include_router(routes(deliveries, resending, keys, plumbing.ids, _now))
    read = GroupProgress(plumbing.kafka, CONTACTS_GROUP, topics.LEARNER_CONTACTS)
    erasing = Erasing(contacts, erasures, plumbing.audit, plumbing.kafka.publish, all_read=read.catch_up, clock=now)
    plumbing.app.include_router(contact_routes(erasing, keys, plumbing.ids))


async def _hold(fence: Fence, moments: StoreMoments, deliveries: Deliveries) -> None:
    """Where the database was set back, hold whatever it says is not sent yet, before anything is sent."""
    mailed_about = {"decisions": topics.EVIDENCE_DECIDED, "lifecycle": topics.CREDENTIAL_LIFECYCLE}
    noted = await fence.noted()
    if noted and await moments.lost_offsets(mailed_about):
        # Decisions that were mailed may be gone from both stores, with their evidence. They are made anew, also of what
        # schools send again, which nothing tells from what is new: an operator says when that is done.
        await fence.doubt()
    if await moments.tells_of_set_back(mailed_about) or noted:
        held = await deliveries.hold_open(_now())
        get_logger().error("the database was set back; see `bowerbird deliveries list`", held=held)
        await fence.forget_note()


def _consume_access(plumbing: Plumbing, keys: ApiKeys, worker: AccessWorker) -> None:
    catching_up = CatchingUp(plumbing.kafka, plumbing.positions, f"{plumbing.service}-access", worker)
    plumbing.preparation.add("reading API keys", catching_up.run)
    keys.wait_until(lambda: catching_up.done)
    contracts: list[type[ApiKeyGranted | ApiKeyWithdrawn]] = [ApiKeyGranted, ApiKeyWithdrawn]
    plumbing.consume(name="access", topics=[topics.ACCESS_KEYS], contracts=contracts, handle=worker.keys)


def _consume(
    plumbing: Plumbing, catalogue: CatalogueWorker, contacts: ContactWorker, deliveries: DeliveryWorker
) -> None:
    plumbing.consume(
        name="catalogue",
        topics=[topics.CATALOGUE, topics.ISSUER_SETTINGS],
        contracts=FACTS,
        handle=catalogue.handle,
    )
    given: list[type[ContactEvent]] = [LearnerContact, LearnerContactEnded, LearnerErased]
    plumbing.consume(
        name="contacts",
        topics=[topics.LEARNER_CONTACTS],
        contracts=given,
        handle=contacts.handle,
        tombstones=True,
    )
    plumbing.consume(
        name="decisions",
        topics=[topics.EVIDENCE_DECIDED],
        contracts=[EvidenceDecided],
        handle=deliveries.decided,
        canary=Stage("notified", CanaryDecided),
    )
    closed: list[type[CredentialRevoked | CredentialTakenDown]] = [CredentialRevoked, CredentialTakenDown]
    plumbing.consume(name="lifecycle", topics=[topics.CREDENTIAL_LIFECYCLE], contracts=closed, handle=deliveries.closed)


def _maintain(
    plumbing: Plumbing,
    settings: ServiceSettings,
    deliveries: Deliveries,
    domains: Domains,
    allowances: Allowances,
) -> None:
    async def measure() -> float:
        now = _now()
        count, oldest = await deliveries.backlog(now)
        metrics.DUE.set(count)
        metrics.HELD.set(await deliveries.count_held())
        metrics.OLDEST_DUE_SECONDS.set(0 if oldest is None else (now - oldest).total_seconds())
        return _MEASURE_SECONDS

    async def delete_idle() -> float:
        await domains.delete_idle(_now().timestamp())
        await allowances.delete_idle(_now().timestamp())
        return _CLEANUP_SECONDS

    plumbing.repeat("backlog", measure)
    plumbing.repeat("idle-domains", delete_idle)
    lives = kept(plumbing.database, settings, plumbing.kafka.publish)
    plumbing.repeat("retention", Retention(lives, _now, enforced=settings.retention_enforced).tick)


async def _nothing_to_publish(_outgoing: Sequence[Outgoing]) -> None:
    raise AssertionError("who only looks at what is kept ends nothing")


def kept(database: Database, settings: ServiceSettings, publish: Publish = _nothing_to_publish) -> list[Kept]:
    """Return what this service keeps for a stated life. To end contacts, it is told how to publish."""
    deliveries, contacts = Deliveries(database), Contacts(database)
    life, contacts_life = timedelta(days=settings.deliveries_days), timedelta(days=settings.contacts_days)
    end = ContactLife(contacts, deliveries, publish, now).end
    return [
        Kept("deliveries", life, deliveries.oldest_ended, deliveries.ended, deliveries.remove_ended),
        Kept("contacts", contacts_life, contacts.oldest, contacts.count_unused, end),
    ]


def _relay(settings: ServiceSettings) -> Relay:
    password = settings.smtp_password
    return Relay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        ca_file=settings.smtp_ca_file,
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
        connect_seconds=settings.smtp_connect_seconds,
        command_seconds=settings.smtp_command_seconds,
        accept_seconds=settings.smtp_accept_seconds,
        mails_per_connection=settings.smtp_mails_per_connection,
    )


def _sender_settings(settings: ServiceSettings) -> SenderSettings:
    return SenderSettings(
        owner=f"{socket.gethostname()}/{os.getpid()}",
        connections=settings.smtp_connections,
        lease=timedelta(seconds=settings.lease_seconds),
        retry=RetryPolicy(
            refused_first=timedelta(seconds=settings.retry_first_seconds),
            lost_first=timedelta(seconds=settings.retry_lost_seconds),
            longest=timedelta(seconds=settings.retry_longest_seconds),
            give_up_after=timedelta(seconds=settings.give_up_after_seconds),
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)
