"""Counting what is parked, by issuer, for whoever runs the service: metrics and a line in the log when it changes."""

from collections.abc import Iterable
from typing import Final, Protocol

from libs.common.telemetry import get_logger
from services.issuer.decisions import metrics
from services.issuer.decisions.decision import Parked

MOST_ISSUERS: Final = 50
"""So many label sets the gauge has at most, those with most pieces; the others are one together."""
OTHERS: Final = "(others)"
"""No issuer has this id."""
_DELAY_SECONDS: Final = 10.0


class ParkedStore(Protocol):
    """Knows what is parked."""

    async def parked(self) -> list[Parked]:
        """Return it by issuer and reason, those with most pieces first."""
        ...


class ParkedCount:
    """The loop that counts."""

    def __init__(self, store: ParkedStore) -> None:
        self._store = store
        self._told: set[tuple[str, str]] = set()

    async def tick(self) -> float:
        """Count once; return the seconds until the next time."""
        parked = await self._store.parked()
        self._tell(parked)
        counts: dict[tuple[str, str], int] = {}
        for number, each in enumerate(parked):
            name = each.issuer_id if number < MOST_ISSUERS else OTHERS
            counts[name, each.reason.value] = counts.get((name, each.reason.value), 0) + each.pieces
        metrics.PARKED.clear()
        for labels, count in counts.items():
            metrics.PARKED.labels(*labels).set(count)
        return _DELAY_SECONDS

    def _tell(self, parked: Iterable[Parked]) -> None:
        now = {(each.issuer_id, each.reason.value): each for each in parked}
        for key in now.keys() - self._told:
            get_logger().warning("evidence is parked", issuer=key[0], reason=key[1], pieces=now[key].pieces)
        for issuer_id, reason in self._told - now.keys():
            get_logger().info("evidence is parked no more", issuer=issuer_id, reason=reason)
        self._told = set(now)
