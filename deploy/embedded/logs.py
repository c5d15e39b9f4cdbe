"""Logs of the processes, kept from growing without bound, and the last lines of one."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 10 * 1024 * 1024
_TAIL_BYTES: Final = 16 * 1024
_NO_CAUSES: Final = frozenset({"debug", "info", "warning"})
_NO_CAUSE: Final = re.compile(r"\b(DEBUG|INFO|WARN|WARNING)\b")


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


def cause(lines: Sequence[str]) -> str:
    """Why a process ended, as far as its last lines tell: the last one of level error, else the last one.

    What is no log record, such as a sentence on stderr or the end of a traceback, counts as an error.
    """
    for line in reversed(lines):
        told = _error(line.strip())
        if told:
            return told
    return lines[-1].strip() if lines else ""


def _error(line: str) -> str:
    """What a line of level error says, with the last line of its traceback; empty for every other line."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "level" not in record:
        return "" if _NO_CAUSE.search(line) else line
    if record["level"] in _NO_CAUSES:
        return ""
    trace = str(record.get("exception", "")).strip().splitlines()
    return ": ".join(filter(None, [str(record.get("event", "")), *trace[-1:]])) or line
