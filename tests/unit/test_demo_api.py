"""The demo's HTTP calls: asked again while a service is away, and a clear end where it says no."""

import json

import httpx
import pytest

from demo import api
from demo.api import Api, DemoError


def answering(monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response | Exception, patience: float = 5) -> Api:
    """An Api whose services give these answers in turn, the last one for ever."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        each = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(each, Exception):
            raise each
        return each

    monkeypatch.setattr(api, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(api, "_LONGEST_PAUSE_SECONDS", 0.002)
    calls = Api(lambda _: None, patience_seconds=patience)
    calls._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return calls


def problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": detail, "errors": [{"field": "id", "reason": "taken"}]})


FINE = httpx.Response(200, json={"id": 1})


@pytest.mark.parametrize(
    "first",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("slow"),
        problem(502, "gateway"),
        problem(503, "away"),
        problem(504, "slow"),
        problem(401, "a new key takes a moment"),
    ],
)
async def test_a_service_that_is_away_for_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, first: httpx.Response | Exception
) -> None:
    async with answering(monkeypatch, first, FINE) as calls:
        assert await calls.post("http://service/v1/things", {}) == {"id": 1}


async def test_an_upload_that_may_still_be_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, problem(503, "being received"), FINE) as calls:
        assert await calls.upload("http://service/v1/batches", b"", {}, "key") == {"id": 1}


async def test_a_key_that_stands_for_another_file_ends_the_demo_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, problem(409, "another file"), FINE) as calls:
        with pytest.raises(DemoError, match="answered 409: another file"):
            await calls.upload("http://service/v1/batches", b"", {}, "key")


async def test_a_refusal_is_told_in_the_services_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, problem(409, "contradicts")) as calls:
        with pytest.raises(DemoError, match=r"answered 409: contradicts \(id: taken\)"):
            await calls.post("http://service/v1/things", {})


async def test_a_service_that_stays_away_ends_the_demo_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, httpx.ConnectError("refused"), patience=0.01) as calls:
        with pytest.raises(DemoError, match=r"service:81 does not answer \(ConnectError\)"):
            await calls.get("http://service:81/v1/things")


async def test_json_that_counts_byte_by_byte_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return FINE

    calls = answering(monkeypatch, FINE)
    calls._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    await calls.post("http://service/v1/verify", b'{"a": 1.0}')
    await calls.post("http://service/v1/verify", {"a": 1})
    assert seen == [b'{"a": 1.0}', json.dumps({"a": 1}).encode()]
