"""Setting the domains that an issuer's mail may go to: published first, then read back."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.arrivals import Arrivals
from libs.common.errors import NotFoundError, UnavailableError, UnreadableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import IssuerPublished, MailDomainsSet
from services.issuer.mail_domains.repository import MailDomainRepository

_WAIT_SECONDS: Final = 10.0
# MongoDB keeps moments to the millisecond, and of two that are equal the first stays.
_TICK: Final = timedelta(milliseconds=1)


class KnownIssuers(Protocol):
    """Knows which issuers there are."""

    async def issuers(self, issuer_ids: Iterable[str]) -> Mapping[str, IssuerPublished]:
        """Return those of these issuers that are published."""
        ...


class MailDomains:
    """Reads and sets them."""

    def __init__(
        self,
        repository: MailDomainRepository,
        *,
        catalogue: KnownIssuers,
        audit: AuditWriter,
        arrivals: Arrivals,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._repository = repository
        self._catalogue = catalogue
        self._audit = audit
        self._arrivals = arrivals
        self._publish = publish
        self._clock = clock

    async def of_issuer(self, issuer_id: str) -> tuple[str, ...]:
        """Return the domains that are allowed; none where all are.

        Raises:
            UnreadableError: what was set was damaged.
        """
        stored = await self._repository.of_issuer(issuer_id)
        return () if stored is None else stored.domains

    async def set(
        self, issuer_id: str, domains: Sequence[str], cause: Cause, trace: str, reason: str | None = None
    ) -> tuple[str, ...]:
        """Allow these domains and no others; all where there is none. `reason` is why, in the words of who asks.

        Raises:
            NotFoundError: there is no such issuer.
            UnavailableError: published, and not arrived in time.
        """
        if issuer_id not in await self._catalogue.issuers([issuer_id]):
            raise NotFoundError.for_caller()
        wanted = tuple(sorted(set(domains)))
        stored, present = None, None
        with suppress(UnreadableError):  # what is set now takes its place
            stored = await self._repository.of_issuer(issuer_id)
            present = () if stored is None else stored.domains
        if present == wanted:
            return wanted
        now = self._clock()
        at = now if stored is None else max(now, stored.changed_at + _TICK)
        event = MailDomainsSet(issuer_id=issuer_id, domains=wanted, changed_at=at)
        details = {"domains": " ".join(wanted)}
        entry = Entry(Action.MAIL_DOMAINS_SET, cause, (issuer_id,), f"issuer {issuer_id}", reason, details)
        await self._audit.record(entry)
        await self._publish([Outgoing(event, trace)])

        async def arrived() -> bool:
            with suppress(UnreadableError):
                return await self.of_issuer(issuer_id) == wanted
            return False

        if not await self._arrivals.wait_until(arrived, _WAIT_SECONDS):
            raise UnavailableError("it is published and has not arrived here yet; ask again, that is safe")
        return wanted
