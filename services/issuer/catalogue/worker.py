"""The consumer of `catalogue` and `issuer.settings`: issuers, the authority, achievements, where mail may go."""

from collections.abc import Awaitable, Callable, Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, AuthorityPublished, IssuerPublished, MailDomainsSet
from services.issuer.catalogue.repository import Catalogue
from services.issuer.mail_domains.repository import MailDomainRepository


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(
        self, catalogue: Catalogue, mail_domains: MailDomainRepository, changed: Callable[[], Awaitable[None]]
    ) -> None:
        """Take what is needed; `changed` is awaited once issuers are stored, and again after a crash in between."""
        self._catalogue = catalogue
        self._mail_domains = mail_domains
        self._changed = changed

    async def handle(
        self, batch: Sequence[Received[IssuerPublished | AuthorityPublished | AchievementPublished | MailDomainsSet]]
    ) -> Sequence[Outgoing]:
        """Store the newest version of each issuer and of the authority, every achievement's, the domains set last."""
        events = [received.event for received in batch]
        issuers = [event for event in events if isinstance(event, IssuerPublished)]
        await self._catalogue.store_issuers(issuers)
        if issuers:
            await self._changed()
        await self._catalogue.store_authority([event for event in events if isinstance(event, AuthorityPublished)])
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        await self._mail_domains.store([event for event in events if isinstance(event, MailDomainsSet)])
        return []
