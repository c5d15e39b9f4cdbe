"""`make bench`: the whole way of an award on the embedded stack, from evidence over HTTP to the announced credential.

For each size: one upload of so many pieces, timed until the last credential is announced on `credential.lifecycle`
(a credential is stored before it is announced); then half of the rate just measured, steadily, in small uploads, for
the time from acceptance to announcement. The machine's Ed25519 rate is measured in the same run, so that runs compare.
"""

import asyncio
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic, time
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from benchmarks import machine, tenant
from benchmarks.targets import TARGETS, Target, verdict
from benchmarks.watching import Watcher
from benchmarks.yardstick import Yardstick, faststream_loop
from demo.api import Api, DemoError, Endpoints
from demo.command import endpoints_of
from deploy.embedded import operations
from deploy.embedded.commands import start, told
from deploy.embedded.layout import Layout

_STALLED_SECONDS = 120.0
_SETTLE_SECONDS = 300.0
_LOOK_SECONDS = 2.0
_IDLE_SHARE = 0.5  # of one core, for the whole stack; an idle one takes a quarter, most of it Kafka
# An upload is answered when all of it is on Kafka and stored; ten times as slow as it is measured to be.
_PATIENCE_SECONDS = 240
_PATIENCE_SECONDS_A_PIECE = 0.005
_HALF_LOAD_UPLOAD = 20
_HALF_LOAD_MOST = 50_000

app = App(name="pipeline", help="Measure the whole way of an award on the embedded stack.")
_OUT = Console(highlight=False)


@dataclass
class Measurement:
    """What came out for one size.

    Attributes:
        evidence: pieces in the one upload.
        credentials: what they issued; nine of ten pieces do.
        seconds: from the first byte of the upload to the arrival of the last announcement.
        per_second: credentials announced a second.
        evidence_per_second: pieces decided a second.
        ed25519_per_second: signatures of one core of this machine, measured before.
        cpu_seconds: by process, from the first byte until verifier and notifier had caught up too.
        cpu_ms_per_credential: of all processes but the benchmark's own.
        cpu_signatures_per_credential: the same as the number of signatures that one core makes in that time.
        settled_seconds: until then.
        p50_ms: from acceptance (`received_at`) to announcement, under half of the rate.
        p99_ms: the same.
    """

    evidence: int
    credentials: int = 0
    seconds: float = 0
    per_second: float = 0
    evidence_per_second: float = 0
    upload_seconds: float = 0
    ed25519_per_second: float = 0
    ratio_to_ed25519: float = 0
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    cpu_ms_per_credential: float = 0
    cpu_signatures_per_credential: float = 0
    settled_seconds: float = 0
    half_load_per_second: float = 0
    half_load_credentials: int = 0
    p50_ms: float = 0
    p99_ms: float = 0
    max_ms: float = 0
    repeated_announcements: int = 0


@app.default
def main(
    *,
    sizes: Annotated[str, Parameter(help="pieces of evidence of each measurement, comma-separated")] = "20000,100000",
    half_load_seconds: Annotated[float, Parameter(help="how long the steady half load lasts, 1 to 300")] = 20,
    broker: Annotated[str, Parameter(help="auto, kafka or tansu; for a stack that does not run yet")] = "auto",
) -> int:
    """Measure, print a table, and write VAR/bench/pipeline.json."""
    wanted = [int(size) for size in sizes.split(",")]
    if not all(1 <= size <= 1_000_000 for size in wanted) or not 1 <= half_load_seconds <= 300:
        sys.exit("bench: a size is a number from 1 to 1000000, the half load lasts 1 to 300 seconds")
    return told(lambda: _main(start(broker), wanted, half_load_seconds))


