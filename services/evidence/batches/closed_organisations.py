"""Whether the organisation that sends evidence has closed, and what it is told then."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from libs.common.errors import OrganisationClosedError
from libs.contracts.events import OrganisationPublished
from libs.contracts.organisations import CLOSING_MEANINGS


class ClosedOrganisations:
    """Refuses evidence of organisations after their last day, in UTC. Issuers that are no organisation have none."""

    def __init__(
        self, newest: Callable[[str], Awaitable[OrganisationPublished | None]], clock: Callable[[], datetime]
    ) -> None:
        """Take what reads the newest version of an organisation."""
        self._newest = newest
        self._clock = clock

    async def require_open(self, issuer_id: str) -> None:
        """Return if this issuer may send evidence today.

        Raises:
            OrganisationClosedError: it has closed.
        """
        organisation = await self._newest(issuer_id)
        closing = None if organisation is None else organisation.closing
        if closing is None or self._clock().date() <= closing.last_day:
            return
        told = f"{issuer_id} takes evidence no longer: its last day was {closing.last_day}."
        meaning = CLOSING_MEANINGS[closing.reason]
        after = "" if closing.successor is None else f" {closing.successor} follows it: send it with a key of that."
        raise OrganisationClosedError(f"{told} {meaning}{after}")
