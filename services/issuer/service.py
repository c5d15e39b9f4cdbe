"""Puts the issuer service together: its routes, consumers and loops."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from fastapi import Depends

from libs.access import organisations as organisation_store
from libs.access.api_keys import ApiKeys
from libs.access.audit_api import audit_routes
from libs.access.key_use import KeyUse
from libs.access.repository import KeyRepository
from libs.common.arrivals import Arrivals
from libs.common.clock import now
from libs.common.mongo import Database, Index
from libs.common.retention import Kept, Retention
from libs.common.runtime import Plumbing
from libs.contracts import topics
from services.issuer.access.wiring import add_access, known_administrators
from services.issuer.awards.api import credential_list_routes
from services.issuer.awards.listing import CredentialLists
from services.issuer.catalogue import names, publications
from services.issuer.catalogue import repository as catalogue
from services.issuer.catalogue.achievement_api import achievement_routes
from services.issuer.catalogue.achievement_list_api import OfferedAchievements, achievement_list_routes
from services.issuer.catalogue.achievements import Achievements
from services.issuer.catalogue.api import issuer_routes, profile_routes
from services.issuer.catalogue.authority import Authority, DidDocuments
from services.issuer.catalogue.issuers import Issuers
from services.issuer.catalogue.worker import FACTS, CatalogueWorker
from services.issuer.credentials import repository as credential_repository
from services.issuer.credentials import requests, waiting_commands
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.api import credential_routes
from services.issuer.credentials.closing import Closings
from services.issuer.credentials.commands import Commands
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.requests import ClosingRequests
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.credentials.wiring import add_closing
from services.issuer.credentials.worker import COMMANDS, Closing
from services.issuer.decisions import published as published_decisions
from services.issuer.decisions import repository as decision_repository
from services.issuer.decisions.holdings import ClosedHoldings, Sweeps
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.wiring import add_deciding, learner_proofs
from services.issuer.keys import repository as signing_key_store
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.api import signing_key_routes
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.lifecycle import KeyLifecycle
from services.issuer.keys.probe import KeyEncryptionProbe
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.mail_domains.api import mail_domain_routes
from services.issuer.mail_domains.repository import MailDomainRepository
from services.issuer.mail_domains.setting import MailDomains
from services.issuer.organisations.wiring import add_organisations
from services.issuer.recovery.wiring import add_recovery
from services.issuer.registry.publication import IssuerListPublication, read_list_key
from services.issuer.registry.repository import IssuerListRepository
from services.issuer.renewal.publication import Freshness
from services.issuer.settings import ServiceSettings
from services.issuer.status import repository as status_repository
from services.issuer.status.allocation import StatusEntryAllocation
from services.issuer.status.epoch import Epochs
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StatusListRepository
from services.issuer.status.signer import StatusListSigner
from services.issuer.urls import Urls

INDEXES: Sequence[Index] = (
    *decision_repository.INDEXES,
    *published_decisions.INDEXES,
    *credential_repository.INDEXES,
    *requests.INDEXES,
    *waiting_commands.INDEXES,
    *status_repository.INDEXES,
    *catalogue.INDEXES,
    *names.INDEXES,
    *publications.INDEXES,
    *organisation_store.INDEXES,
    *signing_key_store.INDEXES,
)


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does.

    Raises:
        SettingsError: the key-encryption key cannot be used.
    """
    plumbing.app.description = "Onboards issuers, publishes achievements, and reads and revokes credentials."
    database, publish = plumbing.database, plumbing.kafka.publish
    urls = Urls(settings.public_base)
    pseudonym = plumbing.ids.learner_pseudonym if settings.partners_link_learners else None
    sealing = RecordSealing(plumbing.authority_key)
    announcer = Announcer(urls, sealing, pseudonym)
    access = KeyRepository(database)
    use = KeyUse(plumbing.service, publish)
    administrators, noted = known_administrators(plumbing, settings)
    known = catalogue.Catalogue(database)
    keys = ApiKeys(access, administrators=administrators, tree=known.organisations, used=use.note)
    keys.count_known(plumbing.app)
    stored_keys = signing_key_store.SigningKeyRepository(plumbing.client, database, plumbing.fence)
    encryption = FileKeyEncryption.read(settings.kek_file, settings.other_kek_file)
    probe = KeyEncryptionProbe(database, stored_keys, encryption)
    plumbing.require(probe.require)
    copies = KeyCopies(stored_keys, encryption, publish=publish, clock=now)
    signing_keys = SigningKeys(stored_keys, encryption, copies)
    credentials = MongoCredentials(database)
    decisions = MongoDecisions(plumbing.client, database, credentials, plumbing.fence)
    published = MongoPublishedDecisions(database, decisions.recorded)
    arrivals = Arrivals()
    versions = publications.Publications(
        database, catalogue=known, audit=plumbing.audit, arrivals=arrivals, publish=publish, clock=now
    )
    authority = Authority(
        catalogue=known,
        publications=versions,
        signing_keys=signing_keys,
        keys=stored_keys,
        audit=plumbing.audit,
        urls=urls,
        clock=now,
    )
    lists = StatusListRepository(database)
    epochs = Epochs(database, lists, now)
    add_recovery(
        plumbing,
        probe=probe,
        keys=KeyAdoption(stored_keys, encryption, plumbing.audit),
        versions=versions,
        credentials=credentials,
        sealing=sealing,
        lists=lists,
        epochs=epochs,
        decisions=decisions,
        published=published,
    )
    publication = _add_status_lists(
        plumbing,
        settings,
        lists=lists,
        epochs=epochs,
        credentials=credentials,
        signer=StatusListSigner(authority, urls),
    )
    sweeps = add_deciding(
        plumbing,
        settings,
        keys=keys,
        decisions=decisions,
        published=published,
        credentials=credentials,
        known=known,
        signer=CredentialSigner(signing_keys, urls, plumbing.ids),
        entries=StatusEntryAllocation(lists, epochs, publication, now),
        lists=publication,
        announcer=announcer,
    )
    lives = kept(database, settings)
    plumbing.repeat("retention", Retention(lives, now, enforced=settings.retention_enforced).tick)
    closing = add_closing(
        plumbing,
        settings,
        credentials=credentials,
        remove_evidence_texts=decisions.remove_texts,
        lists=publication,
        announcer=announcer,
        stacked=ClosedHoldings(known, learner_proofs(plumbing)),
    )
    # Before the calls of one credential, whose path would take any word.
    plumbing.app.include_router(
        credential_list_routes(keys, CredentialLists(credentials, decisions, urls, plumbing.audit), plumbing.ids, urls)
    )
    _add_closing_calls(plumbing, closing, credentials=credentials, keys=keys, urls=urls)
    plumbing.repeat("key-use", use.publish)
    plumbing.app.include_router(audit_routes(plumbing.service, keys, plumbing.audit))
    add_access(plumbing, settings, keys=keys, access=access, known=known, noted=noted)
    changed = _add_issuer_list(plumbing, settings, known)
    issuers = Issuers(
        catalogue=known,
        publications=versions,
        signing_keys=signing_keys,
        keys=stored_keys,
        audit=plumbing.audit,
        names=names.IssuerNames(database, now),
        urls=urls,
        clock=now,
    )
    lifecycle = KeyLifecycle(
        issuers=DidDocuments(issuers, authority),
        signing_keys=signing_keys,
        copies=copies,
        repository=stored_keys,
        audit=plumbing.audit,
        clock=now,
    )
    plumbing.repeat("signing-keys", lifecycle.repair)
    plumbing.app.include_router(
        signing_key_routes(keys, lifecycle), dependencies=[Depends(plumbing.preparation.require_for_changes)]
    )
    add_organisations(plumbing, settings, keys=keys, access=access, known=known, versions=versions, issuers=issuers)
    _add_catalogue(
        plumbing,
        settings,
        urls,
        changed,
        sweeps=sweeps,
        keys=keys,
        known=known,
        versions=versions,
        issuers=issuers,
        arrivals=arrivals,
    )