def _main(layout: Layout, sizes: list[int], half_load_seconds: float) -> int:
    found: list[Measurement] = []
    path = layout.var / "bench" / "pipeline.json"
    try:
        asyncio.run(_idle(layout))
        _OUT.print("measuring the machine's Ed25519 rate …")
        ed25519 = machine.ed25519_per_second()
        _OUT.print("measuring FastStream's own loop …")
        yardstick = asyncio.run(faststream_loop(layout.address("kafka"), ed25519))
        for size in sizes:
            found.append(asyncio.run(_measure(layout, size, ed25519, half_load_seconds)))
            _write(path, layout, found, yardstick)
    except (DemoError, TimeoutError) as error:
        _OUT.print(f"[red]bench:[/red] {error}", soft_wrap=True)
        return 1
    _OUT.print(_table(found, yardstick))
    _OUT.print(f"The same as JSON: {path}", soft_wrap=True)
    return 0


async def _idle(layout: Layout) -> None:
    """Wait until the stack has nothing left to do.

    Raises:
        TimeoutError: it goes on working; what is measured beside other work says nothing.
    """
    before = machine.cpu_seconds(layout)
    give_up_at = monotonic() + _SETTLE_SECONDS
    while monotonic() < give_up_at:
        await asyncio.sleep(_LOOK_SECONDS)
        now = machine.cpu_seconds(layout)
        if sum(now.values()) - sum(before.values()) < _IDLE_SHARE * _LOOK_SECONDS:
            return
        before = now
    raise TimeoutError(f"the stack was still busy after {_SETTLE_SECONDS:.0f} s; `bowerbird down` and `up` may help")


async def _measure(layout: Layout, size: int, ed25519: float, half_load_seconds: float) -> Measurement:
    endpoints = endpoints_of(layout)
    result = Measurement(evidence=size, ed25519_per_second=round(ed25519))
    async with Api(_OUT.print, patience_seconds=_PATIENCE_SECONDS + size * _PATIENCE_SECONDS_A_PIECE) as api:
        run = _Run(layout, endpoints, api, await tenant.found(api, endpoints), result)
        await run.whole_load()
        await run.half_load(half_load_seconds)
    return result


@dataclass(frozen=True)
class _Run:
    """One size, measured with a school of its own."""

    layout: Layout
    endpoints: Endpoints
    api: Api
    school: tenant.Tenant
    result: Measurement

    async def whole_load(self) -> None:
        """One upload, as fast as it goes."""
        result = self.result
        expected = tenant.credentials_of(0, result.evidence)
        _OUT.print(f"{result.evidence} pieces of evidence; {expected} earn a credential …")
        async with Watcher(self.layout.address("kafka"), self.school.issuer_id) as watcher:
            before, started = machine.cpu_seconds(self.layout), monotonic()
            batch = await self._upload(lambda: tenant.stream(0, result.evidence))
            result.upload_seconds = round(monotonic() - started, 3)
            await watcher.wait_for(expected, stalled_seconds=_STALLED_SECONDS)
            seconds = monotonic() - started
            await self._complete(batch["id"], expected)
            await _idle(self.layout)
            result.cpu_seconds = machine.difference(machine.cpu_seconds(self.layout), before)
            result.cpu_ms_per_credential = round(machine.stack_seconds(result.cpu_seconds) * 1000 / expected, 3)
            result.cpu_signatures_per_credential = round(
                machine.stack_seconds(result.cpu_seconds) * result.ed25519_per_second / expected, 1
            )
            result.settled_seconds = round(monotonic() - started, 1)
            result.repeated_announcements = watcher.repeats
        result.credentials = expected
        result.seconds = round(seconds, 3)
        result.per_second = round(expected / seconds, 1)
        result.evidence_per_second = round(result.evidence / seconds, 1)
        result.ratio_to_ed25519 = round(expected / seconds / result.ed25519_per_second, 5)
        _OUT.print(f"  {result.per_second:.0f} credentials a second")

    async def half_load(self, seconds: float) -> None:
        """Half of the measured rate, sent on time whether or not earlier uploads were answered."""
        result = self.result
        rate = result.evidence_per_second / 2
        uploads = max(1, int(min(rate * seconds, _HALF_LOAD_MOST) / _HALF_LOAD_UPLOAD))
        _OUT.print(f"  half load: {rate:.0f} pieces a second for {uploads * _HALF_LOAD_UPLOAD / rate:.0f} s …")
        first = result.evidence
        expected = tenant.credentials_of(first, uploads * _HALF_LOAD_UPLOAD)
        async with Watcher(self.layout.address("kafka"), self.school.issuer_id, with_acceptance=True) as watcher:
            started = monotonic()
            async with asyncio.TaskGroup() as group:
                for number in range(uploads):
                    await asyncio.sleep(started + number * _HALF_LOAD_UPLOAD / rate - monotonic())
                    start_at = first + number * _HALF_LOAD_UPLOAD
                    group.create_task(self._upload(b"".join(tenant.evidence(start_at, _HALF_LOAD_UPLOAD))))
            await watcher.wait_for(expected, stalled_seconds=_STALLED_SECONDS)
            waits = sorted(
                announced - datetime.fromisoformat(watcher.accepted[watcher.learners[credential]]).timestamp()
                for credential, announced in watcher.announced.items()
            )
        result.half_load_per_second = round(rate, 1)
        result.half_load_credentials = len(waits)
        result.p50_ms = milliseconds(waits, 0.5)
        result.p99_ms = milliseconds(waits, 0.99)
        result.max_ms = milliseconds(waits, 1)

    async def _upload(self, body: bytes | Callable[[], AsyncIterator[bytes]]) -> Any:
        # The key makes it safe to send again what was not answered: it is the same batch.
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid4())}
        return await self.api.upload(f"{self.endpoints.evidence}/v1/batches", body, headers, self.school.key)

    async def _complete(self, batch_id: str, expected: int) -> None:
        """Wait until each row of the batch is decided, and hold the service's own count against ours."""
        give_up_at = monotonic() + _STALLED_SECONDS
        while True:
            batch = await self.api.get(f"{self.endpoints.evidence}/v1/batches/{batch_id}", self.school.key)
            if batch["complete"]:
                break
            if monotonic() > give_up_at:
                raise TimeoutError(f"the batch is not complete: {batch['counts']}")
            await asyncio.sleep(0.25)
        if batch["counts"]["issued"] != expected:
            raise DemoError(f"{expected} credentials were expected, the batch says {batch['counts']}")


