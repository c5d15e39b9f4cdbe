"""A fetch goes to the checked IP address, and the certificate is still checked against the host that was asked for."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from libs.common.fetch import Fetcher, FetchError, Rules
from tests.certificates import self_signed


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    return self_signed(tmp_path_factory.mktemp("tls") / "school.pem", "school.example", in_an_hour)


@pytest.fixture(scope="module")
def port(certificate: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.headers['Host']}{self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that refuses our certificate is what some of these tests are about."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


async def here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def fetcher(trusted: Path | None) -> Fetcher:
    context = ssl.create_default_context(cafile=None if trusted is None else str(trusted))
    return Fetcher(Rules(loopback=True), resolve=here, transport=partial(httpx.AsyncHTTPTransport, verify=context))


async def test_the_certificate_of_the_host_that_was_asked_for_is_accepted(certificate: Path, port: int) -> None:
    body = await fetcher(certificate).fetch(f"https://school.example:{port}/did.json")
    assert body == f"school.example:{port}/did.json".encode()


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_a_certificate_for_another_host_is_refused(certificate: Path, port: int, host: str) -> None:
    with pytest.raises(FetchError) as raised:
        await fetcher(certificate).fetch(f"https://{host}:{port}/")
    assert raised.value.reason == "not_reached"


async def test_a_certificate_that_nobody_vouches_for_is_refused(port: int) -> None:
    with pytest.raises(FetchError) as raised:
        await fetcher(None).fetch(f"https://school.example:{port}/")
    assert raised.value.reason == "not_reached"
