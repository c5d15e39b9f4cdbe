"""What the limits of the HTTP edge cost: `python -m benchmarks.edge [SECONDS]`, beside uvicorn without them in one run.

Each server is a process of its own, asked over 32 connections that stay open. What counts is the processor time that it
took for a request, which other work on the machine changes less than the rate.
"""

import asyncio
import multiprocessing
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.common.health import Health
from libs.common.http import create_app
from libs.common.http_server import Server
from libs.common.rate_limits import Rates
from libs.common.telemetry import configure_logging

_CONNECTIONS = 32
_REQUEST = b"GET /thing HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
_BODY_END = b"a thing"
_ANY_RATE = 10_000_000


@dataclass(frozen=True)
class Measured:
    """What one server did."""

    per_second: float
    microseconds: float


async def _thing(_: Request) -> PlainTextResponse:
    return PlainTextResponse("a thing")


def _plain() -> uvicorn.Server:
    return uvicorn.Server(_config(Starlette(routes=[Route("/thing", _thing)])))


def _limited() -> uvicorn.Server:
    return Server(Starlette(routes=[Route("/thing", _thing)]))


def _plain_fastapi() -> uvicorn.Server:
    app = FastAPI()
    app.add_route("/thing", _thing)
    return uvicorn.Server(_config(app))


def _whole_edge() -> uvicorn.Server:
    app = create_app("benchmark", Health(), Rates(address=_ANY_RATE), docs=False)
    app.add_route("/thing", _thing)
    return Server(app)


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(app, http=HttpToolsProtocol, ws="none", log_config=None, access_log=False, lifespan="off")


SERVERS: dict[str, Callable[[], uvicorn.Server]] = {
    "uvicorn, one route": _plain,
    "ours, one route: limits of connections, headers and waiting": _limited,
    "uvicorn with FastAPI, one route": _plain_fastapi,
    "ours with all of the edge: bodies, rates, trace, metrics, log line, headers": _whole_edge,
}


def _serve(name: str, listening: socket.socket) -> None:
    with open("/dev/null", "w", encoding="ascii") as nowhere:  # noqa: PTH123  # a device
        sys.stdout = nowhere
        configure_logging("benchmark", "info")
        SERVERS[name]().run(sockets=[listening])


async def _ask(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count, loop = 0, asyncio.get_running_loop()
    while loop.time() < until:
        writer.write(_REQUEST)
        answer = await reader.readuntil(_BODY_END)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer[:80].decode())
        count += 1
    writer.close()
    return count


async def _asked(port: int, seconds: float) -> int:
    until = asyncio.get_running_loop().time() + seconds
    return sum(await asyncio.gather(*(_ask(port, until) for _ in range(_CONNECTIONS))))


def measure(name: str, seconds: float) -> Measured:
    """Return what one server does in so many seconds, after a second to warm up."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(name, listening), daemon=True)
        process.start()
        port = listening.getsockname()[1]
        asyncio.run(_asked(port, 1))
        before = psutil.Process(process.pid).cpu_times()
        count = asyncio.run(_asked(port, seconds))
        after = psutil.Process(process.pid).cpu_times()
        process.terminate()
        process.join()
    spent = after.user + after.system - before.user - before.system
    return Measured(count / seconds, spent / count * 1e6)


def main() -> None:
    """Print a line for each server, with the ratio to the one before it without limits."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    beside: Measured | None = None
    for name in SERVERS:
        found = measure(name, seconds)
        ratio = "" if beside is None else f"; {found.microseconds / beside.microseconds:.2f} of the line before"
        print(f"{name}: {found.per_second:,.0f} requests/s, {found.microseconds:.0f} µs of processor a request{ratio}")
        beside = found if beside is None else None


if __name__ == "__main__":
    main()
