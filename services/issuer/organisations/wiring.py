"""Puts organisations together: what publishes them, and the calls that do so and find them."""

from fastapi import Depends

from libs.access.api_keys import ApiKeys
from libs.access.repository import KeyRepository
from libs.common.clock import now
from libs.common.runtime import Plumbing
from services.issuer.catalogue.issuers import Issuers
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.organisations.api import organisation_routes
from services.issuer.organisations.finding import OrganisationsFound
from services.issuer.organisations.issuers_api import issuer_list_routes
from services.issuer.organisations.publishing import Organisations
from services.issuer.organisations.turns import TreeTurns
from services.issuer.settings import ServiceSettings


def add_organisations(
    plumbing: Plumbing,
    settings: ServiceSettings,
    *,
    keys: ApiKeys,
    access: KeyRepository,
    known: Catalogue,
    versions: Publications,
    issuers: Issuers,
) -> None:
    """Register the calls."""
    organisations = Organisations(
        known.organisations,
        publications=versions,
        issuers=issuers,
        turns=TreeTurns(plumbing.database, now),
        clock=now,
    )
    found = OrganisationsFound(known, access)
    plumbing.app.include_router(
        organisation_routes(keys, organisations, found, now, local=settings.local_only),
        dependencies=[Depends(plumbing.preparation.require_for_changes)],
    )
    plumbing.app.include_router(issuer_list_routes(keys, found))
