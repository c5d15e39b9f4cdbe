"""The HTTP/1.1 server of a service: uvicorn, with limits of its own on connections, headers and waiting."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, cast

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from libs.common import metrics
from libs.common.body_pieces import Pieces
from libs.common.client_address import Networks, counted_address
from libs.common.connection_limits import ConnectionLimits
from libs.common.departures import CONNECTION
from libs.common.problems import MEDIA_TYPE, problem_of_status
from libs.common.response_headers import security_headers

_TICKS_BETWEEN_SWEEPS: Final = 5  # of a tenth of a second
# How long a client may go on sending a body that was answered already, so that it sees the answer.
_DRAIN_SECONDS: Final = 5.0
_CLOSING_SECONDS: Final = 5.0
# The event loop takes such a connection in one turn, and makes its transport in the next ones.
_TURNS_TO_ACCEPT: Final = 5
_DRAIN_STEP_SECONDS: Final = 0.05
_READY_STEP_SECONDS: Final = 0.1
# How long, and for how many bytes, a client is listened to that was told why its connection ends.
_LINGER_SECONDS: Final = 1.0
_MOST_LINGERING: Final = 1024 * 1024
# What the server itself refuses, before a route is looked up.
_DETAILS: Final = {
    HTTPStatus.BAD_REQUEST: "this is no HTTP request that can be read in one way alone",
    HTTPStatus.REQUEST_TIMEOUT: "the header did not end in time",
    HTTPStatus.TOO_MANY_REQUESTS: "your address has as many connections or requests under way as it may",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the header is too large, or a line without end",
    HTTPStatus.SERVICE_UNAVAILABLE: "all connections are taken; try again",
}


class Server(uvicorn.Server):
    """uvicorn under limits, with the signals left to us: consumers stop in order after it."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Take what is served; `proxies` of the limits may say in X-Forwarded-For and -Proto who calls."""
        self.limits = limits or ConnectionLimits()
        config = uvicorn.Config(
            app,
            http=HttpToolsProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=bool(self.limits.proxies),
            forwarded_allow_ips=list(self.limits.proxies),
        )
        if tls is not None:
            config.ssl_context_factory = lambda *_: tls
        super().__init__(config)
        self.proxies = Networks(self.limits.proxies)
        self.open: Counter[str] = Counter()
        self.servers = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on `sockets`."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        encrypted = self.config.ssl is not None
        self.servers = [
            await loop.create_server(
                lambda: LimitedProtocol(self),
                sock=each,
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=self.limits.head_seconds if encrypted else None,
                ssl_shutdown_timeout=_CLOSING_SECONDS if encrypted else None,
            )
            for each in sockets or []
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_SWEEPS == 0:
            now = self.now()
            for each in self.limited:
                each.expire(now)
        return await super().on_tick(counter)

    async def serve_once_ready(
        self, listening: socket.socket, ready: Callable[[], Awaitable[bool]], within_seconds: float
    ) -> None:
        """Serve once `ready` returns True, or has not for so long; until then `listening`, which is bound, is closed.

        A connection that is refused is what a proxy hands to the next replica, whatever was to be sent over it; an
        answer that this process is not ready yet would be its caller's.
        """
        patience = self.now() + within_seconds
        while not self.should_exit and self.now() < patience and not await ready():  # noqa: ASYNC110  # no event
            await asyncio.sleep(_READY_STEP_SECONDS)
        await self.serve(sockets=[listening])

    async def drain(self, listen_on_seconds: float, proxy_idle_seconds: float) -> None:
        """Lead callers elsewhere before the server stops: each connection ends with its next answer.

        Args:
            listen_on_seconds: how long connections are still taken.
            proxy_idle_seconds: the longest wait, after that, for the connections of proxies to end. One that was closed
                here while a proxy sends a request over it would cost that request.
        """
        self.config.encoded_headers.append((b"connection", b"close"))
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(listen_on_seconds)
        # What the kernel has accepted for this socket would be reset with it, and a proxy repeats no POST.
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        for each in self.servers:
            each.close()
        patience = self.now() + proxy_idle_seconds
        while self.now() < patience and any(each.is_of_proxy for each in self.limited):  # noqa: ASYNC110  # no event
            await asyncio.sleep(_DRAIN_STEP_SECONDS)

    @property
    def limited(self) -> Sequence["LimitedProtocol"]:
        """The connections that are open."""
        return cast(Sequence[LimitedProtocol], list(self.server_state.connections))

    def now(self) -> float:
        """Return the time that deadlines are set by."""
        return asyncio.get_running_loop().time()

    def may_connect(self, address: str, host: str) -> HTTPStatus | None:
        """Return None, or the status to refuse one more connection with; the longest idle one makes room for it."""
        if self.open[address] > self.limits.per_address and host not in self.proxies:
            metrics.HTTP_REFUSED.labels("connections_of_address").inc()
            return HTTPStatus.TOO_MANY_REQUESTS
        if len(self.server_state.connections) <= self.limits.connections:
            return None
        metrics.HTTP_REFUSED.labels("connections").inc()
        waiting = [each for each in self.limited if each.deadline is not None and not each.is_new]
        if not waiting:
            return HTTPStatus.SERVICE_UNAVAILABLE
        min(waiting, key=lambda each: each.deadline or 0).transport.abort()
        return None


class _MalformedError(Exception):
    """What came is not HTTP/1.1 as it should be, or more of it than is allowed."""

    def __init__(self, reason: str = "malformed", status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Deadlines are held here and looked at twice a second by the server, not by timers.

    Attributes:
        deadline: when the client must have sent a whole header; None while a request is being answered.
        is_new: nothing has come yet.
        is_of_proxy: it is the connection of a proxy, over which requests of many clients come.
    """

    def __init__(self, server: Server) -> None:
        state: ServerState = server.server_state
        super().__init__(config=server.config, server_state=state, app_state={})
        self._server = server
        self._limits = server.limits
        self._address = "unknown"
        self.deadline: float | None = None
        self.is_new = True
        self.is_of_proxy = False
        self._write_deadline: float | None = None
        self._closing_since: float | None = None
        self._refusal: _MalformedError | None = None
        self._in_head = self._in_body = False
        self._pieces = Pieces()
        self._head_size = 0
        # Bytes since the last piece of a body or the start of a header: of a line that does not end.
        self._barren = 0
        self._fruitful = False
        self._deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self._address = counted_address(host)
        self.is_of_proxy = host in self._server.proxies
        self._server.open[self._address] += 1
        self.deadline = self._server.now() + self._limits.head_seconds
        refused = self._server.may_connect(self._address, host)
        self.is_new = False
        if refused is not None:
            self._answer(refused)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.open[self._address] -= 1
        if self._server.open[self._address] <= 0:
            del self._server.open[self._address]

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._barren += len(data)
            if self._barren > _MOST_LINGERING:
                self.transport.abort()
            return
        before, self._fruitful = self._in_head, False
        try:
            self.parser.feed_data(data)
            self._hand_on()
            self._count_barren(len(data), before)
        except httptools.HttpParserUpgrade:
            # Answered as if no upgrade had been asked for (RFC 9110, section 7.8); what follows is not read.
            self._deaf = True
            if self.cycle is not None:
                self.cycle.keep_alive = False
        except (httptools.HttpParserError, _MalformedError) as error:
            refusal = error if isinstance(error, _MalformedError) else self._refusal or _MalformedError()
            metrics.HTTP_REFUSED.labels(refusal.reason).inc()
            self._end_with(refusal.status)

    def _count_barren(self, size: int, was_in_head: bool) -> None:
        """Limit what the parser gathers without handing it over: a field or chunk extension without end."""
        if self._fruitful or was_in_head != self._in_head:
            self._barren = 0
            return
        self._barren += size
        if self._barren > self._limits.head_bytes and (self._in_head or self._in_body):
            raise _MalformedError("head_too_large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._pieces.begin()
        self._in_head, self._head_size = True, 0
        self.deadline = self._server.now() + self._limits.head_seconds

    def on_url(self, url: bytes) -> None:
        self._add_to_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._add_to_head(len(name) + len(value) + 4)
        # The fields behind a chunked body must not join those that were read before it.
        if self._in_head:
            super().on_header(name, value)

    def _add_to_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.head_bytes or len(self.headers) >= self._limits.head_fields:
            self._refuse("head_too_large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_size, self.deadline = False, 0, None
        self._fruitful = self._in_body = True
        self._check_framing()
        if len(self.pipeline) >= self._limits.pipelined:
            self._refuse("pipelined", HTTPStatus.TOO_MANY_REQUESTS)
        super().on_headers_complete()
        self.cycle.transport = _Answering(self, self.cycle)  # type: ignore[assignment]  # all that uvicorn asks of one
        self.cycle.scope["extensions"] = {CONNECTION: {"socket": self.transport.get_extra_info("socket")}}

    def _check_framing(self) -> None:
        """Refuse what two servers in a row may read as two different requests (RFC 9112, sections 3.2 and 6.3)."""
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        hosts, lengths = names.count(b"host"), names.count(b"content-length")
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if hosts > 1 or (hosts == 0 and version == "1.1") or lengths > 1:
            self._refuse("malformed", HTTPStatus.BAD_REQUEST)
        if codings and (codings != [b"chunked"] or lengths or version == "1.0"):
            self._refuse("malformed", HTTPStatus.BAD_REQUEST)

    def _refuse(self, reason: str, status: HTTPStatus) -> None:
        """Stop the parser, which hides from its caller what a callback raises."""
        self._refusal = _MalformedError(reason, status)
        raise self._refusal

    def on_body(self, body: bytes) -> None:
        self._fruitful = True
        if not self._pieces.add(body):
            self._refuse("pieces_too_small", HTTPStatus.BAD_REQUEST)

    def _hand_on(self) -> None:
        if body := self._pieces.take():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._hand_on()
        self._fruitful, self._in_body = True, False
        if self.cycle.response_complete:
            self.deadline = self._server.now() + self._limits.idle_seconds
        super().on_message_complete()

    def close_after(self, cycle: RequestResponseCycle) -> None:
        """End the connection behind the answer of a request, which may still be sending its body."""
        if cycle is self.cycle and self._in_body and not self._deaf:
            self._stop_listening()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        waiting = bool(self.pipeline)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the deadline stands for uvicorn's timer
        if not (self._deaf or waiting or self._in_head):
            patience = _DRAIN_SECONDS if self._in_body else self._limits.idle_seconds
            self.deadline = self._server.now() + patience

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self._server.now() + self._limits.write_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = None

    def expire(self, now: float) -> None:
        """End the connection if its client has kept it waiting for too long."""
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _CLOSING_SECONDS:
                self.transport.abort()
        elif self._write_deadline is not None and now > self._write_deadline:
            metrics.HTTP_REFUSED.labels("answer_slow").inc()
            self.transport.abort()
        elif self.deadline is not None and now > self.deadline:
            if self._in_head:
                metrics.HTTP_REFUSED.labels("head_slow").inc()
                self._end_with(HTTPStatus.REQUEST_TIMEOUT)
            else:
                self.transport.close()

    def _end_with(self, status: HTTPStatus) -> None:
        """Close, with the reason before it unless an answer is under way."""
        self._deaf = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()
            return
        self._answer(status)
        self._stop_listening()

    def _stop_listening(self) -> None:
        """Close, once the client has had time to read why."""
        self._deaf, self._in_head, self._barren = True, False, 0
        if self.transport.can_write_eof():
            # Closed while the client still sends, the connection would be reset before the answer is read.
            self.transport.write_eof()
            self.deadline = self._server.now() + _LINGER_SECONDS
        else:
            self.transport.close()

    def _answer(self, status: HTTPStatus) -> None:
        body = problem_of_status(status, _DETAILS[status])
        fields = [
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            "connection: close",
            *(f"{name}: {value}" for name, value in security_headers(self.scheme or "http").items()),
        ]
        if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            fields.append("retry-after: 5")
        head = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *fields, "", ""])
        self.transport.write(head.encode() + body)


class _Answering:
    """The connection as the answer to one request sees it."""

    def __init__(self, protocol: LimitedProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        """Close, once the answer can have been read."""
        self._protocol.close_after(self._cycle)