def milliseconds(ordered: list[float], share: float) -> float:
    """The value below or at which this share of them lies (nearest rank), in milliseconds."""
    rank = max(1, -(-len(ordered) * share // 1))
    return round(ordered[int(rank) - 1] * 1000, 1)


def _write(path: Path, layout: Layout, found: list[Measurement], yardstick: Yardstick) -> None:
    document: dict[str, Any] = {
        "measured_at": round(time()),
        "machine": {
            "cpus": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
            "kafka": operations.broker(layout),
        },
        "faststream": asdict(yardstick),
        "sizes": [asdict(measurement) for measurement in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def _table(found: list[Measurement], yardstick: Yardstick) -> Table:
    table = Table(title="The whole way of an award", title_justify="left")
    for name in ("", *(f"{each.evidence:,} pieces" for each in found), "target"):
        table.add_column(name, justify="right" if name else "left")

    def row(name: str, values: list[str], target: str = "") -> None:
        table.add_row(name, *values, target)

    def judged(target: Target) -> None:
        values = [float(getattr(each, target.field)) for each in found]
        row(target.says, [f"{value:{target.form}} {verdict(target, value)}" for value in values], target.limit)

    row("credentials", [f"{each.credentials:,}" for each in found])
    row("seconds", [f"{each.seconds:.1f}" for each in found])
    row("credentials a second", [f"{each.per_second:,.0f}" for each in found])
    row("Ed25519 signatures a second (one core)", [f"{each.ed25519_per_second:,.0f}" for each in found])
    for target in TARGETS:
        judged(target)
    row("half load, p50 (ms)", [f"{each.p50_ms:,.0f}" for each in found])
    row("CPU per credential (ms)", [f"{each.cpu_ms_per_credential:.3f}" for each in found])
    for process in found[0].cpu_seconds if found else ():
        taken = [each.cpu_seconds[process] * 1000 / each.credentials for each in found]
        row(f"  {process}", [f"{milliseconds_each:.3f}" for milliseconds_each in taken])
    row("FastStream's own loop, records per signature", [f"{yardstick.ratio_to_ed25519:.4f}"] * len(found))
    return table


if __name__ == "__main__":
    sys.exit(app())
