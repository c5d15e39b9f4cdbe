"""What deciding needs of others, as it is asked for: issuers and achievements, signatures, entries of status lists."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from libs.contracts.events import AchievementPublished, IssuerPublished
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.award import NewAward
from services.issuer.credentials.hindrance import Hindrance, Pair
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import Waiting
from services.issuer.status.entry import StatusEntry


class Reconsidered(NamedTuple):
    """What became of evidence that waited.

    Attributes:
        ended: the pieces that wait no longer.
        waiting: those that wait for something else than before.
    """

    ended: list[PieceId]
    waiting: list[Waiting]

    def __add__(self, other: "Reconsidered") -> "Reconsidered":  # type: ignore[override]  # two of these, not a tuple
        return Reconsidered(self.ended + other.ended, self.waiting + other.waiting)


class AchievementCatalogue(Protocol):
    """Issuers, and the achievement versions that they may award."""

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Return those of these issuers that are known, each with its parent."""
        ...

    async def suspended(self, issuer_ids: Iterable[str]) -> set[str]:
        """Return those of these issuers that may issue nothing, as it is known this moment."""
        ...

    async def resolve(
        self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished]
    ) -> dict[Pair, AchievementPublished]:
        """Return the achievement version that decides, for each (issuer, achievement id) that has one."""
        ...

    def unreadable(self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished]) -> dict[Pair, Hindrance]:
        """Return those of these that `issuers` and `resolve` left out since what is stored of them cannot be read."""
        ...


class Signer(Protocol):
    """Writes and signs credentials."""

    async def hindrances(
        self, versions: Mapping[Pair, AchievementPublished], issuers: Mapping[str, IssuerPublished]
    ) -> dict[Pair, Hindrance]:
        """Load the keys of these issuers; return which of these achievements cannot be signed, whatever is awarded."""
        ...

    async def credentials(
        self, awards: Sequence[tuple[NewAward, StatusEntry]], issuers: dict[str, IssuerPublished], at: datetime
    ) -> list[str | CredentialError | Hindrance]:
        """Return the signed credential of each award, as JSON text, or why it cannot be written."""
        ...


class StatusEntries(Protocol):
    """Allocates entries of status lists."""

    async def allocate(self, count: int) -> list[StatusEntry]:
        """Return entries for `count` new credentials, in lists that are announced already."""
        ...
