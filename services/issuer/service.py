"""Puts the issuer service together: its settings, routes, consumers and loops."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from libs.access.api_keys import ApiKeys
from libs.common.mongo import Index
from libs.common.runtime import Plumbing
from libs.common.settings import Settings
from libs.contracts import topics
from libs.contracts.events import (
    AchievementPublished,
    ApiKeyGranted,
    EvidenceSubmitted,
    IssuerPublished,
    RevokeCredential,
)
from services.issuer.catalogue import publications
from services.issuer.catalogue import repository as catalogue
from services.issuer.catalogue.administration import Administration
from services.issuer.credentials import repository as credential_repository
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.api import administration_routes, credential_routes
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.credentials.worker import Revoking
from services.issuer.decisions import repository as decision_repository
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.worker import Awarding
from services.issuer.keys.signing_keys import FileKeyEncryption, SigningKeys
from services.issuer.status import lists
from services.issuer.urls import Urls


class ServiceSettings(Settings):
    """The settings of the issuer service."""

    kek_file: Path = Field(
        default=Path("var/secrets/kek"),
        description="file with the key that encrypts the issuers' signing keys: 32 bytes in base64, mode 0600",
    )
    admin_key_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256, hex, of the API key that may add issuers; without it nobody may",
    )
    waiting_seconds: float = Field(
        default=86_400,
        ge=0,
        le=31_536_000,
        description="longest time that evidence waits for its issuer or achievement to be published; 0: not at all",
    )


INDEXES: Sequence[Index] = (
    *decision_repository.INDEXES,
    *credential_repository.INDEXES,
    *lists.INDEXES,
    *catalogue.INDEXES,
    *publications.INDEXES,
)


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does.

    Raises:
        SettingsError: the key-encryption key cannot be used.
    """
    plumbing.app.description = "Onboards issuers, publishes achievements, and reads and revokes credentials."
    database, publish = plumbing.database, plumbing.kafka.publish
    urls = Urls(settings.public_base)
    announcer = Announcer(urls)
    keys = ApiKeys(database, admin_key_sha256=settings.admin_key_sha256)
    signing_keys = SigningKeys(database, FileKeyEncryption.read(settings.kek_file))
    known = catalogue.Catalogue(database)
    credentials = MongoCredentials(database)
    decisions = MongoDecisions(plumbing.client, database, credentials)
    signer = CredentialSigner(signing_keys, known, urls)
    status_lists = lists.StatusLists(database, revoked=credentials, signer=signer, publish=publish, clock=_now)
    claims = publications.Publications(database, catalogue=known, publish=publish, clock=_now)
    administration = Administration(
        catalogue=known,
        publications=claims,
        signing_keys=signing_keys,
        api_keys=keys,
        urls=urls,
        publish=publish,
        clock=_now,
    )
    awarding = Awarding(
        decisions=decisions,
        credentials=credentials,
        catalogue=known,
        signer=signer,
        entries=status_lists,
        announcer=announcer,
        publish=publish,
        clock=_now,
        longest_wait=timedelta(seconds=settings.waiting_seconds),
    )
    waiting = WaitingEvidence(decisions, awarding=awarding, catalogue=known, clock=_now)
    revoking = Revoking(credentials=credentials, lists=status_lists, announcer=announcer)
    plumbing.consume(
        name="catalogue",
        topics=[topics.CATALOGUE],
        contracts=[IssuerPublished, AchievementPublished],
        handle=known.apply,
    )
    plumbing.consume(name="access", topics=[topics.ACCESS_KEYS], contracts=[ApiKeyGranted], handle=keys.apply)
    plumbing.consume(
        name="evidence", topics=[topics.EVIDENCE_SUBMITTED], contracts=[EvidenceSubmitted], handle=awarding.handle
    )
    plumbing.consume(
        name="commands", topics=[topics.CREDENTIAL_COMMANDS], contracts=[RevokeCredential], handle=revoking.handle
    )
    plumbing.repeat("waiting-evidence", waiting.tick)
    plumbing.repeat("status-lists", status_lists.repair)
    plumbing.repeat("publications", claims.repair)
    plumbing.app.include_router(administration_routes(keys, administration))
    plumbing.app.include_router(credential_routes(keys, credentials, urls, publish=publish, clock=_now))


def _now() -> datetime:
    """Return the moment, in whole milliseconds: MongoDB keeps no finer, and what is stored is what is announced."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