def _add_status_lists(
    plumbing: Plumbing,
    settings: ServiceSettings,
    *,
    lists: StatusListRepository,
    epochs: Epochs,
    credentials: MongoCredentials,
    signer: StatusListSigner,
) -> StatusListPublication:
    """Register what publishes status lists and signs them again; return it."""
    publication = StatusListPublication(
        lists,
        epochs,
        revoked=credentials,
        signer=signer,
        audit=plumbing.audit,
        publish=plumbing.kafka.publish,
        clock=now,
        freshness=settings.freshness,
    )
    plumbing.repeat("status-lists", publication.tick)
    plumbing.repeat("status-list-renewal", publication.renew)
    return publication


def _add_closing_calls(
    plumbing: Plumbing, closing: Closing, *, credentials: MongoCredentials, keys: ApiKeys, urls: Urls
) -> None:
    """Revoking and taking down: the calls that ask for it, and the consumer that does it."""
    closed, made, asked = Arrivals(), Commands(plumbing.authority_key), ClosingRequests(plumbing.database)
    plumbing.consume(
        name="commands",
        topics=[topics.CREDENTIAL_COMMANDS],
        contracts=COMMANDS,
        handle=closed.after(made.ours_alone(closing.handle, asked.keep_missing)),
    )
    closings = Closings(
        credentials=credentials,
        requests=asked,
        commands=made,
        audit=plumbing.audit,
        arrivals=closed,
        publish=plumbing.kafka.publish,
        clock=now,
        new_id=uuid4,
    )
    plumbing.app.include_router(
        credential_routes(keys, closings, urls), dependencies=[Depends(plumbing.preparation.require_for_changes)]
    )


