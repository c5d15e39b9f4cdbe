"""The consumer of `catalogue` and `issuer.settings`: names, texts, the tree of organisations, where mail may go."""

from collections.abc import Sequence

from libs.access.organisations import OrganisationStore
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, IssuerPublished, MailDomainsSet, OrganisationPublished
from services.notifier.catalogue.repository import Catalogue
from services.notifier.mail_domains.rules import MailDomainRules

CatalogueFact = IssuerPublished | AchievementPublished | OrganisationPublished | MailDomainsSet
FACTS: Sequence[type[CatalogueFact]] = (IssuerPublished, AchievementPublished, OrganisationPublished, MailDomainsSet)


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(self, catalogue: Catalogue, organisations: OrganisationStore, mail_domains: MailDomainRules) -> None:
        self._catalogue = catalogue
        self._organisations = organisations
        self._mail_domains = mail_domains

    async def handle(self, batch: Sequence[Received[CatalogueFact]]) -> Sequence[Outgoing]:
        """Names and level descriptions; organisations; domains of mail."""
        events = [received.event for received in batch]
        await self._catalogue.store_issuers([event for event in events if isinstance(event, IssuerPublished)])
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        await self._organisations.store([event for event in events if isinstance(event, OrganisationPublished)])
        await self._mail_domains.apply([event for event in events if isinstance(event, MailDomainsSet)])
        return []
