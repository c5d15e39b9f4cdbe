"""Divides a number of connections among destination domains, so that none can take them all (pure, in memory)."""

from collections import Counter

# A domain may hold three times as many connections as are free. One busy domain gets three quarters; two get three
# sevenths each; however many are slow, some connections stay for the next one (dynamic thresholds: Choudhury and Hahne,
# IEEE/ACM Transactions on Networking 6(2), 1998).
_TIMES_FREE = 3


class FairShare:
    """Connections in use, by domain."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._held: Counter[str] = Counter()

    @property
    def free(self) -> int:
        """Connections that nobody holds."""
        return self._connections - self._held.total()

    def allowance(self) -> int:
        """How many more the domain that holds most may take: k with held + k <= 3 (free - k)."""
        most = max(self._held.values(), default=0)
        return max(0, (_TIMES_FREE * self.free - most) // (_TIMES_FREE + 1))

    def take(self, domain: str) -> bool:
        """Take a connection for this domain; False where none is free or its share is used up."""
        held, free = self._held.get(domain, 0), self.free
        # A domain that holds none may take the last connection; one that holds some leaves it to others.
        if free < 1 or (held and held + 1 > _TIMES_FREE * (free - 1)):
            return False
        self._held[domain] += 1
        return True

    def release(self, domain: str) -> None:
        """Return one connection of this domain."""
        self._held[domain] -= 1
        if not self._held[domain]:
            del self._held[domain]
