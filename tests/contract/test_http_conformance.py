"""What services answer to hundreds of odd requests is what their OpenAPI documents say, and never a 5xx."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from libs.access.api_keys import ApiKeys
from libs.common.errors import NotFoundError
from libs.common.health import Health
from libs.common.http import create_app
from services.issuer.awards.api import credential_list_routes
from services.issuer.awards.listing import CredentialLists
from services.issuer.catalogue.achievement_list_api import achievement_list_routes
from services.issuer.organisations.api import organisation_routes
from services.issuer.organisations.issuers_api import issuer_list_routes
from services.issuer.urls import Urls
from services.notifier.deliveries.api import routes
from tests.contract.test_http_edge import ADMIN, OneAdministrator
from tests.contract.test_notifier_http import NORTHSIDE, NOW, STORED_KEYS, Audited, StoredDeliveries, resending
from tests.evidence_doubles import MemoryBatches, Published, evidence_app
from tests.ids import IDS
from tests.keys_in_memory import MemoryKeys
from tests.organisations_double import Department
from tests.schemathesis_run import check_conformance
from tests.served import served
from tests.verifier_doubles import MemoryRepository, School, application

LISTING = MemoryKeys()
LISTER = LISTING.add("wattle", "credentials:read", "catalogue:read")
BADGE = UUID("0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11")


def evidence() -> FastAPI:
    return evidence_app(MemoryBatches(), Published(), uuid4, longest_row=65_536)


def verifier() -> FastAPI:
    repository, school = MemoryRepository(), School()
    repository.learn(school)
    repository.keep(BADGE, school.badge(BADGE))
    return application(repository)


def notifier() -> FastAPI:
    app = create_app("notifier", Health())
    keys = ApiKeys(STORED_KEYS)
    deliveries = StoredDeliveries()
    again = resending(deliveries, Audited())
    app.include_router(routes(deliveries, again, keys, IDS, lambda: NOW))  # type: ignore[arg-type]  # a fake
    return app


class Nothing:
    """Credentials and achievements of an issuer that has none."""

    async def page(self, *_: object, **__: object) -> list[Any]:
        return []

    async def find(self, *_: object) -> None:
        return None

    async def record(self, *_: object) -> None:
        return None

    async def not_found(self, *_: object) -> NotFoundError:
        return NotFoundError.for_caller()

    async def of(self, _ids: object) -> list[Any]:
        return []


def organisations() -> FastAPI:
    """Everything of organisations, asked by an administrator."""
    app, department = create_app("issuer", Health()), Department()
    keys = ApiKeys(MemoryKeys(), administrators=OneAdministrator())
    found: Any = department
    app.include_router(organisation_routes(keys, found, found, lambda: NOW))
    app.include_router(issuer_list_routes(keys, found))
    return app


def lists() -> FastAPI:
    """The lists of an issuer's credentials and achievements."""
    app, nothing, urls = create_app("issuer", Health()), Nothing(), Urls("https://badges.example")
    keys = ApiKeys(LISTING)
    app.include_router(credential_list_routes(keys, CredentialLists(nothing, nothing, urls, nothing), IDS, urls))
    app.include_router(achievement_list_routes(keys, nothing))  # type: ignore[arg-type]  # a fake
    return app


CASES = [
    # No schema tells that a body is really gzip, or that a date exists and is past.
    pytest.param(evidence, "north", "positive_data_acceptance", id="evidence"),
    # Whatever is sent is answered with a report; only our own badges have a URL that can be asked about.
    pytest.param(verifier, None, "positive_data_acceptance,negative_data_rejection", id="verifier"),
    pytest.param(notifier, NORTHSIDE, "", id="notifier"),
    # Which time zones there are, and what an identifier looks like, no schema says.
    pytest.param(organisations, ADMIN, "positive_data_acceptance", id="organisations"),
    pytest.param(lists, LISTER, "", id="lists"),
]


@pytest.mark.parametrize(("build", "key", "leave_out"), CASES)
def test_every_answer_is_as_documented(build: Callable[[], FastAPI], key: str | None, leave_out: str) -> None:
    with capture_logs(), served(build()) as url:
        check_conformance(url, key, leave_out)
