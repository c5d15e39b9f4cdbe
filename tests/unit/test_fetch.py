"""Fetching a stranger's address reaches the public internet only, once resolved, and ends in bytes or a reason."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence

import httpx
import pytest

from libs.common.fetch import Fetcher, FetchError, Rules
from libs.common.public_addresses import is_public

PUBLIC = "93.184.215.14"
Answer = Callable[[httpx.Request], httpx.Response]


class Internet:
    """A resolver and a transport that remember what they were asked."""

    def __init__(self, answer: Answer, *addresses: str) -> None:
        self.answer, self.addresses = answer, addresses or (PUBLIC,)
        self.asked: list[httpx.Request] = []
        self.resolved: list[str] = []

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.resolved.append(host)
        return self.addresses

    def transport(self) -> httpx.MockTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return self.answer(request)

        return httpx.MockTransport(handle)

    def fetcher(self, rules: Rules | None = None) -> Fetcher:
        return Fetcher(rules, resolve=self.resolve, transport=self.transport)


def good(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(b"{}"))


async def refusal(internet: Internet, url: str, rules: Rules | None = None) -> str:
    with pytest.raises(FetchError) as raised:
        await internet.fetcher(rules).fetch(url)
    return raised.value.reason


async def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_asked() -> None:
    internet = Internet(good, PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert (
        await internet.fetcher(Rules(ports=frozenset({8443}))).fetch(
            "https://school.example:8443/did.json?a=1#part", "application/json"
        )
        == b"{}"
    )
    (request,) = internet.asked
    assert str(request.url) == f"https://{PUBLIC}:8443/did.json?a=1"
    assert request.headers["host"] == "school.example:8443"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.extensions["sni_hostname"] == "school.example"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "fec0::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
async def test_a_name_that_leads_to_an_address_within_is_not_called(address: str) -> None:
    internet = Internet(good, address)
    assert await refusal(internet, "https://innocent.example/") == "address_refused"
    assert await refusal(Internet(good, PUBLIC, address), "https://innocent.example/") == "address_refused"
    assert not internet.asked
    literal = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    assert await refusal(internet, literal) in {"address_refused", "url_form"}


@pytest.mark.parametrize(
    "address",
    [
        "192.0.0.8", "192.0.0.170", "192.88.99.1", "168.63.129.16", "100.64.0.1", "198.18.0.1", "255.255.255.255",
        "3fff::1", "5f00::1", "100::1", "2001:db8::1", "64:ff9b:1::a00:1", "::ffff:168.63.129.16", "2002:a83f:8110::1",
        "64:ff9b::c058:6301",
    ],
)  # fmt: skip
def test_addresses_for_special_purposes_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("port", [22, 80, 6379, 8443])
async def test_no_other_port_than_that_of_https_is_fetched_from(port: int) -> None:
    internet = Internet(good)
    assert await refusal(internet, f"https://school.example:{port}/") == "address_refused"
    assert not internet.asked


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "017700000001"])
async def test_other_spellings_of_this_machine_are_judged_by_what_they_resolve_to(host: str) -> None:
    internet = Internet(good, "127.0.0.1")
    assert await refusal(internet, f"https://{host}/") in {"address_refused", "url_form"}
    assert not internet.asked


@pytest.mark.parametrize(
    "url",
    [
        "ftp://school.example/", "file:///etc/passwd", "school.example", "", "https://", "https:///x",
        "https://user:secret@school.example/", "https://school.example@10.0.0.1/", "https://school.example\\@evil/",
        "https://school.example/\r\nX: y", "https://school.example/ x", "https://sch\u00f6ol.example/",
        "https://school.example:99999/", "https://school.example/" + "a" * 3000, "gopher://x", "https://[::1",
    ],
)  # fmt: skip
async def test_an_address_that_is_not_plain_https_is_refused_unresolved(url: str) -> None:
    internet = Internet(good)
    assert await refusal(internet, url) == "url_form"
    assert not internet.resolved


async def test_plain_http_is_refused_and_under_the_loopback_rule_goes_to_this_machine_only() -> None:
    assert await refusal(Internet(good), "http://school.example/") == "address_refused"
    assert await refusal(Internet(good, "127.0.0.1"), "http://localhost:8103/") == "address_refused"
    rules = Rules(loopback=True)
    assert await refusal(Internet(good), "http://school.example/", rules) == "address_refused"
    assert await refusal(Internet(good, "10.0.0.1"), "https://school.example/", rules) == "address_refused"
    assert await Internet(good, "127.0.0.1").fetcher(rules).fetch("http://localhost:8103/") == b"{}"
    ours = Internet(good)
    assert await ours.fetcher(rules).fetch("http://[::1]:8103/x") == b"{}"
    assert str(ours.asked[0].url) == "http://[::1]:8103/x"


async def test_a_redirect_stays_on_its_host_and_ends() -> None:
    def onward(request: httpx.Request) -> httpx.Response:
        return good(request) if request.url.path == "/b" else httpx.Response(302, headers={"location": "/b"})

    assert await Internet(onward).fetcher().fetch("https://school.example/a") == b"{}"
    for location in (
        "https://other.example/",
        "http://school.example/b",
        "https://school.example:8443/b",
        "//169.254.169.254/",
    ):
        away = Internet(lambda _, to=location: httpx.Response(301, headers={"location": to}))  # type: ignore[misc]
        assert await refusal(away, "https://school.example/a") == "redirect_refused"
        assert len(away.asked) == 1
    loop = Internet(lambda _: httpx.Response(307, headers={"location": "/a"}))
    assert await refusal(loop, "https://school.example/a") == "redirect_refused"
    assert len(loop.asked) == 4


async def test_a_name_is_resolved_anew_and_checked_anew_for_a_redirect() -> None:
    internet = Internet(lambda _: httpx.Response(302, headers={"location": "/b"}))

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return ["10.0.0.1"] if internet.asked else [PUBLIC]

    fetcher = Fetcher(resolve=rebinding, transport=internet.transport)
    with pytest.raises(FetchError, match="public internet"):
        await fetcher.fetch("https://school.example/a")


async def test_an_endless_answer_is_cut_off() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    internet = Internet(lambda _: httpx.Response(200, content=endless()))
    assert await refusal(internet, "https://school.example/", Rules(bytes=10_000)) == "too_large"
    assert sent <= 11_000


async def test_a_slow_answer_and_a_slow_resolver_are_given_up() -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    internet = Internet(lambda _: httpx.Response(200, content=never()))
    assert await refusal(internet, "https://school.example/", Rules(seconds=0.05)) == "too_slow"

    async def stuck(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(FetchError) as raised:
        await Fetcher(Rules(seconds=0.05), resolve=stuck, transport=internet.transport).fetch("https://school.example/")
    assert raised.value.reason == "too_slow"


async def test_a_compressed_answer_is_not_unpacked() -> None:
    internet = Internet(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b""))
    )
    assert await refusal(internet, "https://school.example/") == "encoded"


async def test_what_goes_wrong_has_its_reason() -> None:
    assert await refusal(Internet(lambda _: httpx.Response(404)), "https://school.example/") == "not_found"

    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    internet = Internet(down, PUBLIC, "93.184.215.15")
    assert await refusal(internet, "https://school.example/") == "not_reached"
    assert [request.url.host for request in internet.asked] == [PUBLIC, "93.184.215.15"]

    async def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(FetchError, match="no host"):
        await Fetcher(resolve=nowhere, transport=internet.transport).fetch("https://school.example/")
