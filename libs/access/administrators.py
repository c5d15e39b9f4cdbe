"""Administrators: their names and the digests of their API keys, from a file alone, never from a topic."""

import hmac
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

from libs.common.settings import PREFIX, SettingsError
from libs.common.telemetry import get_logger

VARIABLE = f"{PREFIX}ADMIN_KEYS_FILE"

_LINE = re.compile(r"([a-z0-9][a-z0-9.-]{0,63}) +([0-9a-f]{64})")
# How long a line that was taken out may still be honoured.
_READ_SECONDS = 1.0


class Administrators:
    """The file `admin_keys_file`, a line `NAME SHA256` for each key; read again when it has changed."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = monotonic) -> None:
        """Read the file.

        Raises:
            SettingsError: it cannot be read, or a line of it is not valid.
        """
        self._path = path
        self._clock = clock
        self._read_at = clock()
        self._names = {} if path is None else read(path)
        self._honoured: frozenset[str] | None = None

    def honour(self, digests: Iterable[str]) -> None:
        """Let in, of those whom the file names, these alone from now on; before the first call all of them."""
        self._honoured = frozenset(digests)

    def listed(self) -> dict[str, str]:
        """Return the names in the file by the digests of their keys."""
        self._refresh()
        return self._names

    def name_of(self, sha256: str) -> str | None:
        """Return the name of the administrator whose key has this digest; every digest is compared, each in full."""
        self._refresh()
        found = None
        for digest, name in self._names.items():
            if hmac.compare_digest(digest, sha256):
                found = name
        return found if self._honoured is None or sha256 in self._honoured else None

    def _refresh(self) -> None:
        now = self._clock()
        if self._path is None or now - self._read_at < _READ_SECONDS:
            return
        self._read_at = now
        try:
            self._names = read(self._path)
        except SettingsError as error:
            # A file that cannot be read withdraws all rather than none.
            get_logger().error("no administrator is known", problem=str(error))
            self._names = {}


def read(path: Path) -> dict[str, str]:
    """Return the administrators' names by the digests of their keys; several lines may have one name.

    Raises:
        SettingsError: the file cannot be read, or a line of it is not valid.
    """
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{VARIABLE}: {path} cannot be read ({type(error).__name__}); `bowerbird admin-key` adds to it"
        ) from None
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise SettingsError(f"{VARIABLE}: line {number} of {path} is not NAME and 64 hexadecimal digits")
        names[found[2]] = found[1]
    return names
