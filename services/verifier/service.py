"""Puts the verifier service together: its settings, routes and consumers."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from pydantic import Field
from starlette.exceptions import HTTPException

from libs.common.canary import Stage
from libs.common.clock import now
from libs.common.fetch import Fetcher, Rules
from libs.common.runtime import Plumbing
from libs.common.settings import Settings
from libs.common.workers.jobs import JobLimits, Runner
from libs.common.workers.pool import WorkerPool
from libs.common.workers.threads import Threads
from libs.contracts import topics
from libs.contracts.events import (
    AchievementPublished,
    AuthorityPublished,
    CanaryDocument,
    CredentialDocument,
    IssuerListPublished,
    IssuerPublished,
    StatusListPublished,
)
from services.verifier.material.affiliation import Affiliations
from services.verifier.material.catching_up import CatchingUp
from services.verifier.material.issuers import RegisteredIssuers
from services.verifier.material.lookup import REMEMBERED_SECONDS, MaterialSource, PublicRecords
from services.verifier.material.registries import MOST_BYTES, Fetch, trusted_registries
from services.verifier.material.repository import INDEXES, Repository
from services.verifier.material.trust import Registries, TrustSource
from services.verifier.material.worker import Projection
from services.verifier.pages.achievement_api import AchievementApi
from services.verifier.pages.error_pages import no_such_page
from services.verifier.pages.headers import PublicHeaders
from services.verifier.pages.issuer_list_api import IssuerListApi
from services.verifier.pages.pages import Pages
from services.verifier.pages.pictures import Pictures
from services.verifier.published.badges import BadgeApi
from services.verifier.published.issuers import IssuerApi
from services.verifier.schemas.api import schema_routes
from services.verifier.vc_api.api import vc_routes
from services.verifier.verification.api import VerifyApi
from services.verifier.verification.check_page import CheckPage
from services.verifier.verification.line_reports import LineVerifier
from services.verifier.verification.poison import KnownPoison
from services.verifier.verification.synthetic_credentials import SyntheticCredentials
from services.verifier.verification.verifier import Verifier

__all__ = ["INDEXES", "ServiceSettings", "build"]

# Of some 0.14 s each, so that the last one is drawn within the time that it is given.
_PICTURES_WAITING = 64


class ServiceSettings(Settings):
    """The settings of the verifier service."""

    http_port: int = Field(default=8103, ge=1, le=65535, description="port that the HTTP server listens on")
    verify_threads: int = Field(default=2, ge=1, le=64, description="badges of our own verified at the same time")
    verify_workers: int = Field(
        default=2, ge=1, le=64, description="processes that verify what strangers send, one document each at a time"
    )
    verify_waiting: int = Field(
        default=256, ge=1, le=100_000, description="most credentials in flight or waiting; one more is answered 503"
    )
    verify_seconds: float = Field(
        default=5, gt=0, le=60, description="longest time for one credential; then its checks are unknown"
    )
    trusted_registries: Path | None = Field(
        default=None, description="JSON file that names the registries of issuers that are trusted; none by default"
    )
    registry_refresh_seconds: float = Field(
        default=300, ge=1, le=86_400, description="how often the trusted registries are read again"
    )
    verify_cpu_seconds: float = Field(
        default=1, gt=0, le=60, description="most CPU time for what a stranger sends; then its checks are unknown"
    )
    verify_memory_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="most memory of a worker above that of a new one; then the checks are unknown",
    )


def build(plumbing: Plumbing, settings: ServiceSettings) -> None:
    """Register everything that this service does."""
    catching_up = CatchingUp(plumbing.fence, plumbing.positions, plumbing.kafka, service=plumbing.service, clock=now)
    plumbing.require(catching_up.judge)
    plumbing.preparation.add("reading how far to catch up", catching_up.take_ends)
    plumbing.repeat("catching-up", catching_up.tick)
    plumbing.health.depend("database", catching_up.probe)
    repository = Repository(plumbing.database, catching_up.require)
    projection = Projection(repository, now)
    plumbing.consume(
        name="issuers",
        topics=[topics.CATALOGUE],
        contracts=[IssuerPublished, AuthorityPublished, IssuerListPublished],
        handle=projection.issuers,
    )
    # A consumer of its own, so that an installation that has read its issuers already reads its achievements too.
    plumbing.consume(
        name="achievements",
        topics=[topics.CATALOGUE],
        contracts=[AchievementPublished],
        handle=projection.achievements,
    )
    plumbing.consume(
        name="status-lists",
        topics=[topics.STATUS_LISTS],
        contracts=[StatusListPublished],
        handle=projection.status_lists,
    )
    strangers = stranger_workers(settings)
    plumbing.repeat("verify-workers", strangers.maintain)
    plumbing.at_stop(strangers.close)
    pictures = picture_workers()
    plumbing.repeat("picture-workers", pictures.maintain)
    plumbing.at_stop(pictures.close)
    registries = trusted_registries(
        settings.trusted_registries,
        copies=repository,
        fetch=registry_fetch(settings),
        clock=now,
        refresh_seconds=settings.registry_refresh_seconds,
    )
    plumbing.repeat("registries", registries.tick)

    async def read_registries() -> None:
        registries.name(settings.trusted_registries)
        await registries.tick()

    plumbing.reloads.add("trusted-registries", read_registries)
    verifier = serve(
        plumbing.app, repository, settings, now, strangers=strangers, pictures=pictures, registries=registries
    )
    plumbing.consume(
        name="documents",
        topics=[topics.CREDENTIAL_DOCUMENTS],
        contracts=[CredentialDocument],
        handle=projection.documents,
        canary=Stage("verified", CanaryDocument, SyntheticCredentials(verifier).verify),
    )


def registry_fetch(settings: ServiceSettings) -> Fetch:
    """Return what fetches registries: from the operator's URLs, at their ports, and this machine's in trials alone."""

    async def fetch(url: str) -> bytes:
        port = urlsplit(url).port or 443
        rules = Rules(loopback=settings.local_only, bytes=MOST_BYTES, seconds=30, ports=frozenset({port}))
        return await Fetcher(rules).fetch(url, "application/jwt")

    return fetch


def stranger_workers(settings: ServiceSettings) -> WorkerPool:
    """Return the processes that verify what strangers send; they start when they are asked for first."""
    return WorkerPool(
        "services.verifier.warm_up",
        packages=("libs.openbadges.", "services.verifier."),
        workers=settings.verify_workers,
        waiting=settings.verify_waiting,
        limits=JobLimits(
            cpu_seconds=settings.verify_cpu_seconds,
            memory_bytes=settings.verify_memory_bytes,
            seconds=settings.verify_seconds,
        ),
    )


def picture_workers() -> WorkerPool:
    """Return the process that draws pictures: apart from those that verify, so that neither waits for the other."""
    return WorkerPool(
        "services.verifier.pages.rasterizing",
        packages=(),
        workers=1,
        waiting=_PICTURES_WAITING,
        limits=JobLimits(cpu_seconds=1, seconds=10),
    )


def serve(
    app: FastAPI,
    repository: PublicRecords,
    settings: ServiceSettings,
    clock: Callable[[], datetime],
    *,
    strangers: Runner,
    pictures: Runner,
    registries: Registries,
) -> Verifier:
    """Add the public routes to an application; `strangers` verifies what anybody sends, `pictures` draws.

    Returns:
        What its routes verify with.
    """
    app.description = "Verifies credentials, and serves what verifying needs: badges, achievements, keys and status."
    issuers = RegisteredIssuers(repository, remembered_seconds=REMEMBERED_SECONDS)
    trust = TrustSource(
        repository,
        settings.public_base,
        issuers,
        registries,
        clock,
        patience_seconds=settings.verify_seconds,
        remembered_seconds=REMEMBERED_SECONDS,
    )
    source = MaterialSource(
        repository, settings.public_base, patience_seconds=settings.verify_seconds, issuers=issuers, trust=trust
    )
    poison = KnownPoison()
    verifier = Verifier(
        source,
        clock,
        own=Threads(settings.verify_threads, waiting=settings.verify_waiting, seconds=settings.verify_seconds),
        strangers=strangers,
        poison=poison,
    )
    lines = LineVerifier(repository, source, clock, strangers, poison, public_base=settings.public_base)
    pages = Pages()
    affiliations = Affiliations(repository)
    app.include_router(VerifyApi(repository, verifier, lines, public_base=settings.public_base).router())
    badges = BadgeApi(repository, verifier, pages, affiliations, Pictures(pictures), public_base=settings.public_base)
    app.include_router(badges.router())
    app.include_router(IssuerApi(repository, clock, public_base=settings.public_base).router())
    app.include_router(AchievementApi(repository, pages, public_base=settings.public_base).router())
    issuer_list = IssuerListApi(repository, clock=clock, remembered_seconds=REMEMBERED_SECONDS)
    app.include_router(issuer_list.router())
    app.include_router(CheckPage(verifier, pages, affiliations, public_base=settings.public_base).router())
    app.include_router(schema_routes())
    app.include_router(vc_routes(verifier))
    app.add_exception_handler(HTTPException, no_such_page(pages, app.exception_handlers[HTTPException]))
    app.add_middleware(PublicHeaders)
    return verifier
