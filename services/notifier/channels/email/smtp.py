"""SMTP connections, kept and used again, and what a server's answer means for a mail (RFC 5321).

Three things may go wrong, and they are told apart: the mail was refused or its fate is unknown (a Failure), or the
server takes no mail from us at all (RelayUnavailableError), which is no mail's fault and counts as no attempt.
"""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
    SMTPSenderRefused,
)

from libs.common.addresses import Address
from services.notifier.channels.failure import Failure, FailureKind

# RFC 3463, section 2, at the start of the text of an answer.
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_IDLE_SECONDS = 30.0
_TOO_LARGE = 552
_CLOSING = 421


class RelayUnavailableError(Exception):
    """The server takes no mail from us at the moment; the text is a code and no more."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The server that takes our mail, and how to talk to it. Times in seconds; `ca_file` None trusts the system's."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    ca_file: Path | None
    username: str | None
    password: str | None
    connect_seconds: float
    command_seconds: float
    accept_seconds: float
    mails_per_connection: int


@dataclass(slots=True)
class _Connection:
    client: SMTP
    mails: int = 0
    used_at: float = 0.0


class SmtpPool:
    """Connections to the relay. The caller bounds how many are used at once by how often it calls at once."""

    def __init__(self, relay: Relay, mail_from: Address, clock: Callable[[], float] = monotonic) -> None:
        self._relay = relay
        self._mail_from = str(mail_from)
        self._clock = clock
        self._idle: list[_Connection] = []
        self._tls = ssl.create_default_context(cafile=relay.ca_file) if relay.tls != "none" else None

    def trust_anew(self) -> None:
        """Trust what the file of authorities holds now, in connections that begin from now on.

        Raises:
            OSError: it cannot be used; then the authorities are those from before.
        """
        if self._tls is not None:
            self._tls = ssl.create_default_context(cafile=self._relay.ca_file)

    async def send(self, to: Address, content: bytes) -> Failure | None:
        """Offer one mail; None means that the server has taken it over (250 after its end).

        Raises:
            RelayUnavailableError: the server could not be reached, or refuses us as such.
        """
        connection, kept = await self._connection()
        try:
            begun = await self._begin(connection, to, kept)
            if isinstance(begun, Failure):
                return begun
            connection = begun
            failure = await self._recipient_and_data(connection, to, content)
        except BaseException:
            # An exchange that was cut off in the middle, also by cancellation, leaves a connection out of step.
            connection.client.close()
            raise
        await self._release(connection, failure)
        return failure

    async def _connection(self) -> tuple[_Connection, bool]:
        """A connection, and whether it is one that was kept."""
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected and self._clock() - connection.used_at < _IDLE_SECONDS:
                return connection, True
            connection.client.close()
        return await self._connect(), False

    async def _connect(self) -> _Connection:
        relay = self._relay
        client = SMTP(
            hostname=relay.host,
            port=relay.port,
            timeout=relay.connect_seconds,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=self._tls,
            username=relay.username,
            password=relay.password,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo(timeout=relay.command_seconds)
        except (SMTPException, OSError) as error:
            client.close()
            raise RelayUnavailableError(_told(error)) from None
        except BaseException:
            client.close()
            raise
        return _Connection(client)

    async def _begin(self, connection: _Connection, to: Address, kept: bool) -> _Connection | Failure:
        """MAIL. A kept connection may have died since; nothing of the mail has gone, so a fresh one takes its place."""
        try:
            return await self._mail(connection, to)
        except (SMTPException, OSError) as error:
            connection.client.close()
            if isinstance(error, SMTPSenderRefused) and error.code == _TOO_LARGE:
                return _failure(error.code, error.message)
            if not kept:
                raise RelayUnavailableError(_told(error)) from None
        fresh = await self._connect()
        try:
            return await self._begin(fresh, to, kept=False)
        except BaseException:
            fresh.client.close()
            raise

    async def _mail(self, connection: _Connection, to: Address) -> _Connection | Failure:
        client, options, encoding = connection.client, [], "ascii"
        if not to.is_ascii:
            if not client.supports_extension("smtputf8"):
                # RFC 6531, section 3.2: without the extension, the mail cannot be offered; 5.6.7 is its status.
                self._keep(connection)
                return Failure(FailureKind.PERMANENT, None, "5.6.7")
            options, encoding = ["SMTPUTF8"], "utf-8"
        await client.mail(self._mail_from, options=options, encoding=encoding, timeout=self._relay.command_seconds)
        return connection

    async def _recipient_and_data(self, connection: _Connection, to: Address, content: bytes) -> Failure | None:
        """RCPT, DATA and the mail. From here on every answer is about this mail."""
        client, relay = connection.client, self._relay
        encoding = "ascii" if to.is_ascii else "utf-8"
        try:
            await client.rcpt(str(to), encoding=encoding, timeout=relay.command_seconds)
            # The server may take long after the last byte, and giving up then means sending it twice: RFC 5321,
            # section 4.5.3.2.6, asks for ten minutes.
            await client.data(content, timeout=relay.accept_seconds)
        except SMTPResponseException as error:
            return _failure(error.code, error.message)
        except (SMTPException, OSError):
            client.close()
            return Failure(FailureKind.LOST)
        return None

    async def _release(self, connection: _Connection, failure: Failure | None) -> None:
        client = connection.client
        connection.mails += 1
        if not client.is_connected:
            return
        if connection.mails >= self._relay.mails_per_connection or (failure is not None and failure.code == _CLOSING):
            await self._quit(client)
        elif failure is None or await self._reset(client):
            self._keep(connection)

    def _keep(self, connection: _Connection) -> None:
        connection.used_at = self._clock()
        self._idle.append(connection)

    async def _reset(self, client: SMTP) -> bool:
        try:
            await client.rset(timeout=self._relay.command_seconds)
        except (SMTPException, OSError):
            client.close()
            return False
        return True

    async def _quit(self, client: SMTP) -> None:
        try:
            await client.quit(timeout=self._relay.connect_seconds)
        except (SMTPException, OSError):
            client.close()

    async def close(self) -> None:
        """Take leave on every connection that is not in use."""
        while self._idle:
            await self._quit(self._idle.pop().client)


def _failure(code: int, text: str) -> Failure:
    """What an answer means: 5yz for good, everything else for now; an answer that is none is a lost connection."""
    enhanced = _ENHANCED.match(text)
    if not 400 <= code <= 599:
        return Failure(FailureKind.LOST)
    kind = FailureKind.PERMANENT if code >= 500 else FailureKind.TEMPORARY
    return Failure(kind, code, enhanced.group(1) if enhanced else None)


def _told(error: Exception) -> str:
    """An error by its kind and code; its text may hold an address."""
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
