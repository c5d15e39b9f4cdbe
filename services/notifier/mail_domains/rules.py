"""What a change of the domains that mail may go to does: it is stored, and what was refused is looked at again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from libs.contracts.events import MailDomainsSet
from services.notifier.mail_domains.repository import MailDomains


class RefusedMail(Protocol):
    """What was refused for its domain."""

    async def reopen_refused(self, issuer_id: str, now: datetime) -> None:
        """Let the refused mails of this issuer be looked at again."""


class MailDomainRules:
    """Applies changes; doing it again changes nothing."""

    def __init__(self, mail_domains: MailDomains, deliveries: RefusedMail, clock: Callable[[], datetime]) -> None:
        self._mail_domains = mail_domains
        self._deliveries = deliveries
        self._clock = clock

    async def apply(self, events: Sequence[MailDomainsSet]) -> None:
        """Store first, then reopen: whoever refuses a mail meanwhile looks again after it (`preparation.py`)."""
        await self._mail_domains.store(events)
        for issuer_id in {event.issuer_id for event in events}:
            await self._deliveries.reopen_refused(issuer_id, self._clock())
