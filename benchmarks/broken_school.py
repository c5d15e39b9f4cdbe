"""`make bench-broken`: does a school whose signing key is lost delay the others? On the whole embedded stack.

Fifty schools upload at the same time over HTTP; what is timed ends when everything that the other forty-nine earned is
announced on Kafka. Rounds alternate, all whole and one broken, so that what else the machine does falls on both alike.
The broken school's key is taken out of the database before its round and put back after it, and the next round begins
when all that it earned has been announced too: parked evidence is not refused.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import App, Parameter
from pymongo import AsyncMongoClient
from rich.console import Console

from benchmarks import machine, tenant
from benchmarks.tenant import Tenant
from benchmarks.watching import Watcher
from demo.api import Api, DemoError, Endpoints
from demo.command import endpoints_of
from deploy.embedded import mongodb
from deploy.embedded.commands import start, told
from deploy.embedded.layout import Layout

_SCHOOLS = 50
_ALLOWED = 0.05
_STALLED_SECONDS = 180.0

app = App(name="broken-school", help="Measure what one school without a signing key costs forty-nine others.")
_OUT = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """What one round took.

    Attributes:
        broken: whether one school had no signing key.
        seconds: from the first upload until all that the others earned was announced.
        cpu_seconds: of all processes of the stack, in that time.
    """

    broken: bool
    seconds: float
    cpu_seconds: float


@app.default
def main(
    *,
    pairs: Annotated[int, Parameter(help="how often a whole round and a broken one are measured, 1 to 50")] = 5,
    pieces: Annotated[int, Parameter(help="of evidence that each school sends in a round, 10 to 10000")] = 40,
    broker: Annotated[str, Parameter(help="auto, kafka or tansu; for a stack that does not run yet")] = "auto",
) -> int:
    """Measure, print the ratios, and write VAR/bench/broken-school.json; 1 where the others wait 5 % longer."""
    if not 1 <= pairs <= 50 or not 10 <= pieces <= 10_000:
        sys.exit("bench: 1 to 50 pairs of 10 to 10000 pieces")
    return told(lambda: _main(start(broker), pairs, pieces))


def _main(layout: Layout, pairs: int, pieces: int) -> int:
    try:
        rounds = asyncio.run(_measure(layout, pairs, pieces))
    except (DemoError, TimeoutError) as error:
        _OUT.print(f"[red]bench:[/red] {error}", soft_wrap=True)
        return 1
    path = layout.var / "bench" / "broken-school.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(each) for each in rounds], indent=2) + "\n", encoding="utf-8")
    ratios = [broken.seconds / whole.seconds for whole, broken in zip(rounds[::2], rounds[1::2], strict=True)]
    cpu = [broken.cpu_seconds / whole.cpu_seconds for whole, broken in zip(rounds[::2], rounds[1::2], strict=True)]
    delay = statistics.median(ratios)
    _OUT.print(
        f"one school of {_SCHOOLS} broken: {delay:.3f} of the time for the others (median of {len(ratios)} pairs, "
        f"{min(ratios):.3f} to {max(ratios):.3f}); {statistics.median(cpu):.3f} of the CPU time"
    )
    _OUT.print(f"The same as JSON: {path}", soft_wrap=True)
    return 0 if delay < 1 + _ALLOWED else 1


async def _measure(layout: Layout, pairs: int, pieces: int) -> list[Round]:
    endpoints = endpoints_of(layout)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb.administrators_url(layout))
    async with Api(_OUT.print) as api, client:
        _OUT.print(f"founding {_SCHOOLS} schools …")
        schools = [await tenant.found(api, endpoints) for _ in range(_SCHOOLS)]
        rounds = _Rounds(layout, endpoints, api, schools, pieces, client["issuer"]["signing_keys"])
        await rounds.go(broken=False)  # everything that is made once is made
        return [await rounds.go(broken=each) for _ in range(pairs) for each in (False, True)]


@dataclass
class _Rounds:
    """Rounds of the same schools; the last one is the one that may be broken."""

    layout: Layout
    endpoints: Endpoints
    api: Api
    schools: Sequence[Tenant]
    pieces: int
    keys: Any
    sent: int = 0

    async def go(self, *, broken: bool) -> Round:
        """Let all schools upload, and time the others.

        Raises:
            TimeoutError: something that was earned is not announced.
        """
        *others, last = (each.issuer_id for each in self.schools)
        earned = tenant.credentials_of(self.sent, self.pieces)
        key = await self.keys.find_one({"issuer_id": last})
        kafka = self.layout.address("kafka")
        async with Watcher(kafka, *others) as rest, Watcher(kafka, last) as one:
            if broken:
                await self.keys.delete_one({"_id": key["_id"]})
            try:
                before, began = machine.cpu_seconds(self.layout), monotonic()
                async with asyncio.TaskGroup() as group:
                    for each in self.schools:
                        group.create_task(self._upload(each))
                    await rest.wait_for(earned * len(others), stalled_seconds=_STALLED_SECONDS)
                seconds = monotonic() - began
                cpu = machine.difference(machine.cpu_seconds(self.layout), before)
                parked = earned - len(one.announced)
            finally:
                if broken:
                    await self.keys.insert_one(key)
            await one.wait_for(earned, stalled_seconds=_STALLED_SECONDS)
        self.sent += self.pieces
        done = Round(broken, round(seconds, 3), round(machine.stack_seconds(cpu), 3))
        _OUT.print(
            f"  {'one broken' if broken else 'all whole '}: {done.seconds:.2f} s, {done.cpu_seconds:.2f} s of CPU"
            + (f"; {parked} of its {earned} waited" if broken else "")
        )
        return done

    async def _upload(self, school: Tenant) -> None:
        body = b"".join(tenant.evidence(self.sent, self.pieces))
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid4())}
        await self.api.upload(f"{self.endpoints.evidence}/v1/batches", body, headers, school.key)


if __name__ == "__main__":
    sys.exit(app())
