"""How many mails one address gets, and one issuer has sent: what is over waits for its time, and is not lost.

Each delivery takes its allowance once, when it is first to go; trying again takes nothing. Ahead of its time it is
given only what its own issuer's mails explain: all of them, and those to one mailbox. What all issuers together send to
a mailbox is counted when a mail is due (`mailboxes.py`). Kept in MongoDB, so that it holds over restarts and for all
replicas together.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

from libs.common.mongo import Database
from services.notifier.deliveries.buckets import LeakyBuckets, Rate
from services.notifier.deliveries.mailboxes import Ask, Mailboxes


class Allowances:
    """The buckets of addresses and of issuers, by digests."""

    def __init__(self, database: Database, *, recipient: Rate, issuer: Rate) -> None:
        allowances = database["allowances"]
        self._recipients = LeakyBuckets(allowances, recipient)
        self._issuers = LeakyBuckets(allowances, issuer)
        self._mailboxes = Mailboxes(allowances, recipient)

    async def take(self, mails: Sequence[tuple[str, str]], *, token: UUID, now: float) -> list[float | None]:
        """Take an allowance for each of these mails, by issuer and mailbox (`Address.mailbox`).

        Returns:
            When each may ask to go (`admit`), in seconds since 1970; None where that could not be read again: try
            later.
        """
        granted = [
            await self._taken(self._issuers, [f"issuer {issuer}" for issuer, _ in mails], token, now),
            await self._taken(
                self._recipients, [f"recipient {issuer} {mailbox}" for issuer, mailbox in mails], token, now
            ),
        ]
        return [None if a is None or b is None else max(a, b) for a, b in zip(*granted, strict=True)]

    async def admit(self, asks: Sequence[Ask], *, token: UUID, now: float) -> dict[UUID, float]:
        """Take slots of mailboxes for these; return when those ask again that may not go, in seconds since 1970."""
        return await self._mailboxes.admit(asks, token=token, now=now)

    async def _taken(self, buckets: LeakyBuckets, names: Sequence[str], token: UUID, now: float) -> list[float | None]:
        slots = await buckets.take(Counter(names), token=token, now=now)
        each: dict[str, Iterator[float]] = {name: iter(found.granted) for name, found in slots.items()}
        return [next(each[name]) if name in each else None for name in names]

    async def delete_idle(self, now: float) -> None:
        """Delete what was not used for a day."""
        await self._recipients.delete_idle(now)
