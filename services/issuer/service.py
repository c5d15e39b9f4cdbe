"""Puts the issuer service together: its settings, routes, consumers and loops."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from conformance.issuing.api import interop_routes
from conformance.issuing.instances import Instances
from conformance.issuing.store import MongoInterop
from libs.access.api_keys import ApiKeys, api_keys
from libs.common.mongo import Index
from libs.common.runtime import Plumbing
from libs.common.settings import PREFIX, Settings
from libs.common.telemetry import get_logger, new_trace
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    AchievementPublished,
    EvidenceSubmitted,
    IssuerPublished,
    RevokeCredential,
    StatusListPublished,
)
from services.issuer.catalogue import publications
from services.issuer.catalogue import repository as catalogue
from services.issuer.catalogue.administration import Administration
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.api import administration_routes, credential_routes
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.credentials.worker import Revoking
from services.issuer.decisions import repository
from services.issuer.decisions.worker import Awarding
from services.issuer.keys.signing_keys import FileKeyEncryption, KeyEncryption, SigningKeys
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
    interop: bool = Field(
        default=False,
        description="interoperability instances under /interop, which sign whatever they are sent; never in production",
    )
    interop_anywhere: bool = Field(
        default=False, description="let the interoperability instances listen on more than loopback"
    )

    @model_validator(mode="after")
    def _keeps_interop_to_itself(self) -> Self:
        if self.interop and not self.interop_anywhere and self.http_host not in _LOOPBACK:
            raise ValueError(
                f"{PREFIX}INTEROP signs for anybody's name, so it is refused while {PREFIX}HTTP_HOST is "
                f"{self.http_host}; listen on 127.0.0.1, or force it with {PREFIX}INTEROP_ANYWHERE=true"
            )
        return self


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

INDEXES: Sequence[Index] = (*repository.INDEXES, *lists.INDEXES, *catalogue.INDEXES, *publications.INDEXES)


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does.

    Raises:
        SettingsError: the key-encryption key cannot be used.
    """
    database, publish = plumbing.database, plumbing.kafka.publish
    urls = Urls(settings.public_base)
    announcer = Announcer(urls)
    keys = api_keys(plumbing, admin_key_sha256=settings.admin_key_sha256)
    encryption = FileKeyEncryption.read(settings.kek_file)
    signing_keys = SigningKeys(database, encryption)
    known = catalogue.Catalogue(database)
    store = repository.MongoAwards(plumbing.client, database)
    signer = CredentialSigner(signing_keys, known, urls)
    status_lists = lists.StatusLists(database, revoked=store, signer=signer, publish=publish, clock=_now)
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
        store=store,
        catalogue=known,
        signer=signer,
        entries=status_lists,
        announcer=announcer,
        publish=publish,
        clock=_now,
    )
    revoking = Revoking(store=store, lists=status_lists, announcer=announcer)
    plumbing.consume(
        name="catalogue",
        topics=[topics.CATALOGUE],
        contracts=[IssuerPublished, AchievementPublished],
        handle=known.apply,
    )
    plumbing.consume(
        name="evidence", topics=[topics.EVIDENCE_SUBMITTED], contracts=[EvidenceSubmitted], handle=awarding.handle
    )
    plumbing.consume(
        name="commands", topics=[topics.CREDENTIAL_COMMANDS], contracts=[RevokeCredential], handle=revoking.handle
    )
    plumbing.repeat("status-lists", status_lists.repair)
    plumbing.repeat("publications", claims.repair)
    plumbing.app.include_router(administration_routes(keys, administration))
    plumbing.app.include_router(credential_routes(keys, store, urls, publish=publish, clock=_now))
    if settings.interop:
        _add_interop(plumbing, settings, keys, encryption)


def _add_interop(plumbing: Plumbing, settings: ServiceSettings, keys: ApiKeys, encryption: KeyEncryption) -> None:
    """Add the interoperability instances; their lists become public through the verifier like everybody's."""
    get_logger().warning(
        "INTEROPERABILITY INSTANCES ARE ON: whoever has a key with the scope interop:issue gets anything signed "
        "under /interop, in anybody's name. Never in production.",
        setting=f"{PREFIX}INTEROP",
    )

    async def publish(list_id: str, version: int, text: str) -> None:
        event = StatusListPublished(
            list_id=list_id, issuer_id="interop", version=version, credential=text, published_at=_now()
        )
        await plumbing.kafka.publish([Outgoing(event, new_trace())])

    store = MongoInterop(plumbing.database, encryption)
    instances = Instances(store, public_base=settings.public_base, publish=publish, clock=_now)
    plumbing.app.include_router(interop_routes(keys, instances))


def _now() -> datetime:
    """The moment, in whole milliseconds: MongoDB keeps no finer, and what is stored is what is told."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
