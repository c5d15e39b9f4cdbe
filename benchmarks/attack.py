"""What the worst known anonymous requests cost: `make bench-attack`. Each runs alone, in a process forked for it.

Verifying runs in that process too, without the limits of worker processes: what is measured is what the budget of
work allows. A random search looks for worse ones. The exit status is 1 where one passes the bounds.
"""

import argparse
import asyncio
import gzip
import os
import random
import resource
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import AnyHttpUrl

from benchmarks import hostile, published
from bowerbird.openapi import built
from bowerbird.registry import NAMES
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.workers.threads import Threads
from libs.openbadges.verify import ResolvedInputs, verify
from services.verifier.material.registries import TrustedRegistries
from services.verifier.service import ServiceSettings, serve
from services.verifier.verification.submission import MOST_PICTURE_BYTES
from services.verifier.warm_up import warm_up

MOST_CPU_SECONDS: Final = 1.0
MOST_BYTES: Final = 64 * 1024 * 1024
_GIVEN_UP_SECONDS: Final = 20
_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request took: CPU seconds, bytes of memory at its peak, and the answer in a word."""

    cpu_seconds: float
    peak_bytes: int
    answer: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One request by anybody."""

    name: str
    size: int
    run: Callable[[], str]


class _NothingPublished:
    """The records of a verifier to which nothing was published."""

    async def parties_alike(self, _: object) -> dict[str, Any]:
        return {}

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: Any) -> Any:
            return {} if name.endswith("s") and name != "status" else None

        return nothing


