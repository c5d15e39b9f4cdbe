"""A JSON body is read by its media type, and as one object with each key once."""

from collections.abc import Sequence

import pytest
from fastapi import Request

from libs.common.bodies import read_body, read_json_object
from libs.common.errors import InvalidRequestError, UnsupportedMediaError
from libs.common.media_types import JSON, check_media_type


def request(*pieces: bytes, kind: str = JSON, encoding: str | None = None) -> Request:
    headers = {"content-type": kind} | ({} if encoding is None else {"content-encoding": encoding})
    left: list[bytes] = list(pieces)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    raw: Sequence[tuple[bytes, bytes]] = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw}, receive)


async def test_a_text_is_given_as_it_was_sent_however_it_was_cut() -> None:
    sent = request(b'{"a":', b' 1, "a": 2}', kind="application/ld+json; charset=utf-8")
    assert await read_body(sent) == b'{"a": 1, "a": 2}'


async def test_a_kind_that_does_not_say_json_is_taken_where_it_stands_for_json() -> None:
    assert await read_body(request(b"{}", kind="Application/VC"), (JSON, "application/vc")) == b"{}"
    with pytest.raises(UnsupportedMediaError):
        await read_body(request(b"{}", kind="application/vc"))


@pytest.mark.parametrize(
    "kind",
    [
        "application/ld+json",
        "application/vc+ld+json; charset=utf-8",
        "Application/JSON",
        'application/json;charset="UTF-8"; version=1',
        "application/json ; Charset = US-ASCII",
    ],
)
async def test_a_kind_whose_suffix_says_json_is_json(kind: str) -> None:
    assert await read_body(request(b"{}", kind=kind)) == b"{}"


@pytest.mark.parametrize(
    "kind", ["", "json", "text/json", "application/jsonx", "application/+json", "text/csv, application/json"]
)
async def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaError):
        await read_body(request(b"{}", kind=kind))


@pytest.mark.parametrize("charset", ["utf-16", '"ISO-8859-1"', "windows-1252", ""])
def test_text_that_is_not_utf_8_is_refused_with_what_is_taken(charset: str) -> None:
    with pytest.raises(UnsupportedMediaError, match="UTF-8; send text/csv or application/json") as refused:
        check_media_type(f"text/csv; charset={charset}", ("text/csv", JSON))
    assert refused.value.accepted == ("text/csv", JSON)


async def test_a_packed_body_is_refused() -> None:
    with pytest.raises(UnsupportedMediaError):
        await read_body(request(b"{}", encoding="gzip"))


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
        await read_json_object(request(text))
    assert words in str(refused.value)


async def test_an_object_is_read_as_it_is() -> None:
    text = b'{"a": [1, -9007199254740991, 1.5, true, null, "\xc3\xa9"], "b": ' + b'{"a":' * 62 + b"1" + b"}" * 63
    assert (await read_json_object(request(text)))["a"] == [1, -(2**53 - 1), 1.5, True, None, "é"]


async def test_many_equal_keys_are_refused_at_once() -> None:
    text = b"{" + b",".join(b'"k%d":1' % (number % 60_000) for number in range(60_001)) + b"}"
    with pytest.raises(InvalidRequestError, match="'k0' stands twice"):
        await read_json_object(request(text))
