"""`make bench-lanes`: what does one school's large file cost another's ten rows? On the whole embedded stack.

Ten rows at a time are uploaded over HTTP, and what is timed ends when the batch is complete: first while nothing else
is there, then while a large file of another school is taken in, then while that is decided, for as long as most of it
is to come.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import App, Parameter
from rich.console import Console

from benchmarks import tenant
from benchmarks.tenant import Tenant
from demo.api import Api, DemoError, Endpoints
from demo.command import endpoints_of
from deploy.embedded.commands import start, told
from deploy.embedded.layout import Layout

_ALLOWED = 3.0
_ROWS = 10
_LOOK_SECONDS = 0.02
_STALLED_SECONDS = 180.0
_SETTLE_SECONDS = 1.0
# An upload is answered when all of it is on Kafka and stored.
_PATIENCE_SECONDS = 1_800
# No more small batches are sent once so much of the large one is left: it must run until they are decided.
_LEFT = 0.2

app = App(name="fair-lanes", help="Measure what one school's large file costs another's ten rows.")
_OUT = Console(highlight=False)


@dataclass
class Found:
    """Seconds from the first byte of each small batch to its last decision, by what else was going on."""

    large_rows: int
    quiet: list[float] = field(default_factory=list)
    while_taken_in: list[float] = field(default_factory=list)
    while_decided: list[float] = field(default_factory=list)
    large_seconds: float = 0

    @property
    def ratio(self) -> float:
        """How many times as long a small batch takes while a large one runs; the median of each."""
        return statistics.median([*self.while_taken_in, *self.while_decided]) / statistics.median(self.quiet)


@app.default
def main(
    *,
    rows: Annotated[int, Parameter(help="of the large file, 10000 to 1000000")] = 60_000,
    quiet: Annotated[
        int, Parameter(help="how many small batches are timed while nothing else is there, 3 to 100")
    ] = 20,
    broker: Annotated[str, Parameter(help="auto, kafka or tansu; for a stack that does not run yet")] = "auto",
) -> int:
    """Measure, print the ratio, and write VAR/bench/fair-lanes.json; 1 where ten rows take three times as long."""
    if not 10_000 <= rows <= 1_000_000 or not 3 <= quiet <= 100:
        sys.exit("bench: 10000 to 1000000 rows, 3 to 100 small batches")
    return told(lambda: _main(start(broker), rows, quiet))


def _main(layout: Layout, rows: int, quiet: int) -> int:
    try:
        found = asyncio.run(_measure(layout, rows, quiet))
    except (DemoError, TimeoutError) as error:
        _OUT.print(f"[red]bench:[/red] {error}", soft_wrap=True)
        return 1
    path = layout.var / "bench" / "fair-lanes.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    for name in ("quiet", "while_taken_in", "while_decided"):
        seconds = sorted(getattr(found, name))
        if seconds:
            _OUT.print(
                f"{name.replace('_', ' '):>15}: {statistics.median(seconds):.3f} s, "
                f"at most {seconds[-1]:.3f} s ({len(seconds)} batches of {_ROWS} rows)"
            )
    _OUT.print(
        f"ten rows take {found.ratio:.2f} times their quiet time while {rows:,} rows of another school run, "
        f"which took {found.large_seconds:.1f} s; allowed: {_ALLOWED:g}"
    )
    _OUT.print(f"The same as JSON: {path}", soft_wrap=True)
    return 0 if found.ratio <= _ALLOWED else 1


async def _measure(layout: Layout, rows: int, quiet: int) -> Found:
    endpoints, found = endpoints_of(layout), Found(rows)
    async with Api(_OUT.print, patience_seconds=_PATIENCE_SECONDS) as api:
        small = _School(api, endpoints, await tenant.found(api, endpoints))
        large = _School(api, endpoints, await tenant.found(api, endpoints))
        await small.upload_and_wait()  # everything that is made once is made
        for _ in range(quiet):
            await asyncio.sleep(_SETTLE_SECONDS)
            found.quiet.append(await small.upload_and_wait())
        await _beside(small, large, found)
    return found


async def _beside(small: "_School", large: "_School", found: Found) -> None:
    """Send small batches while the large one is taken in, and then while most of it is to be decided."""
    began = monotonic()
    uploading = asyncio.create_task(large.upload(found.large_rows))
    while not uploading.done():
        seconds = await small.upload_and_wait()
        if not uploading.done():
            found.while_taken_in.append(seconds)
    batch_id = await uploading
    while (await large.batch(batch_id))["counts"]["pending"] > found.large_rows * _LEFT:
        found.while_decided.append(await small.upload_and_wait())
    if not found.while_taken_in and not found.while_decided:
        raise DemoError("the large file was decided before a small one could be sent; make it larger")
    await large.wait(batch_id)
    found.large_seconds = round(monotonic() - began, 1)


class _School:
    """A school that sends files, each of learners that no other has."""

    def __init__(self, api: Api, endpoints: Endpoints, school: Tenant) -> None:
        self._api = api
        self._url = f"{endpoints.evidence}/v1/batches"
        self._key = school.key
        self._sent = 0

    async def upload_and_wait(self) -> float:
        """Send ten rows; return the seconds until all are decided."""
        began = monotonic()
        await self.wait(await self.upload(_ROWS))
        return round(monotonic() - began, 4)

    async def upload(self, rows: int) -> str:
        """Send so many rows; return the id of their batch once they are taken in."""
        first, self._sent = self._sent, self._sent + rows

        def body() -> AsyncIterator[bytes]:
            return tenant.stream(first, rows)

        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid4())}
        return str((await self._api.upload(self._url, body, headers, self._key))["id"])

    async def wait(self, batch_id: str) -> None:
        """Return once all of it is decided.

        Raises:
            TimeoutError: nothing of it was for too long.
        """
        pending, moved_at = None, monotonic()
        while not (batch := await self.batch(batch_id))["complete"]:
            if batch["counts"]["pending"] != pending:
                pending, moved_at = batch["counts"]["pending"], monotonic()
            if monotonic() - moved_at > _STALLED_SECONDS:
                raise TimeoutError(f"a batch is not decided: {batch['counts']}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def batch(self, batch_id: str) -> Any:
        """Return the batch as it is now."""
        return await self._api.get(f"{self._url}/{batch_id}", self._key)


if __name__ == "__main__":
    sys.exit(app())
