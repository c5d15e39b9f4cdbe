"""Send a school's files, one after the other, and read back what became of every row."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from demo import files
from demo.api import Api, DemoError
from demo.data import School, SchoolFile
from demo.progress import Display

_POLL_SECONDS = 0.25
_PAGE_ROWS = 500
_PATIENCE_SECONDS = 300.0
SENDING = "files sent"
DECIDING = "rows decided"


@dataclass
class Sent:
    """What the evidence service answered about one school's files.

    Attributes:
        rows: how many rows the files hold.
        received: rows that arrived, as the service counts them.
        counts: rows by state, summed over the batches.
        refused: rows by reason.
        issued: credential id to the learner's address, empty where the files give none.
    """

    rows: int = 0
    received: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    issued: dict[str, str] = field(default_factory=dict)


class Uploader:
    """Uploads the files of one school."""

    def __init__(self, api: Api, evidence: str, key: str, display: Display) -> None:
        self._api = api
        self._evidence = evidence
        self._batches = f"{evidence}/v1/batches"
        self._key = key
        self._display = display

    async def send_all(self, school: School) -> Sent:
        """Send every file as often as the school does; each waits for the one before, as one day for the other."""
        sent = Sent()
        for file in school.files:
            for sending in range(file.sendings):
                batch = await self._send(school, file, sending)
                sent.rows += len(file.rows)
                sent.received += batch["received"]
                sent.counts.update(batch["counts"])
                sent.refused.update(batch["reasons"].get("refused", {}))
                async for row in self._rows(batch["id"], "issued"):
                    sent.issued[row["credential_id"]] = file.rows[row["row"] - 1].values["learner_email"]
                self._display.advance(SENDING)
        return sent

    async def _send(self, school: School, file: SchoolFile, sending: int) -> dict[str, Any]:
        """Send a file and wait until each of its rows is decided.

        The key makes the call repeatable: the same file under the same key is the same batch, also in a later run of
        the demo. The school's own second sending of a file has a key of its own, as it would in real life.
        """
        content = files.content(file)
        digest = hashlib.sha256(content).hexdigest()[:16]
        headers = {**files.headers(file), "Idempotency-Key": f"{school.id}-{file.name}-{digest}-{sending + 1}"}
        batch = await self._api.upload(self._batches, content, headers, self._key)
        counted, moved_at = 0, monotonic()
        while True:
            batch = await self._api.get(f"{self._batches}/{batch['id']}", self._key)
            decided = sum(count for state, count in batch["counts"].items() if state != "pending")
            self._display.advance(DECIDING, decided - counted)
            if decided > counted:
                counted, moved_at = decided, monotonic()
            # What waits for an achievement that is not published has its decision: it waits.
            if batch["state"] == "accepted" and not batch["counts"]["pending"]:
                return dict(batch)
            if batch["state"] == "interrupted":
                await self._api.upload(self._batches, content, headers, self._key)
            if monotonic() > moved_at + _PATIENCE_SECONDS:
                still = f"{batch['received'] - counted} rows of {file.name} are still undecided"
                raise DemoError(f"{still} after {_PATIENCE_SECONDS:.0f} s without progress: see `make status`")
            await asyncio.sleep(_POLL_SECONDS)

    async def _rows(self, batch_id: str, state: str) -> AsyncIterator[dict[str, Any]]:
        following = f"/v1/batches/{batch_id}/rows?state={state}&limit={_PAGE_ROWS}"
        while following:
            page = await self._api.get(f"{self._evidence}{following}", self._key)
            for row in page["rows"]:
                yield row
            following = page["next"]
