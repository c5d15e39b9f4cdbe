"""What the server of every service does with clients that send too much, too slowly, too often or askew.

Over real sockets: what is proved lies below what an application sees.
"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY

from bowerbird.auditing import metrics as audit_metrics
from libs.common.body_limits import streamed_body
from libs.common.client_address import Networks, counted_address
from libs.common.connection_limits import ConnectionLimits
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.problems import Problem
from libs.common.response_headers import security_headers
from tests.served import served

LIMITS = ConnectionLimits(
    head_seconds=1.0, idle_seconds=1.0, write_seconds=1.0, connections=60, per_address=250, pipelined=4
)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = create_app("test", Health())

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return (await request.body()).decode()

    @app.post("/upload", dependencies=[streamed_body()])
    async def upload(request: Request) -> int:
        return sum([len(each) async for each in request.stream()])

    @app.post("/bounded", dependencies=[streamed_body(MIB)])
    async def bounded(request: Request) -> int:
        return sum([len(each) async for each in request.stream()])

    @app.get("/headers")
    async def headers(request: Request) -> dict[str, str]:
        return dict(request.headers)

    @app.get("/large")
    async def large() -> str:
        return "x" * (32 * MIB)

    with served(app, LIMITS) as base:
        yield base


class Client:
    """A connection that sends bytes as they are given."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=15)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Whether the server still takes what is sent."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def answers(self) -> bytes:
        """All that comes until the server closes."""
        found = b""
        try:
            while piece := self.socket.recv(65_536):
                found += piece
        except ConnectionError:
            pass
        return found

    def status(self) -> str:
        return self.answers().partition(b"\r\n")[0].decode()


def ask(url: str, *pieces: bytes) -> bytes:
    with Client(url) as client:
        for piece in pieces:
            client.send(piece)
        return client.answers()


def is_well(url: str) -> bool:
    return httpx.get(f"{url}/health/live", trust_env=False, timeout=5).status_code == 200


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def has_security_headers(head: bytes) -> bool:
    return set(security_headers("http").items()) <= {
        (name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))
    }


