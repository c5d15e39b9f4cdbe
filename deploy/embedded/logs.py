"""Logs of the processes, kept from growing without bound, and the last lines of one."""

import shutil
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 10 * 1024 * 1024
_TAIL_BYTES: Final = 16 * 1024


def shorten(log: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Move the content of a log that is too long to `<log>.1` and empty it; True when that was done.

    The process keeps the file open for appending and goes on at the new end. What it writes between the copy and the
    emptying is lost; a log is not evidence of anything here.
    """
    try:
        if log.stat().st_size <= max_bytes:
            return False
    except FileNotFoundError:
        return False
    older = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, older)
        older.chmod(0o600)
    except OSError:  # a full disk: then the room matters more than the lines
        older.unlink(missing_ok=True)
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def last_lines(log: Path, count: int = 12) -> list[str]:
    """The end of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