def known_attacks() -> Iterator[Attack]:
    """Yield the worst that is known, of every kind."""
    documents: dict[str, dict[str, Any]] = {
        "six alike nodes, eight proofs": hostile.credential(),
        "seven alike nodes": hostile.credential(7),
        "seven alike nodes twice": hostile.credential(7, 8, evidence=hostile.alike(7)),
        "thirty alike nodes": hostile.credential(30),
        "32 endorsements of that kind": hostile.endorsed(),
        "a chain of eight proofs": hostile.chained(),
        "a presentation, full": hostile.full_presentation(),
        "a learner record, full": hostile.record(40),
        "a learner record of long names": hostile.named_record(110),
        "a learner record of 250 long names": hostile.namesakes(0, 250),
        "nested 35 deep": hostile.nested(30),
        "nested 200 deep": hostile.nested(200),
        "3,000 parts that the schema refuses": hostile.wide(3_000),
        "3,000 fractions, eight contexts": hostile.numbers(3_000),
        "1,500 parts of four types": hostile.many_types(1_500),
        "a text of 200 kB below eight endorsements": hostile.refused_endorsements(8, 200_000),
        "a hundred profiles that the schema refuses": hostile.refused_profiles(30),
        "one text of 250 kB": hostile.credential(0, 8, name="x" * 250_000),
        "a thousand contexts": {**hostile.credential(), "@context": [*hostile.CONTEXTS] * 500},
    }
    for name, document in documents.items():
        yield from _posted(name, document)
    yield from _lists()
    yield _verifying("a token with a header of 200 kB", {"verifiableCredential": hostile.token(200_000, 10)})
    yield _verifying("a token with 150 kB in it", {"verifiableCredential": hostile.token(10, 150_000)})
    yield _raw("a number of 400,000 digits", b'{"@context":[],"n":' + b"9" * 400_000 + b"}")
    yield _raw("200,000 brackets", b'{"@context":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
    yield _raw("500 kB of keys", b"{" + b",".join(b'"%d":1' % one for one in range(50_000)) + b"}")
    yield _raw("500 kB of white space", b"{" + b" " * 500_000 + b"}")
    yield _raw("a link of 16 kB of slashes", b'{"url":"http://x/' + b"/" * 16_000 + b'x"}')
    yield from _forms()
    yield from _pictures()
    yield from _published()


def _forms() -> Iterator[Attack]:
    """Yield forms of 4 MB of the page at /."""
    part = b'--b\r\nContent-Disposition: form-data; name="link"\r\n\r\n'
    for name, body in {
        "a link of slashes": part + b"http://x/" + b"/" * 4_000_000 + b"x\r\n--b--",
        "padding behind a boundary": b"--b" + b" " * 4_000_000,
        "one header": b"--b\r\nX: " + b"y" * 4_000_000,
        "ends of lines": part + b"\r\n--" * 1_000_000,
    }.items():
        yield _request(f"form: {name}", "/", body, "multipart/form-data; boundary=b")


def _published() -> Iterator[Attack]:
    """Yield what anybody may ask of a badge that was published here, each time as the first who asks."""
    for revoked in (False, True):
        app = published.verifier(revoked=revoked)
        for name, (path, accept) in published.ROUTES.items():
            told = f"{name} of a {'revoked' if revoked else 'published'} badge"
            yield Attack(told, 0, partial(_asked, app, path, accept))


def _asked(app: FastAPI, path: str, accept: str) -> str:
    return asyncio.run(published.ask(app, path, accept))


def _lists() -> Iterator[Attack]:
    """Yield bodies full of one small thing, for every way in."""
    numbers = b"[" + b"0," * 255_000 + b"0]"
    yield _raw("255,000 numbers", b'{"credential":{"a":' + numbers + b"}}")
    yield _raw("255,000 numbers beside a recipient", b'{"recipient":"a","credential":{"a":' + numbers + b"}}")
    yield _request("255,000 numbers", "/credentials/verify", b'{"verifiableCredential":{"a":' + numbers + b"}}")
    yield _request("255,000 numbers", "/presentations/verify", b'{"verifiablePresentation":{"a":' + numbers + b"}}")
    names = b"\n".join(orjson.dumps(hostile.named(one)) for one in range(200))
    yield _request("lines: long names", "/v1/verify", names, "application/x-ndjson")
    records = b"\n".join(orjson.dumps(hostile.namesakes(one, 20)) for one in range(200))
    yield _request("lines: records of long names", "/v1/verify", records, "application/x-ndjson")
    for name, line in {
        "empty objects": b"{}",
        "alike nodes": orjson.dumps(hostile.credential()),
        "refused parts": orjson.dumps(hostile.wide(300)),
    }.items():
        lines = b"\n".join([line] * min(200, (2 << 20) // (len(line) + 1)))
        yield _request(f"lines: {name}", "/v1/verify", lines, "application/x-ndjson")


def search(chance: random.Random, tries: int) -> Iterator[Attack]:
    """Yield documents made by chance."""
    for number in range(tries):
        yield from _posted(f"by chance, {number}", hostile.random_document(chance))


def anonymous_routes() -> Iterator[Attack]:
    """Yield a request of 1 MB without a key for every route of every service."""
    for service in NAMES:
        app = asyncio.run(built(service))
        for path, operations in app.openapi()["paths"].items():
            for method in operations:
                if not path.startswith("/health/ready"):
                    yield _without_key(app, service, method.upper(), path)


def measure(attack: Attack) -> Cost:
    """Run one in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (_GIVEN_UP_SECONDS, _GIVEN_UP_SECONDS))
        before = resource.getrusage(resource.RUSAGE_SELF)
        try:
            answer = attack.run()
        except Exception as error:  # noqa: BLE001  # a table tells of every end
            answer = f"{type(error).__name__}: {error}"[:60]
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        os.write(writing, orjson.dumps([cpu, (after.ru_maxrss - before.ru_maxrss) * 1024, answer]))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return Cost(*orjson.loads(told)) if told else Cost(float(_GIVEN_UP_SECONDS), 0, "given up")


def _posted(name: str, document: dict[str, Any]) -> Iterator[Attack]:
    kind = "verifiablePresentation" if "verifiableCredential" in document else "verifiableCredential"
    yield _verifying(name, {kind: document})
    if kind == "verifiableCredential":
        yield _raw(name, orjson.dumps(document))


def _verifying(name: str, body: dict[str, Any]) -> Attack:
    path = "/presentations/verify" if "verifiablePresentation" in body else "/credentials/verify"
    return _request(name, path, orjson.dumps(body))


def _raw(name: str, body: bytes) -> Attack:
    return _request(name, "/v1/verify", body)


def _request(name: str, path: str, body: bytes, media_type: str = "application/json") -> Attack:
    async def answered() -> str:
        async with AsyncClient(transport=ASGITransport(_verifier()), base_url="https://x.example") as http:
            response = await http.post(path, content=body, headers={"Content-Type": media_type})
        told = response.json() if "json" in response.headers["Content-Type"].removesuffix("x-ndjson") else {}
        return f"{response.status_code} {told.get('verdict', told.get('title', ''))}"

    return Attack(f"{name} ({path})", len(body), lambda: asyncio.run(answered()))


def _verifier() -> FastAPI:
    app = create_app("Bowerbird verifier", Health())
    records: Any = _NothingPublished()
    settings = ServiceSettings(public_url=AnyHttpUrl("https://x.example"))
    clock, threads = partial(datetime.now, UTC), Threads(1, waiting=1, seconds=_GIVEN_UP_SECONDS)
    none = TrustedRegistries([], copies=records, fetch=records.fetch, clock=clock, refresh_seconds=300)
    serve(app, records, settings, clock, strangers=threads, pictures=threads, registries=none)
    return app


def _without_key(app: FastAPI, service: str, method: str, path: str) -> Attack:
    body = b'{"a":' + b"[" * 10_000 + b"0," * 500_000 + b"0"

    async def answered() -> str:
        async with AsyncClient(transport=ASGITransport(app), base_url="https://x.example") as http:
            asked = http.request(method, path.replace("{", "").replace("}", ""), content=body, headers=_JSON)
            try:
                async with asyncio.timeout(2):
                    return str((await asked).status_code)
            except TimeoutError:
                return "waits for its database"

    return Attack(f"{service} {method} {path}", len(body), lambda: asyncio.run(answered()))


def _pictures() -> Iterator[Attack]:
    """Yield pictures with something in them that unpacks, repeats or nests."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    tail = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    bomb = zlib.compress(b"{" + b" " * (256 << 20))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg">%s</svg>'
    entities = b"".join(b'<!ENTITY a%d "%s">' % (one, b"&a%d;" % (one - 1) * 10) for one in range(1, 12))
    laughs = b'<!DOCTYPE svg [<!ENTITY a0 "ha">' + entities + b"]>" + svg % b"&a11;"
    pictures = {
        "PNG, zTXt bomb": head + chunk(b"zTXt", b"openbadgecredential\0\0" + bomb) + tail,
        "PNG, iTXt bomb": head + chunk(b"iTXt", b"openbadgecredential\0\1\0\0\0" + bomb) + tail,
        "PNG, 100,000 chunks": head + chunk(b"tEXt", b"a\0b") * 100_000 + tail,
        "PNG, 8 MB": head + chunk(b"tEXt", b"a\0" + b"b" * 8_000_000) + tail,
        "SVG, 8 MB of elements": svg % (b"<g/>" * 1_900_000),
        "SVG, nested elements": svg % (b"<g>" * 500_000 + b"</g>" * 500_000),
        "SVG, entities": laughs,
        "SVG, a tag without end": svg % (b"<g " + b'a="b" ' * 1_000_000 + b"/>"),
        "SVG, attributes of one element": svg % (b"<g " + b" ".join(b'a%d=""' % one for one in range(500_000)) + b"/>"),
        "gzip, 256 MB": gzip.compress(b" " * (256 << 20)),
    }
    for name, picture in pictures.items():
        yield Attack(name, len(picture), _unbaked(picture))
        # As much of it as is taken.
        taken = picture[:MOST_PICTURE_BYTES]
        yield _request(name, "/v1/verify", taken, "application/octet-stream")
        part = b'--xxxx\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + taken
        yield _request(name, "/", part + b"\r\n--xxxx--\r\n", "multipart/form-data; boundary=xxxx")


def _unbaked(picture: bytes) -> Callable[[], str]:
    return lambda: str(verify(picture, ResolvedInputs(), datetime.now(UTC)).verdict)


def main() -> int:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=60, help="documents made by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the search")
    asked = parser.parse_args()
    warm_up()
    print("| request | bytes | CPU s | peak MB | answer |\n| --- | ---: | ---: | ---: | --- |")
    beyond = [one for attack in (*known_attacks(), *anonymous_routes()) if _is_beyond(*(one := _shown(attack)))]
    chance = random.Random(asked.seed)  # noqa: S311  # the same documents for the same seed, and nothing secret
    found = sorted(
        ((attack, measure(attack)) for attack in search(chance, asked.tries)),
        key=lambda pair: pair[1].cpu_seconds,
    )
    for attack, cost in found[-10:]:
        _print(attack, cost)
    beyond += [pair for pair in found if _is_beyond(*pair)]
    names = [one.name for one, _ in beyond]
    print(f"\nbeyond {MOST_CPU_SECONDS} s of CPU or {MOST_BYTES >> 20} MB: {names or 'none'}")
    return 1 if beyond else 0


def _shown(attack: Attack) -> tuple[Attack, Cost]:
    cost = measure(attack)
    _print(attack, cost)
    return attack, cost


def _print(attack: Attack, cost: Cost) -> None:
    print(
        f"| {attack.name} | {attack.size} | {cost.cpu_seconds:.2f} | {cost.peak_bytes / 1e6:.0f} | {cost.answer} |",
        flush=True,
    )


def _is_beyond(_: Attack, cost: Cost) -> bool:
    return cost.cpu_seconds > MOST_CPU_SECONDS or cost.peak_bytes > MOST_BYTES


if __name__ == "__main__":
    sys.exit(main())
