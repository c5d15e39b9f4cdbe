"""`make bench-upload`: what a million rows in one upload take of the evidence service's memory.

Kafka, MongoDB and the evidence service are processes of their own, beside whatever stack runs. Each form is sent as
one `POST /v1/batches`, made while it is sent, and the service's resident memory is read five times a second. It ends
with status 1 where memory grows beyond `FLAT_MB` over what the service had after a first, small upload.
"""

import contextlib
import csv
import io
import json
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import orjson
import psutil
from pymongo import MongoClient

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from libs.access.key_text import key_sha256, new_key
from libs.access.repository import granting
from libs.contracts.events import ApiKeyGranted

ROWS = 1_000_000
FLAT_MB = 20
PORT_OFFSET = 5600
_FIRST_ROWS = 10_000
_LEARNERS = 100_000
_ROWS_AT_ONCE = 500
_LOOK_SECONDS = 0.2
_MB = 1024 * 1024
_LEVELS = ("unistructural", "multistructural", "relational", "extended_abstract", "no such level")


def row(number: int) -> dict[str, str]:
    """One row as a school sends it; one in five is refused at ingestion."""
    learner = number % _LEARNERS
    return {
        "source_id": f"VW-{number}",
        "learner_id": f"L{learner}",
        "learner_name": f"Zoë {learner}",
        "learner_email": f"l{learner}@school.example",
        "achievement": "resilience",
        "level": _LEVELS[number % len(_LEVELS)],
        "date": "2026-03-09",
        "activity": "Raft building",
        "assessor": "Ms Pike",
        "comment": "Kept going, even in the rain, and said how that helped.",
    }


def ndjson(rows: int) -> Iterator[bytes]:
    """One object a line."""
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield b"".join(orjson.dumps(row(each)) + b"\n" for each in range(start, min(start + _ROWS_AT_ONCE, rows)))


def comma_separated(rows: int) -> Iterator[bytes]:
    """With a header, and quoted where it must be."""
    for start in range(0, rows, _ROWS_AT_ONCE):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(row(0)))
        if start == 0:
            writer.writeheader()
        writer.writerows(map(row, range(start, min(start + _ROWS_AT_ONCE, rows))))
        yield text.getvalue().encode()


def packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """As gzip."""
    gzip = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    for part in parts:
        yield gzip.compress(part)
    yield gzip.flush()


FORMS: dict[str, tuple[Callable[[int], Iterator[bytes]], dict[str, str]]] = {
    "NDJSON, gzip": (
        lambda rows: packed(ndjson(rows)),
        {"content-type": "application/x-ndjson", "content-encoding": "gzip"},
    ),
    "CSV, plain": (comma_separated, {"content-type": "text/csv"}),
}


def granted(stack: Stack) -> dict[str, str]:
    """The header of a school that may send evidence, entered where the issuer's event would have entered it."""
    key = new_key()
    grant = ApiKeyGranted(
        key_sha256=key_sha256(key),
        issuer_id="bench",
        name="Benchmark",
        scopes=("evidence:write",),
        granted_at=datetime.now(UTC),
        granted_by="administrator:bench",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    with MongoClient[dict[str, Any]](stack.mongo_url) as client:
        client["evidence"]["api_keys"].bulk_write([granting(grant)])
    return {"authorization": f"Bearer {key}"}


@contextlib.contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """A process's resident bytes, from its start on and until this ends."""
    process, ended, seen = psutil.Process(pid), threading.Event(), [psutil.Process(pid).memory_info().rss]

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            seen.append(process.memory_info().rss)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


def send(stack: Stack, key: dict[str, str], form: str, rows: int) -> None:
    make, headers = FORMS[form]
    url = f"{stack.url('evidence')}/v1/batches"
    answer = httpx.post(url, content=make(rows), headers={**key, **headers}, timeout=3_600, trust_env=False)
    received = answer.json().get("received")
    if (answer.status_code, received) != (202, rows):
        raise SystemExit(f"{form}: {answer.status_code}, {received} rows received of {rows}")


def measure(stack: Stack, key: dict[str, str], form: str, rows: int) -> dict[str, Any]:
    """One upload, and what memory did meanwhile."""
    started = monotonic()
    with watched(stack.pid("evidence")) as seen:
        send(stack, key, form, rows)
    seconds = monotonic() - started
    return {
        "form": form,
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "start_mb": round(seen[0] / _MB, 1),
        # Tenths of the upload, so that a slow growth shows as such.
        "mb_by_tenth": [round(max(seen[at * len(seen) // 10 :][: len(seen) // 10 + 1]) / _MB, 1) for at in range(10)],
        "peak_mb": round(max(seen) / _MB, 1),
    }


def main() -> int:
    """Measure each form, print a line of each and write var/bench/upload.json."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    found = []
    with tempfile.TemporaryDirectory(prefix="bowerbird-upload-") as var, Stack(Path(var), PORT_OFFSET) as stack:
        stack.start("mongodb", "kafka")
        stack.start("setup")
        stack.start("evidence")
        key = granted(stack)
        for form in FORMS:
            send(stack, key, form, _FIRST_ROWS)
            found.append(measure(stack, key, form, rows))
            print(json.dumps(found[-1]), flush=True)
    path = SOURCE_ROOT / "var" / "bench" / "upload.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    grown = max(each["peak_mb"] - each["start_mb"] for each in found)
    print(f"memory grew by {grown:.0f} MB at the most; flat is {FLAT_MB}")
    return 0 if grown <= FLAT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
