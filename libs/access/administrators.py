"""Administrators: their names and the digests of their API keys, from a file alone, never from a topic."""

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from time import monotonic

from libs.common.clock import now as utc_now
from libs.common.settings import PREFIX, SettingsError
from libs.common.telemetry import get_logger

VARIABLE = f"{PREFIX}ADMIN_KEYS_FILE"

_LINE = re.compile(r"([a-z0-9][a-z0-9.-]{0,63}) +([0-9a-f]{64})(?: +(\S+))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# How long a line that was taken out may still be honoured.
_READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Administrator:
    """A line of the file.

    Attributes:
        last_day: on which the key works, in UTC; None where it has no end.
    """

    name: str
    last_day: date | None = None


class Administrators:
    """The file `admin_keys_file`, a line `NAME SHA256 [LAST-DAY]` for each key; read again when it has changed."""

    def __init__(
        self, path: Path | None, *, clock: Callable[[], float] = monotonic, now: Callable[[], datetime] = utc_now
    ) -> None:
        """Read the file.

        Args:
            path: None where there are no administrators.
            clock: seconds, for how old is what is known of the file.
            now: the time by which keys end, in UTC.

        Raises:
            SettingsError: it cannot be read, or a line of it is not valid.
        """
        self._path = path
        self._clock = clock
        self._now = now
        self._read_at = clock()
        self._lines = {} if path is None else read(path)
        self._honoured: frozenset[str] | None = None
        self.used: dict[str, tuple[str, date]] = {}
        """By the digests of their keys, who has called, and on which day last, in UTC."""

    def honour(self, digests: Iterable[str]) -> None:
        """Let in, of those whom the file names, these alone from now on; before the first call all of them."""
        self._honoured = frozenset(digests)

    def listed(self) -> dict[str, Administrator]:
        """Return whom the file names, by the digests of their keys, without those that have ended."""
        self._refresh()
        today = self._now().date()
        return {sha256: each for sha256, each in self._lines.items() if each.last_day is None or today <= each.last_day}

    def name_of(self, sha256: str) -> str | None:
        """Return the name of the administrator whose key has this digest; every digest is compared, each in full."""
        found = None
        for digest, each in self.listed().items():
            if hmac.compare_digest(digest, sha256):
                found = each.name
        return found if self._honoured is None or sha256 in self._honoured else None

    def note_use(self, sha256: str, name: str) -> None:
        """Note that this administrator's key was used just now."""
        self.used[sha256] = name, self._now().date()

    def _refresh(self) -> None:
        now = self._clock()
        if self._path is None or now - self._read_at < _READ_SECONDS:
            return
        self._read_at = now
        try:
            self._lines = read(self._path)
        except SettingsError as error:
            # A file that cannot be read withdraws all rather than none.
            get_logger().error("no administrator is known", problem=str(error))
            self._lines = {}


def read(path: Path) -> dict[str, Administrator]:
    """Return the administrators by the digests of their keys; several lines may have one name.

    Raises:
        SettingsError: the file cannot be read, or a line of it is not valid.
    """
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{VARIABLE}: {path} cannot be read ({type(error).__name__}); `bowerbird admin-key` adds to it"
        ) from None
    return parsed(lines, path)


def parsed(lines: Sequence[str], path: Path) -> dict[str, Administrator]:
    """Return what these lines of the file say.

    Raises:
        SettingsError: a line is not valid; says which, and what is wrong with it.
    """
    found: dict[str, Administrator] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line.strip())
        if parts is None:
            raise SettingsError(
                f"{VARIABLE}: line {number} of {path} is not NAME, 64 hexadecimal digits and, where the key ends, its "
                "last day"
            )
        found[parts[2]] = Administrator(parts[1], None if parts[3] is None else _day(parts[3], number, path))
    return found


def _day(text: str, number: int, path: Path) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise SettingsError(
        f"{VARIABLE}: line {number} of {path} ends with {text[:20]!r}, which is no day such as 2027-06-30, the last "
        "one on which the key works"
    )
