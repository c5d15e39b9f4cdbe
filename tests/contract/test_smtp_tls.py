"""Mail over TLS: only to a server whose certificate is trusted for its name, and never in the clear instead."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from libs.common.addresses import Address
from services.notifier import service
from services.notifier.channels.email.smtp import RelayUnavailableError, SmtpPool
from services.notifier.settings import ServiceSettings
from tests.certificates import self_signed

SAFE: list[Literal["tls", "starttls"]] = ["tls", "starttls"]
# The certificate is for localhost alone: the same server by its number is a server of another name.
OTHER_NAME = "127.0.0.1"
MAIL = b"Subject: A badge\r\n\r\nYou kept going.\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(
        tmp_path_factory.mktemp("tls") / "relay.pem", "localhost", datetime.now(UTC) + timedelta(hours=1)
    )


class Taken:
    """The mails that the server took: over TLS or not, and as whom the client had logged in."""

    def __init__(self) -> None:
        self.mails: list[tuple[bool, bytes | None]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        encrypted = server.transport is not None and server.transport.get_extra_info("ssl_object") is not None
        login = session.auth_data.login if isinstance(session.auth_data, LoginPassword) else None
        self.mails.append((encrypted, login))
        return "250 2.0.0 Taken"


def knows_the_notifier(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    # Not "handled": the server words the refusal (535) itself.
    return AuthResult(success=data == LoginPassword(b"notifier", b"right"), handled=False, auth_data=data)


@asynccontextmanager
async def relay(
    certificate: Path, tls: Literal["none", "starttls", "tls"], *, auth: bool = False
) -> AsyncIterator[tuple[int, Taken]]:
    """A mail server that speaks TLS as told, its port, and what it takes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    taken = Taken()

    def protocol() -> SMTP:
        return SMTP(
            taken,
            hostname="localhost",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_required=auth,
            # aiosmtpd takes a connection that began with TLS for one without.
            auth_require_tls=tls == "starttls",
            authenticator=knows_the_notifier if auth else None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if tls == "tls" else None)
    async with server:
        yield server.sockets[0].getsockname()[1], taken


async def send(port: int, **settings: Any) -> None:
    """Offer one mail as the notifier with these settings does."""
    told = ServiceSettings(smtp_port=port, **{"smtp_host": "localhost", "smtp_connect_seconds": 10, **settings})
    pool = SmtpPool(service._relay(told), told.sender_address)
    to = Address.parse("learner@mail.example")
    assert to is not None
    try:
        assert await pool.send(to, MAIL) is None
    finally:
        await pool.close()


@pytest.mark.parametrize("tls", SAFE)
async def test_a_server_with_a_trusted_certificate_gets_the_mail_encrypted(
    certificate: Path, tls: Literal["tls", "starttls"]
) -> None:
    async with relay(certificate, tls) as (port, taken):
        await send(port, smtp_tls=tls, smtp_ca_file=certificate)
    assert taken.mails == [(True, None)]


@pytest.mark.parametrize("tls", SAFE)
async def test_a_certificate_for_another_name_is_refused_and_the_mail_waits(
    certificate: Path, tls: Literal["tls", "starttls"]
) -> None:
    async with relay(certificate, tls) as (port, taken):
        with pytest.raises(RelayUnavailableError):
            await send(port, smtp_tls=tls, smtp_ca_file=certificate, smtp_host=OTHER_NAME)
    assert not taken.mails


@pytest.mark.parametrize("tls", SAFE)
async def test_a_certificate_that_nobody_vouches_for_is_refused_and_the_mail_waits(
    certificate: Path, tls: Literal["tls", "starttls"]
) -> None:
    async with relay(certificate, tls) as (port, taken):
        with pytest.raises(RelayUnavailableError):
            await send(port, smtp_tls=tls)
    assert not taken.mails


@pytest.mark.parametrize("tls", SAFE)
async def test_a_certificate_that_has_run_out_is_refused_and_the_mail_waits(
    tmp_path: Path, tls: Literal["tls", "starttls"]
) -> None:
    old = self_signed(tmp_path / "old.pem", "localhost", datetime.now(UTC) - timedelta(minutes=1))
    async with relay(old, tls) as (port, taken):
        with pytest.raises(RelayUnavailableError):
            await send(port, smtp_tls=tls, smtp_ca_file=old)
    assert not taken.mails


@pytest.mark.parametrize("tls", SAFE)
async def test_a_server_that_offers_no_encryption_gets_no_mail_in_the_clear(
    certificate: Path, tls: Literal["tls", "starttls"]
) -> None:
    async with relay(certificate, "none") as (port, taken):
        with pytest.raises(RelayUnavailableError):
            await send(port, smtp_tls=tls, smtp_ca_file=certificate, smtp_connect_seconds=1)
        assert not taken.mails
        await send(port)
    assert taken.mails == [(False, None)]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", SAFE)
async def test_the_notifier_logs_in_over_tls(certificate: Path, tls: Literal["tls", "starttls"]) -> None:
    logged_in = {"smtp_tls": tls, "smtp_ca_file": certificate, "smtp_username": "notifier"}
    async with relay(certificate, tls, auth=True) as (port, taken):
        with pytest.raises(RelayUnavailableError, match="535"):
            await send(port, **logged_in, smtp_password="wrong")
        assert not taken.mails
        await send(port, **logged_in, smtp_password="right")
    assert taken.mails == [(True, b"notifier")]


@pytest.mark.parametrize(
    "spoil",
    [lambda path: None, lambda path: path.write_text("no certificate", encoding="ascii")],
    ids=["missing", "no certificate"],
)
def test_a_file_of_authorities_that_holds_none_stops_the_start(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(tmp_path / "ca.pem")
    with pytest.raises(ValueError, match=r"ca\.pem is no readable PEM file of certificates"):
        ServiceSettings(smtp_ca_file=tmp_path / "ca.pem")
