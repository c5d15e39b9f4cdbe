"""Bodies at the edge: who calls comes before a body, and every body has limits of size, time and memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from aiokafka.errors import KafkaConnectionError
from fastapi import APIRouter, Depends, FastAPI, Request
from pymongo.errors import AutoReconnect
from starlette.types import Message

from libs.common.body_limits import MOST_BYTES, SMALL_BYTES, BodyLimit, LimitedBodies, body_limit, streamed_body
from libs.common.errors import UnauthenticatedError
from libs.common.health import Health
from libs.common.http import create_app


class Closed:
    """A gate that lets nobody pass."""

    async def admit(self, request: Request) -> None:
        raise UnauthenticatedError("nobody")

    __call__ = admit


class Broken:
    """A gate whose keeper meets an error of ours."""

    error: Exception = KeyError("expires_at")

    async def admit(self, request: Request) -> None:
        raise self.error

    async def __call__(self) -> None:
        return None


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


BROKEN = Broken()


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

    @app.post("/large", dependencies=[body_limit(4 * MOST_BYTES, seconds=1)])
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

    @app.post("/broken/whole", dependencies=[Depends(BROKEN)])
    async def broken_whole(asked: dict[str, int]) -> int:
        return len(asked)

    @app.post("/broken/raw", dependencies=[Depends(BROKEN)])
    async def broken_raw(request: Request) -> int:
        return len(await request.body())

    app.include_router(router, prefix="/v1")
    return app


async def status_of(limits: LimitedBodies, path: str, sender: Sender, address: str = "192.0.2.1") -> int:
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await limits({**scope, "client": (address, 40_000)}, sender.receive, send)
    return statuses[0]


@pytest.fixture
async def limits() -> AsyncIterator[LimitedBodies]:
    found = LimitedBodies(application(), BodyLimit(MOST_BYTES, 0.05), most_held=12 * MOST_BYTES)
    yield found
    assert found.held == 0
    assert not found.held_by


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


@pytest.mark.parametrize("path", ["/broken/whole", "/broken/raw"])
@pytest.mark.parametrize("error", [AutoReconnect("away"), KafkaConnectionError()], ids=lambda each: type(each).__name__)
async def test_a_store_that_is_away_when_the_caller_is_asked_for_is_503_however_the_body_is_read(
    limits: LimitedBodies, monkeypatch: pytest.MonkeyPatch, path: str, error: Exception
) -> None:
    monkeypatch.setattr(BROKEN, "error", error)
    assert await status_of(limits, path, Sender([b"{}"])) == 503


@pytest.mark.parametrize("path", ["/broken/whole", "/broken/raw"])
async def test_an_error_of_ours_before_a_body_is_never_the_callers(limits: LimitedBodies, path: str) -> None:
    with pytest.raises(KeyError):  # for the log, once it is answered with 500
        await status_of(limits, path, Sender([b"{}"]))


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
    pending = [Sender([b" " * MOST_BYTES] * 3, ends=False) for _ in range(9)]
    answers = await asyncio.gather(
        *(status_of(limits, "/large", each, f"192.0.2.{number}") for number, each in enumerate(pending))
    )
    assert set(answers) == {408, 503}
    taken = [each.taken for each, answer in zip(pending, answers, strict=True) if answer == 408]
    assert sum(taken) * MOST_BYTES <= limits.most_held + len(taken) * SMALL_BYTES


@asynccontextmanager
async def bodies_held_back(limits: LimitedBodies, addresses: Sequence[str]) -> AsyncIterator[None]:
    """Large bodies from each address whose end does not come, as many as are let in, and one more was refused."""
    refused = asyncio.Event()

    async def sent(address: str) -> None:
        if await status_of(limits, "/large", Sender([b" " * MOST_BYTES] * 4, ends=False), address) == 503:
            refused.set()

    async with asyncio.TaskGroup() as group:
        pending = [group.create_task(sent(each)) for each in [*addresses] * (limits.most_held // MOST_BYTES)]
        await refused.wait()
        yield
        for each in pending:
            each.cancel()


@pytest.mark.parametrize("attackers", [1, 2, 3, 9])
async def test_who_fills_the_memory_for_bodies_is_refused_and_not_who_comes_next(
    limits: LimitedBodies, attackers: int
) -> None:
    limits.most_held = 64 * MOST_BYTES
    async with bodies_held_back(limits, [f"203.0.113.{number}" for number in range(attackers)]):
        for size in (0, 200, SMALL_BYTES, MOST_BYTES):
            assert await status_of(limits, "/raw", Sender([b" " * size]), "198.51.100.7") == 200


async def test_one_customer_holds_no_more_than_half_of_the_memory_for_bodies(limits: LimitedBodies) -> None:
    async with bodies_held_back(limits, ["2001:db8:0:1::1", "2001:db8:0:1::2"]):
        assert 0 < limits.held <= limits.most_held // 2


@pytest.mark.parametrize("pieces", [[b" " * SMALL_BYTES], [b" "] * 100])
async def test_a_small_body_is_taken_whatever_others_hold(limits: LimitedBodies, pieces: Sequence[bytes]) -> None:
    limits.most_held = 0
    assert await status_of(limits, "/raw", Sender(pieces)) == 200
    assert await status_of(limits, "/raw", Sender([*pieces, b" " * SMALL_BYTES])) == 503


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
