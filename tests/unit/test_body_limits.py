"""Bodies at the edge: who calls comes before a body, and every body has limits of size, time and memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.types import Message

from libs.common.body_limits import MOST_BYTES, BodyLimit, LimitedBodies, body_limit, streamed_body
from libs.common.errors import UnauthenticatedError
from libs.common.health import Health
from libs.common.http import create_app


class Closed:
    """A gate that lets nobody pass."""

    async def admit(self, request: Request) -> None:
        raise UnauthenticatedError("nobody")

    __call__ = admit


class Sender:
    """A client that sends pieces, and counts how many were taken; without an end it waits for ever after them."""

    def __init__(self, pieces: Sequence[bytes], *, ends: bool = True) -> None:
        self._left = list(pieces)
        self._ends = ends
        self.taken = 0

    async def receive(self) -> Message:
        if not self._left:
            await asyncio.sleep(0.2 if self._ends else 3600)
            return {"type": "http.disconnect"}
        self.taken += 1
        return {"type": "http.request", "body": self._left.pop(0), "more_body": bool(self._left) or not self._ends}


def application() -> FastAPI:
    app = create_app("test", Health())
    router = APIRouter(dependencies=[Depends(Closed())])

    @app.post("/whole")
    async def whole(asked: dict[str, int]) -> int:
        return len(asked)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/waiting")
    async def waiting(request: Request, asked: dict[str, int]) -> dict[str, int]:
        assert (await request.receive())["type"] == "http.disconnect"
        return asked

    @app.post("/large", dependencies=[body_limit(4 * MOST_BYTES)])
    async def large(request: Request) -> int:
        return len(await request.body())

    @app.post("/streamed", dependencies=[streamed_body()])
    async def streamed(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @router.post("/closed/whole")
    async def closed_whole(asked: dict[str, int]) -> int:
        return len(asked)

    async def inner(_: Annotated[None, Depends(Closed())]) -> None: ...

    @app.post("/closed/within", dependencies=[Depends(inner)])
    async def closed_within(asked: dict[str, int]) -> int:
        return len(asked)

    app.include_router(router, prefix="/v1")
    return app


async def status_of(limits: LimitedBodies, path: str, sender: Sender) -> int:
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await limits(scope, sender.receive, send)
    return statuses[0]


@pytest.fixture
async def limits() -> AsyncIterator[LimitedBodies]:
    found = LimitedBodies(application(), BodyLimit(MOST_BYTES, 0.05), most_held=6 * MOST_BYTES)
    yield found
    assert found.held == 0


@pytest.mark.parametrize("path", ["/v1/closed/whole", "/closed/within"])
async def test_of_a_caller_who_may_not_no_byte_is_taken(limits: LimitedBodies, path: str) -> None:
    sender = Sender([b" " * 1000] * 9)
    assert await status_of(limits, path, sender) == 401
    assert sender.taken == 0


@pytest.mark.parametrize("path", ["/whole", "/raw"])
async def test_a_body_is_taken_no_further_than_its_limit(limits: LimitedBodies, path: str) -> None:
    sender = Sender([b" " * (MOST_BYTES // 2)] * 99)
    assert await status_of(limits, path, sender) == 413
    assert sender.taken == 3


@pytest.mark.parametrize("path", ["/whole", "/raw"])
async def test_a_body_that_does_not_arrive_is_not_waited_for(limits: LimitedBodies, path: str) -> None:
    assert await status_of(limits, path, Sender([b'{"a"'], ends=False)) == 408


class Gone(Sender):
    """A client whose connection ends in the middle of its body."""

    async def receive(self) -> Message:
        return await super().receive() if self._left else {"type": "http.disconnect"}


@pytest.mark.parametrize("path", ["/whole", "/raw", "/streamed"])
async def test_a_body_that_is_cut_off_is_no_error_of_ours(limits: LimitedBodies, path: str) -> None:
    assert await status_of(limits, path, Gone([b'{"a"'], ends=False)) == 400


async def test_a_handler_that_has_its_body_may_take_longer(limits: LimitedBodies) -> None:
    assert await status_of(limits, "/waiting", Sender([b'{"a": 1}'])) == 200


async def test_a_route_that_says_so_takes_more(limits: LimitedBodies) -> None:
    assert await status_of(limits, "/large", Sender([b" " * MOST_BYTES] * 4)) == 200
    assert await status_of(limits, "/large", Sender([b" " * MOST_BYTES] * 5)) == 413


async def test_all_bodies_together_take_no_more_memory_than_is_allowed(limits: LimitedBodies) -> None:
    pending = [Sender([b" " * MOST_BYTES] * 3, ends=False) for _ in range(3)]
    answers = await asyncio.gather(*(status_of(limits, "/large", each) for each in pending), return_exceptions=True)
    assert sorted(map(str, answers)) == ["408", "408", "503"]


async def test_a_streamed_body_has_no_size_and_no_end(limits: LimitedBodies) -> None:
    assert await status_of(limits, "/streamed", Sender([b" " * MOST_BYTES] * 99)) == 200


async def test_a_streamed_body_that_trickles_is_cut_off(limits: LimitedBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.body_limits._GRACE_SECONDS", 0.02)
    limits.least_rate = 1_000_000
    assert await status_of(limits, "/streamed", Sender([b" " * 10_000], ends=False)) == 408


async def test_a_path_that_does_not_exist_takes_no_byte(limits: LimitedBodies) -> None:
    sender = Sender([b" "])
    assert await status_of(limits, "/nothing", sender) == 404
    assert sender.taken == 0
