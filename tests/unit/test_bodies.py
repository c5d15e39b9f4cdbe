"""A JSON body is read within its limits of kind, size and time, whoever asks for it."""

import asyncio
from collections.abc import Sequence

import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from libs.common.bodies import LimitedBodies, read_json_object, read_json_text
from libs.common.errors import InvalidRequestError, RequestTimeoutError, TooLargeError, UnsupportedMediaError


def request(*pieces: bytes, kind: str = "application/json", encoding: str | None = None, pause: float = 0) -> Request:
    headers = {"content-type": kind} | ({} if encoding is None else {"content-encoding": encoding})
    left: list[bytes] = list(pieces)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    raw: Sequence[tuple[bytes, bytes]] = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw}, receive)


async def test_a_text_is_given_as_it_was_sent_however_it_was_cut() -> None:
    sent = request(b'{"a":', b' 1, "a": 2}', kind="application/ld+json; charset=utf-8")
    assert await read_json_text(sent, most_bytes=17) == b'{"a": 1, "a": 2}'


async def test_a_kind_that_does_not_say_json_is_taken_where_it_stands_for_json() -> None:
    assert await read_json_text(request(b"{}", kind="Application/VC"), most_bytes=9, also={"application/vc"}) == b"{}"
    with pytest.raises(UnsupportedMediaError):
        await read_json_text(request(b"{}", kind="application/vc"), most_bytes=9)


@pytest.mark.parametrize("kind", ["application/ld+json", "application/vc+ld+json; charset=utf-8", "Application/JSON"])
async def test_a_kind_whose_suffix_says_json_is_json(kind: str) -> None:
    assert await read_json_text(request(b"{}", kind=kind), most_bytes=9) == b"{}"


@pytest.mark.parametrize("kind", ["", "json", "text/json", "application/jsonx", "application/+json"])
async def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaError):
        await read_json_text(request(b"{}", kind=kind), most_bytes=9)


async def test_a_packed_body_is_refused() -> None:
    with pytest.raises(UnsupportedMediaError):
        await read_json_text(request(b"{}", encoding="gzip"), most_bytes=9)


async def test_a_body_is_read_no_further_than_its_limit() -> None:
    with pytest.raises(TooLargeError):
        await read_json_text(request(b"x" * 5, b"x" * 5, b"x" * 5), most_bytes=9)


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    with pytest.raises(RequestTimeoutError):
        await read_json_text(request(b"{", b"}", pause=0.2), most_bytes=9, seconds=0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a":' * 500, "not JSON"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested more than 64 levels"),
        (b'{"a": 9007199254740993}', "number beyond 2^53"),
        (b'{"a": 1e999}', "not JSON"),
    ],
)
async def test_what_is_not_one_object_with_each_key_once_is_refused_in_words(text: bytes, words: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await read_json_object(request(text), most_bytes=9_999)
    assert words in str(refused.value)


async def test_an_object_is_read_as_it_is() -> None:
    text = b'{"a": [1, -9007199254740991, 1.5, true, null, "\xc3\xa9"], "b": ' + b'{"a":' * 62 + b"1" + b"}" * 63
    assert (await read_json_object(request(text), most_bytes=9_999))["a"] == [1, -(2**53 - 1), 1.5, True, None, "é"]


async def test_many_equal_keys_are_refused_at_once() -> None:
    text = b"{" + b",".join(b'"k%d":1' % (number % 60_000) for number in range(60_001)) + b"}"
    with pytest.raises(InvalidRequestError, match="'k0' stands twice"):
        await read_json_object(request(text), most_bytes=2**20)


async def answer_to(body: bytes, *, whole: bool) -> int:
    """The status of a POST whose body FastAPI reads, and whose handler then waits for the client to leave."""
    app, left, statuses = FastAPI(), [body], list[int]()

    @app.post("/")
    async def take(request: Request, asked: dict[str, int]) -> dict[str, int]:
        assert (await request.receive())["type"] == "http.disconnect"
        return asked

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": not whole}
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await LimitedBodies(app, 0.05)(scope, receive, send)
    return statuses[0]


async def test_a_body_that_fastapi_reads_is_not_waited_for_either() -> None:
    assert await answer_to(b'{"a"', whole=False) == 408


async def test_a_handler_that_has_its_body_may_take_longer() -> None:
    assert await answer_to(b'{"a": 1}', whole=True) == 200
