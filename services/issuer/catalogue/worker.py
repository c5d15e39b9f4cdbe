"""The consumer of `catalogue` and `issuer.settings`: organisations, issuers, the authority, achievements, mail."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    AchievementPublished,
    AuthorityPublished,
    IssuerPublished,
    MailDomainsSet,
    OrganisationPublished,
)
from services.issuer.catalogue.repository import Catalogue
from services.issuer.mail_domains.repository import MailDomainRepository

CatalogueFact = IssuerPublished | OrganisationPublished | AuthorityPublished | AchievementPublished | MailDomainsSet
FACTS: Sequence[type[CatalogueFact]] = (
    IssuerPublished,
    OrganisationPublished,
    AuthorityPublished,
    AchievementPublished,
    MailDomainsSet,
)


class HoldingSweeps(Protocol):
    """Goes through those who hold what achievements ask for."""

    async def begin(self, published: Sequence[AchievementPublished]) -> None:
        """Note that these are to be swept for; again changes nothing."""
        ...


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(
        self,
        catalogue: Catalogue,
        mail_domains: MailDomainRepository,
        sweeps: HoldingSweeps,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """Take what is needed; `changed` is awaited once issuers are stored, and again after a crash in between."""
        self._catalogue = catalogue
        self._mail_domains = mail_domains
        self._sweeps = sweeps
        self._changed = changed

    async def handle(self, batch: Sequence[Received[CatalogueFact]]) -> Sequence[Outgoing]:
        """Store the newest version of each but achievements, of which every one counts, and the domains set last."""
        events = [received.event for received in batch]
        organisations = [event for event in events if isinstance(event, OrganisationPublished)]
        await self._catalogue.organisations.store(organisations)
        issuers = [event for event in events if isinstance(event, IssuerPublished)]
        await self._catalogue.store_issuers(issuers)
        if issuers:
            await self._changed()
        await self._catalogue.store_authority([event for event in events if isinstance(event, AuthorityPublished)])
        achievements = [event for event in events if isinstance(event, AchievementPublished)]
        await self._catalogue.store_achievements(achievements)
        await self._sweeps.begin(achievements)
        await self._mail_domains.store([event for event in events if isinstance(event, MailDomainsSet)])
        return []
