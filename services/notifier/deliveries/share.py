"""Divides a number of places among destination domains, so that none can take them all (pure, in memory)."""

from collections import Counter

# A domain may hold three times as many places as are free. One busy domain gets three quarters; two get three
# sevenths each; however many are slow, some places stay for the next one (dynamic thresholds: Choudhury and Hahne,
# IEEE/ACM Transactions on Networking 6(2), 1998).
_TIMES_FREE = 3


class FairShare:
    """Places in use, by domain."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: Counter[str] = Counter()

    @property
    def free(self) -> int:
        """Places that nobody holds."""
        return self._places - self._held.total()

    def allowance(self) -> int:
        """How many more the domain that holds most may take: k with held + k <= 3 (free - k)."""
        most = max(self._held.values(), default=0)
        return max(0, (_TIMES_FREE * self.free - most) // (_TIMES_FREE + 1))

    def take(self, domain: str) -> bool:
        """Take a place for this domain; False where none is free or its share is used up."""
        held, free = self._held.get(domain, 0), self.free
        # A domain that holds none may take the last place; one that holds some leaves it to others.
        if free < 1 or (held and held + 1 > _TIMES_FREE * (free - 1)):
            return False
        self._held[domain] += 1
        return True

    def give_back(self, domain: str) -> None:
        """Give one place of this domain back."""
        self._held[domain] -= 1
        if not self._held[domain]:
            del self._held[domain]
