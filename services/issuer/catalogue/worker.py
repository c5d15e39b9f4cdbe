"""The consumer of `catalogue` and `issuer.settings`: organisations, issuers, the authority, achievements, mail."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from libs.common.telemetry import new_trace
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

_Changing = IssuerPublished | OrganisationPublished | AuthorityPublished | MailDomainsSet
CatalogueFact = _Changing | AchievementPublished
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
    """The handler; it publishes nothing but what must be the last of its key on the topic again."""

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
        return await self._displaced({each.key: each for each in events if each is not None})

    async def _displaced(self, last: Mapping[str, CatalogueFact]) -> list[Outgoing]:
        """Return the newest of what came behind it in an older form: the topic would keep that for good.

        So it does where somebody read it, to publish it again, just before it was changed.
        """
        events = last.values()
        newest: list[_Changing] = [
            *(await self._catalogue.organisations.by_ids(_ids(events, OrganisationPublished))).values(),
            *(await self._catalogue.newest_issuers(_ids(events, IssuerPublished))).values(),
            *await self._mail_domains.of_issuers(_ids(events, MailDomainsSet)),
        ]
        if _ids(events, AuthorityPublished) and (authority := await self._catalogue.newest_authority()) is not None:
            newest.append(authority)
        return [Outgoing(each, new_trace()) for each in newest if _order(each) > _order(last[each.key])]


def _ids(events: Iterable[CatalogueFact], contract: type[CatalogueFact]) -> list[str]:
    """Return what the events of one contract speak of."""
    return [event.key.removeprefix(event.key_prefix) for event in events if isinstance(event, contract)]


def _order(event: CatalogueFact) -> float:
    """Return what tells which of two of one key is newer."""
    return event.changed_at.timestamp() if isinstance(event, MailDomainsSet) else event.version
