"""The folder with the first API keys of organisations: a file for each, which its owner alone may read.

1. Make the file, empty: a key is asked for.            Killed: the next run withdraws what was made of it, from 2.
2. Ask for the key, which is shown once.                Killed: likewise.
3. Write it into the file, and have it on the disk.     Killed: it is there.
"""

import os
from pathlib import Path

from libs.access.key_files import write_new


class KeyFolder:
    """Files `ID.key` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder unless it is there.

        Raises:
            OSError: it cannot be made.
            ValueError: others than its owner may enter it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_mode & 0o077:
            raise ValueError(f"others than its owner may enter {self._folder}; do: chmod 700 {self._folder}")

    def unfinished(self) -> set[str]:
        """Return the ids of the organisations whose key was asked for and stands not here."""
        return {each.stem for each in self._folder.glob("*.key") if not each.stat().st_size}

    def has(self, organisation_id: str) -> bool:
        """Return whether a key of this organisation stands here."""
        path = self._path(organisation_id)
        return path.exists() and path.stat().st_size > 0

    def announce(self, organisation_id: str) -> None:
        """Make the empty file that stands for a key that is asked for.

        Raises:
            OSError: the file cannot be made.
        """
        path = self._path(organisation_id)
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def write(self, organisation_id: str, key: str) -> None:
        """Write a key into the file that says that it is asked for.

        Raises:
            OSError: it cannot be written.
        """
        path = self._path(organisation_id)
        partial = path.with_suffix(".part")
        partial.unlink(missing_ok=True)
        write_new(partial, key)
        partial.replace(path)

    def _path(self, organisation_id: str) -> Path:
        # An id is a slug, so it leads nowhere else.
        return self._folder / f"{organisation_id}.key"
