"""The consumer of `catalogue` and `issuer.settings`: names, texts, and where mail may go."""

from collections.abc import Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, IssuerPublished, MailDomainsSet
from services.notifier.catalogue.repository import Catalogue
from services.notifier.mail_domains.rules import MailDomainRules


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(self, catalogue: Catalogue, mail_domains: MailDomainRules) -> None:
        self._catalogue = catalogue
        self._mail_domains = mail_domains

    async def handle(
        self, batch: Sequence[Received[IssuerPublished | AchievementPublished | MailDomainsSet]]
    ) -> Sequence[Outgoing]:
        """Names and level descriptions; domains of mail."""
        events = [received.event for received in batch]
        await self._catalogue.store_issuers([event for event in events if isinstance(event, IssuerPublished)])
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        await self._mail_domains.apply([event for event in events if isinstance(event, MailDomainsSet)])
        return []
