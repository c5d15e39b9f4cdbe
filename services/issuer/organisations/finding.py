"""Finding organisations, with the issuers that they are and how many API keys they had; and who may see which."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.access.organisations import OrganisationStore, Sought
from libs.access.repository import KeyRepository
from libs.common.errors import NotFoundError, OtherTenantError
from libs.contracts.events import IssuerPublished, OrganisationPublished
from services.issuer.catalogue.repository import Catalogue


@dataclass(frozen=True, slots=True)
class FoundOrganisation:
    """An organisation, the issuer that it is, and how many API keys it ever had."""

    organisation: OrganisationPublished
    issuer: IssuerPublished | None
    api_keys: int


class OrganisationsFound:
    """Reads organisations."""

    def __init__(self, catalogue: Catalogue, keys: KeyRepository) -> None:
        self._catalogue = catalogue
        self._stored: OrganisationStore = catalogue.organisations
        self._keys = keys

    async def seen_by(self, caller: Caller, below: str | None) -> frozenset[str] | None:
        """Return the ids that the caller may see, of those below `below` alone if it is given; None for all.

        Raises:
            OtherTenantError: the caller may not see `below`.
            NotFoundError: there is none.
        """
        if caller.issuer_id == ALL_ISSUERS:
            if below is None:
                return None
            if await self._stored.newest(below) is None:
                raise NotFoundError.for_caller("no organisation")
            return await self._stored.below(below)
        own = await self._stored.below(caller.issuer_id)
        if below is None:
            return own
        if below not in own:
            raise OtherTenantError.for_caller("no organisation")
        return await self._stored.below(below)

    async def page(
        self, caller: Caller, below: str | None, sought: Sought, after: str, limit: int
    ) -> list[FoundOrganisation]:
        """Return those that are sought and the caller may see, sorted by id, from the one after `after`.

        Raises:
            NotFoundError: there is no `below` that the caller may see.
        """
        among = await self.seen_by(caller, below)
        return await self.whole(await self._stored.page(sought, among, after, limit))

    async def one(self, caller: Caller, organisation_id: str) -> FoundOrganisation:
        """Return an organisation.

        Raises:
            NotFoundError: there is none that the caller may see.
        """
        among = await self.seen_by(caller, None)
        if among is not None and organisation_id not in among:
            raise OtherTenantError.for_caller("no organisation")
        organisation = await self._stored.newest(organisation_id)
        if organisation is None:
            raise NotFoundError.for_caller("no organisation")
        return (await self.whole([organisation]))[0]

    async def issuers(
        self, caller: Caller, below: str | None, *, text: str | None, suspended: bool | None, after: str, limit: int
    ) -> list[IssuerPublished]:
        """Return the issuers that are sought and the caller may see, sorted by id, from the one after `after`.

        Raises:
            NotFoundError: there is no `below` that the caller may see.
        """
        among = await self.seen_by(caller, below)
        return await self._catalogue.page(among, text=text, suspended=suspended, after=after, limit=limit)

    async def whole(self, organisations: Sequence[OrganisationPublished]) -> list[FoundOrganisation]:
        """Return these with what else is told of them."""
        ids = [each.organisation_id for each in organisations]
        issuers, counts = await self._catalogue.newest_issuers(ids), await self._keys.counts(ids)
        return [
            FoundOrganisation(each, issuers.get(each.organisation_id), counts.get(each.organisation_id, 0))
            for each in organisations
        ]
