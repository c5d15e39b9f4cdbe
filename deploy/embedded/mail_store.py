"""The mails that the sink took: private files named after the Message-ID; the same mail again shows as a repeat."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_MESSAGE_ID: Final = re.compile(rb"^message-id:\s*<?([^<>\s]+)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._@+-]")
_LONGEST_NAME: Final = 180


class MailStore:
    """A directory of mails: each is whole or not there, and none replaces another one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, mails: Sequence[bytes]) -> list[Path]:
        """Write mails and return their files, in order; when this returns they and their names are on the disk.

        Raises:
            OSError: the disk is full or the directory cannot be written; some of the mails may be kept then.
        """
        files = [self._write(mail) for mail in mails]
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return files

    def _write(self, mail: bytes) -> Path:
        name = file_name(mail)
        partial = self._directory / f".{name}.{os.urandom(6).hex()}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(mail)
                file.flush()
                os.fdatasync(file.fileno())
            return self._claim(partial, name)
        finally:
            partial.unlink(missing_ok=True)

    def _claim(self, partial: Path, name: str) -> Path:
        """Give a whole file its name; a link fails where the name is taken, a rename would replace."""
        repeat = 0
        while True:
            final = self._directory / (f"{name}.repeat-{repeat}.eml" if repeat else f"{name}.eml")
            try:
                os.link(partial, final)
            except FileExistsError:
                repeat += 1
            else:
                return final


def file_name(mail: bytes) -> str:
    """The Message-ID without its brackets and without what could leave the directory; `no-message-id` without one."""
    end = _END_OF_HEAD.search(mail)
    told = _MESSAGE_ID.search(mail, 0, end.start() if end else len(mail))
    safe = _UNSAFE.sub("_", told[1].decode("ascii", errors="replace")) if told else ""
    return safe[:_LONGEST_NAME].lstrip(".") or "no-message-id"