def kept(database: Database, settings: ServiceSettings) -> list[Kept]:
    """Return what this service keeps for a stated life."""
    notes = ClosingRequests(database)
    return [
        Kept("closing_notes", settings.notes_life, notes.oldest_note, notes.ended_notes, notes.remove_notes),
    ]


def _add_issuer_list(
    plumbing: Plumbing, settings: ServiceSettings, known: catalogue.Catalogue
) -> Callable[[], Awaitable[None]]:
    """Register what publishes the list of issuers, if it has a key; return what to await when issuers have changed.

    Raises:
        SettingsError: the key cannot be used.
    """
    lists = IssuerListRepository(plumbing.database)
    if settings.issuer_list_key_file is not None:
        publication = IssuerListPublication(
            lists,
            issuers=known,
            key=read_list_key(settings.issuer_list_key_file),
            name=urlsplit(settings.public_base).netloc,
            audit=plumbing.audit,
            publish=plumbing.kafka.publish,
            clock=now,
            freshness=Freshness(timedelta(seconds=settings.issuer_list_valid_seconds), timedelta()),
        )
        plumbing.repeat("issuer-list", publication.tick)
    return lists.changed


def _add_catalogue(
    plumbing: Plumbing,
    settings: ServiceSettings,
    urls: Urls,
    changed: Callable[[], Awaitable[None]],
    *,
    sweeps: Sweeps,
    keys: ApiKeys,
    known: catalogue.Catalogue,
    versions: publications.Publications,
    issuers: Issuers,
    arrivals: Arrivals,
) -> None:
    """Register what publishes issuers and achievements."""
    publish = plumbing.kafka.publish
    achievements = Achievements(
        catalogue=known, publications=versions, urls=urls, clock=now, contact_policy=settings.contact_details
    )
    stored_domains = MailDomainRepository(plumbing.database)
    plumbing.consume(
        name="catalogue",
        topics=[topics.CATALOGUE, topics.ISSUER_SETTINGS],
        contracts=FACTS,
        handle=arrivals.after(CatalogueWorker(known, stored_domains, sweeps, changed).handle),
    )
    plumbing.repeat("publications", versions.repair)
    prepared = [Depends(plumbing.preparation.require_for_changes)]
    plumbing.app.include_router(issuer_routes(keys, issuers, local=settings.local_only), dependencies=prepared)
    plumbing.app.include_router(profile_routes(keys, issuers, local=settings.local_only), dependencies=prepared)
    plumbing.app.include_router(achievement_routes(keys, achievements, now), dependencies=prepared)
    plumbing.app.include_router(achievement_list_routes(keys, OfferedAchievements(known)))
    mail_domains = MailDomains(
        stored_domains, catalogue=known, audit=plumbing.audit, arrivals=arrivals, publish=publish, clock=now
    )
    plumbing.app.include_router(mail_domain_routes(keys, mail_domains), dependencies=prepared)
