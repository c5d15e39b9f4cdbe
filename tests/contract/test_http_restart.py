"""What a server does with connections while it stops, and with new ones after its certificate was exchanged."""

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from deploy.certificate import self_signed
from libs.common import metrics
from libs.common.connection_limits import ConnectionLimits
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.http_server import Server
from libs.common.reloads import certificate_files, observe_certificates
from libs.common.response_headers import security_headers
from libs.common.settings import Settings, SettingsError
from libs.common.tls import renew, server_context

PROXY = ConnectionLimits(proxies=("127.0.0.1",))
GET = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, int]]:
    """The server and its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(create_app("test", Health()), PROXY, tls)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110  # uvicorn sets no event
        await asyncio.sleep(0.01)
    yield server, listening.getsockname()[1]
    server.should_exit = True
    await running


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return the head of the answer to one request."""
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head


async def test_a_server_that_stops_answers_over_a_proxys_idle_connections_until_they_have_ended() -> None:
    async with serving() as (server, port):
        used, idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for each in (used, idle):
            assert b"connection: close" not in await ask(*each)
        draining = asyncio.create_task(server.drain(0, 30))
        while any(each.is_serving() for each in server.servers):  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        assert b"connection: close" in await ask(*used)
        assert await used[0].read() == b""
        assert not draining.done()
        await end(used[1])
        await end(idle[1])
        await draining


async def test_connections_that_the_kernel_has_made_when_it_stops_are_answered() -> None:
    async with serving() as (server, port):
        made = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        draining = asyncio.create_task(server.drain(0, 30))
        for each in made:
            reader, writer = await asyncio.open_connection(sock=each)
            assert b"connection: close" in await ask(reader, writer)
            await end(writer)
        await draining


async def test_for_a_load_balancer_it_still_takes_connections_for_a_time() -> None:
    async with serving() as (server, port):
        draining = asyncio.create_task(server.drain(30, 30))
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"connection: close" in await ask(reader, writer)
        await end(writer)
        draining.cancel()


async def test_health_says_that_the_process_was_asked_to_stop_and_not_that_it_is_dead() -> None:
    health = Health()
    health.stopping = True
    assert await health.ready() == {"process": "it was asked to stop"}
    assert health.live() == {}


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def serial(port: int) -> int:
    """Return the number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting_anybody())
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await end(writer)
    return x509.load_der_x509_certificate(shown).serial_number


async def test_over_https_what_the_server_itself_refuses_has_the_headers_of_https(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "used")
    async with serving(server_context(Settings(tls_cert_file=certificate, tls_key_file=key))) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting_anybody())
        writer.write(b"no request\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        await end(writer)
    assert head[0] == "HTTP/1.1 400 Bad Request"
    assert {f"{name}: {value}" for name, value in security_headers("https").items()} <= set(head)


async def test_connections_that_begin_after_a_reload_are_shown_the_new_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "used")
    settings = Settings(tls_cert_file=certificate, tls_key_file=key)
    first = x509.load_pem_x509_certificate(certificate.read_bytes())
    context = server_context(settings)
    assert context is not None
    async with serving(context) as (_, port):
        assert await serial(port) == first.serial_number
        other, its_key = self_signed(tmp_path / "new")
        shutil.copy(other, certificate)
        with pytest.raises(SettingsError):
            renew(context, settings)  # half of the exchange: the key is still that of the first
        assert await serial(port) == first.serial_number
        shutil.copy(its_key, key)
        renew(context, settings)
        second = x509.load_pem_x509_certificate(other.read_bytes())
        assert await serial(port) == second.serial_number
        observe_certificates(certificate_files(settings))
        ends = metrics.CERTIFICATE_ENDS.labels("https")._value.get()
        assert ends == second.not_valid_after_utc.timestamp()