GET = b"GET /headers HTTP/1.1\r\nHost: a\r\n"
ENDLESS = {
    "name": GET + b"x",
    "value": GET + b"a: ",
    "fields": GET,
    "target": b"GET /",
    "method": b"",
    "chunk extension": b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    "trailer": b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nb: ",
    "trailers": b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_line_or_a_header_without_end_is_refused_and_not_kept(url: str, what: str) -> None:
    before = memory()
    filler = b"a: b\r\n" * 10_000 if what in {"fields", "trailers"} else b"x" * 60_000
    with Client(url) as client:
        assert client.send(ENDLESS[what])
        sent = 0
        while sent < 64 * MIB and client.send(filler):
            sent += len(filler)
        assert sent < 16 * MIB
    assert memory() - before < 16 * MIB
    assert is_well(url)


@pytest.mark.parametrize(
    "fields",
    [b"a: " + b"x" * 33_000 + b"\r\n", b"a: b\r\n" * 101, (b"a" * 400 + b": b\r\n") * 90],
    ids=["long", "many", "both"],
)
def test_a_header_that_is_too_large_is_431(url: str, fields: bytes) -> None:
    assert ask(url, GET + fields + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_header_of_30_kilobytes_is_taken(url: str) -> None:
    answer = httpx.get(f"{url}/headers", headers={"a": "x" * 30_000}, trust_env=False)
    assert (answer.status_code, len(answer.json()["a"])) == (200, 30_000)


def test_half_open_headers_are_closed_and_health_answers_meanwhile(url: str) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(Client(url)) for _ in range(200)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: ")
        assert is_well(url)
        statuses = {client.status() for client in clients}
    assert statuses <= {"HTTP/1.1 408 Request Timeout", ""}
    assert "HTTP/1.1 408 Request Timeout" in statuses


def test_a_header_that_trickles_has_no_longer_than_one_that_stands_still(url: str) -> None:
    with Client(url) as client:
        started = time.monotonic()
        client.send(GET)
        client.socket.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - started < 15:
            client.send(b"a: b\r\n")
            try:
                answer = client.socket.recv(1000)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed(url: str) -> None:
    assert ask(url) == b""
    assert ask(url, b"\r\n\r\n") == b""


def test_a_client_that_does_not_read_its_answer_is_cut_off(url: str) -> None:
    place = urlsplit(url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(15)
        client.connect((place.hostname, place.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        refused = counted("answer_slow")
        deadline = time.monotonic() + 15
        while counted("answer_slow") == refused and time.monotonic() < deadline:
            time.sleep(0.1)
        assert counted("answer_slow") == refused + 1


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("bowerbird_http_refused_total", {"reason": reason}) or 0


POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        POST + b"Content-Length: 1, 1\r\n\r\na",
        POST + b"Content-Length: +1\r\n\r\na",
        POST + b"Content-Length: -1\r\n\r\na",
        POST + b"Content-Length: 0x1\r\n\r\na",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\na",
        POST + b"A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        POST + b"\r\nContent-Length"[2:] + b"\x00: 1\r\n\r\na",
        POST + b"A: b\x00c\r\nContent-Length: 0\r\n\r\n",
        POST + b"A: b\rc\r\nContent-Length: 0\r\n\r\n",
        POST + b"Host: b\r\nContent-Length: 0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST /ech\xc3\xb6 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\xf4\x01\x00\x00",
    ],
)
def test_what_two_servers_may_read_differently_is_refused(url: str, request_: bytes) -> None:
    answer = ask(url, request_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "chunk", [b"g\r\n", b"-1\r\n", b"0x1\r\na\r\n", b"1\r\nab\r\n", b"1\na\r\n", b"ffffffffffffffffff\r\n", b"\r\n"]
)
def test_a_chunk_that_is_none_ends_the_connection(url: str, chunk: bytes) -> None:
    answer = ask(url, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert b" 200 " not in answer
    assert is_well(url)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def test_a_body_in_crumbs_is_refused_and_one_written_line_by_line_is_not(url: str) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    refused = counted("pieces_too_small")
    assert b" 200 " not in ask(url, head + chunked(*[b"a"] * 2_000))
    assert counted("pieces_too_small") == refused + 1
    upload = head.replace(b"/echo", b"/upload")
    for pieces in (
        [b"S1024,resilience,relational,2026-03-09\n"] * 5_000,
        [b"a"] * 900,
        [b"a" * 50_000, *[b"a"] * 1_100],
    ):
        told = ask(url, upload + chunked(*pieces))
        assert told.startswith(b"HTTP/1.1 200 ")
        assert told.endswith(b"%d" % sum(map(len, pieces)))
    assert is_well(url)


def test_fields_behind_a_chunked_body_do_not_join_its_header(url: str) -> None:
    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> list[str]:
        await request.body()
        return list(request.headers)

    with served(app, LIMITS) as other:
        text = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
        answer = ask(other, text)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"authorization" not in answer


def test_pipelined_requests_are_answered_in_their_order_up_to_a_limit(url: str) -> None:
    def post(text: str) -> bytes:
        return POST + f"Content-Length: {len(text)}\r\n\r\n{text}".encode()

    answer = ask(url, post("one") + post("two") + post("three"))
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.index(b'"one"') < answer.index(b'"two"') < answer.index(b'"three"')
    flood = ask(url, post("x") * 10_000)
    assert flood.count(b"HTTP/1.1") <= LIMITS.pipelined + 1


def test_an_upgrade_is_answered_as_if_none_were_asked_for(url: str) -> None:
    for protocol in (b"h2c", b"websocket"):
        answer = ask(
            url, GET + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [(POST + b"Host: b\r\n\r\n", 400), (GET + b"a: " + b"x" * 33_000 + b"\r\n\r\n", 431), (GET, 408)],
)
def test_what_the_server_itself_refuses_is_a_problem_document_as_of_any_route(
    url: str, request_: bytes, status: int
) -> None:
    head, _, body = ask(url, request_).partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert f"content-length: {len(body)}".encode() in head
    assert has_security_headers(head)
    problem = Problem.model_validate_json(body)
    assert problem.status == status == int(head.split()[1])
    assert problem.type.startswith("urn:bowerbird:problem:")


def test_where_all_connections_are_taken_the_longest_idle_one_makes_room(url: str) -> None:
    with ExitStack() as opened:
        for _ in range(LIMITS.connections + 20):
            opened.enter_context(Client(url))
        assert is_well(url)


def test_one_address_has_no_more_connections_than_its_share() -> None:
    limits = ConnectionLimits(per_address=5, idle_seconds=30)
    with served(create_app("test", Health()), limits) as other, ExitStack() as opened:
        for _ in range(5):
            opened.enter_context(Client(other))
        head = ask(other).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 429 ")
    assert has_security_headers(head)


def test_a_long_upload_streams_and_one_that_is_cut_off_leaves_nothing(url: str) -> None:
    before = memory()
    blocks = (b"x" * MIB for _ in range(200))
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.post(f"{url}/upload", content=blocks).json() == 200 * MIB
    assert memory() - before < 32 * MIB
    with Client(url) as cut:
        cut.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
    assert is_well(url)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n-2\r\nxx\r\n"]
)
def test_who_cuts_bodies_off_counts_as_no_error_of_ours(
    url: str, framing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    counted = {"route": "/echo", "method": "POST"}
    before = REGISTRY.get_sample_value("bowerbird_http_requests_total", {**counted, "status": "400"}) or 0
    with Client(url) as cut:
        cut.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + framing)
    assert is_well(url)
    while REGISTRY.get_sample_value("bowerbird_http_requests_total", {**counted, "status": "400"}) == (before or None):
        assert is_well(url)
    assert not REGISTRY.get_sample_value("bowerbird_http_requests_total", {**counted, "status": "500"})
    assert "Traceback" not in caplog.text


TOO_LARGE = {"/echo": 64 * 1024 + 1, "/bounded": MIB + 1}


@pytest.mark.parametrize("path", TOO_LARGE)
@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_says_it_is_too_large_is_refused_before_any_of_it_comes(url: str, path: str, more: bytes) -> None:
    for size in (TOO_LARGE[path], 10**15):
        answer = ask(url, f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n".encode() + more + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert b"application/problem+json" in answer


@pytest.mark.parametrize("path", TOO_LARGE)
def test_a_body_that_grows_too_large_is_refused_there_and_the_connection_ends(url: str, path: str) -> None:
    with Client(url) as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(TOO_LARGE[path] // 4096 + 1):
            client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        answer = client.answers()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_client_that_goes_on_sending_still_reads_why_it_was_refused(url: str) -> None:
    with Client(url) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 400_000)
        assert client.status() == "HTTP/1.1 413 Request Entity Too Large"


def test_an_answer_that_does_not_wait_for_the_body_leaves_the_connection_in_use(url: str) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.post(f"{url}/nothing", content=b"x" * 100_000).status_code == 404
        assert client.get(f"{url}/headers").status_code == 200


def test_the_metrics_of_audits_are_served_under_the_same_limits_as_those_of_services() -> None:
    with audit_metrics.served("127.0.0.1", 0) as port:
        inner = f"http://127.0.0.1:{port}"
        answer = httpx.get(f"{inner}/metrics", trust_env=False)
        assert "bowerbird_audit_differences" in answer.text
        assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
        assert httpx.get(f"{inner}/metrics/", trust_env=False).status_code == 404
        assert ask(inner, GET + b"a: " + b"x" * 33_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_customer_has(host: str, counted: str) -> None:
    assert counted_address(host) == counted


def test_networks_hold_addresses_of_their_own_kind() -> None:
    networks = Networks(("10.0.0.0/8", "::1"))
    assert "10.1.2.3" in networks
    assert "::1" in networks
    assert not {"11.0.0.1", "::2", "nonsense", ""} & {
        host for host in ("11.0.0.1", "::2", "nonsense", "") if host in networks
    }
    with pytest.raises(ValueError, match="does not appear"):
        Networks(("proxy",))
