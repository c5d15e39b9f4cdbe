"""What the issuing instances remember while they run: which credential has which status entry, and which are set."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """What every key of the instances is derived from; it shows in no representation."""

    ed25519: bytes = field(repr=False)
    p256: bytes = field(repr=False)
    indexes: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "Secrets":
        """Return new ones, from the operating system's randomness."""
        return cls(*(secrets.token_bytes(_SECRET_BYTES) for _ in range(3)))

    @classmethod
    def from_bytes(cls, joined: bytes) -> "Secrets":
        """Return those that `to_bytes` wrote."""
        return cls(*(joined[start : start + _SECRET_BYTES] for start in (0, _SECRET_BYTES, 2 * _SECRET_BYTES)))

    def to_bytes(self) -> bytes:
        """Return all in one, for a private file."""
        return self.ed25519 + self.p256 + self.indexes


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """One entry of a status list."""

    purpose: str
    list_id: str
    index: int


@dataclass(frozen=True, slots=True)
class ListState:
    """A status list as it is to be signed.

    Attributes:
        version: grows with every change; 0 where nothing was ever set.
        indexes: the entries that are set.
    """

    version: int = 0
    indexes: frozenset[int] = frozenset()


class InstanceState:
    """In memory alone: suites issue, set a status and verify within one run."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._entries: dict[str, tuple[StatusEntry, ...]] = {}
        self._lists: dict[str, ListState] = {}

    def take_number(self, purpose: str) -> int:
        """Return the next number of this purpose: 0, 1, 2 and so on."""
        number = self._numbers.get(purpose, 0)
        self._numbers[purpose] = number + 1
        return number

    def record_entries(self, credential_id: str, entries: Sequence[StatusEntry]) -> None:
        """Note the entries of a credential; those noted last hold."""
        self._entries[credential_id] = tuple(entries)

    def entries(self, credential_id: str) -> Sequence[StatusEntry]:
        """Return the entries of a credential; none where it is not known."""
        return self._entries.get(credential_id, ())

    def set_entry(self, entry: StatusEntry, *, value: bool) -> None:
        """Set or unset one entry; the list's version grows."""
        state = self.list_state(entry.list_id)
        indexes = state.indexes | {entry.index} if value else state.indexes - {entry.index}
        self._lists[entry.list_id] = ListState(state.version + 1, indexes)

    def list_state(self, list_id: str) -> ListState:
        """Return a list as it stands now."""
        return self._lists.get(list_id, ListState())
