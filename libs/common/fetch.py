"""Fetching what a stranger's document points at: the one place that opens connections to places we did not choose.

A URL in a credential is written by whoever made the credential. Without rules it could make us call services of
our own network, read cloud metadata, or hang on an endless answer (server-side request forgery).
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from libs.common.errors import BowerbirdError
from libs.common.public_addresses import Address, is_public

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host as text; raises OSError where there are none."""

_LONGEST_URL: Final = 2048
_MOST_ADDRESSES: Final = 4


class FetchError(BowerbirdError):
    """Something could not be fetched, or may not be; nothing follows from that about what stands there.

    Attributes:
        reason: stable, for programs: `url_form`, `address_refused`, `not_resolved`, `not_reached`, `not_found`,
            `redirect_refused`, `too_large`, `too_slow`, `encoded`.
    """

    status = 502
    code = "not-fetched"
    title = "A document could not be fetched"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be fetched.

    Attributes:
        loopback: addresses of this machine too, and http to them: for a stack under development, never in production.
        bytes: the longest answer.
        seconds: the longest time for one URL with all its redirects.
        redirects: the most redirects, none of them to another host.
        ports: those that are fetched from; of this machine under `loopback` any.
    """

    loopback: bool = False
    bytes: int = 4 * 1024 * 1024
    seconds: float = 10
    redirects: int = 3
    ports: frozenset[int] = frozenset({443})


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Fetcher:
    """Fetches documents under the rules; holds no connection and no cookie between calls."""

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        resolve: Resolve = resolve,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """Take the rules; a test passes its own resolver and transport."""
        self._rules = rules or Rules()
        self._resolve = resolve
        self._transport = transport or partial(httpx.AsyncHTTPTransport, verify=ssl.create_default_context())

    async def fetch(self, url: str, accept: str = "*/*") -> bytes:
        """Return what stands at a URL.

        Args:
            url: https; under `Rules.loopback` also http to this machine.
            accept: the media types to ask for.

        Raises:
            FetchError: see there; also for every answer but 200.
        """
        try:
            async with asyncio.timeout(self._rules.seconds):
                return await self._follow(url, accept)
        except TimeoutError as error:
            raise FetchError("too_slow", f"{_host(url)} did not answer in {self._rules.seconds:g} seconds.") from error

    async def _follow(self, url: str, accept: str) -> bytes:
        origin = None
        for _ in range(self._rules.redirects + 1):
            parts = _checked(url)
            if origin not in (None, here := (parts.scheme, parts.host, parts.port)):
                raise FetchError("redirect_refused", f"{_host(url)} is another place than the one that was asked.")
            origin = here
            answer = await self._ask(parts, accept)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise FetchError("redirect_refused", f"{_host(url)} sends us on and on.")

    async def _ask(self, parts: httpx.URL, accept: str) -> bytes | str:
        """Return the body, or where a redirect points to."""
        failed: httpx.TransportError | None = None
        async with self._transport() as transport:
            for address in (await self._addresses(parts))[:_MOST_ADDRESSES]:
                request = httpx.Request(
                    "GET",
                    # Pinned: the name was resolved once, by us; the connection goes to what was checked.
                    parts.copy_with(host=str(address)),
                    headers={
                        "Host": parts.netloc.decode("ascii"),
                        "Accept": accept,
                        "Accept-Encoding": "identity",
                        "User-Agent": "Bowerbird",
                    },
                    extensions={
                        "sni_hostname": parts.host,
                        "timeout": httpx.Timeout(self._rules.seconds).as_dict(),
                    },
                )
                try:
                    return await self._read(await transport.handle_async_request(request), parts.host)
                except httpx.ConnectError as error:
                    failed = error
                except (httpx.TransportError, httpx.StreamError) as error:
                    raise FetchError("not_reached", f"{parts.host} could not be read.") from error
        raise FetchError("not_reached", f"{parts.host} could not be reached.") from failed

    async def _read(self, response: httpx.Response, host: str) -> bytes | str:
        try:
            if response.status_code in {301, 302, 303, 307, 308} and "location" in response.headers:
                return response.headers["location"]
            if response.status_code != 200:
                raise FetchError("not_found", f"{host} answered {response.status_code}.")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise FetchError("encoded", f"{host} sent a compressed answer, which was not asked for.")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > self._rules.bytes:
                    raise FetchError("too_large", f"{host} sent more than {self._rules.bytes} bytes.")
            return bytes(body)
        finally:
            await response.aclose()

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        """Resolve a host; one address that may not be called refuses the host, since the name leads to all of them."""
        host, port = url.host, url.port or (443 if url.scheme == "https" else 80)
        try:
            texts: Sequence[str] = [str(ipaddress.ip_address(host))]
        except ValueError:
            try:
                texts = await self._resolve(host, port)
            except (OSError, UnicodeError) as error:
                raise FetchError("not_resolved", f"There is no host {host}.") from error
        addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
        if not addresses:
            raise FetchError("not_resolved", f"There is no host {host}.")
        for address in addresses:
            if address.is_loopback and self._rules.loopback:
                continue
            if url.scheme != "https":
                raise FetchError("address_refused", f"{host} is asked for without encryption; only https is fetched.")
            if port not in self._rules.ports:
                raise FetchError(
                    "address_refused", f"{host} is asked for at port {port}; this port is not fetched from."
                )
            if not is_public(address):
                raise FetchError("address_refused", f"{host} is not an address of the public internet.")
        return addresses


def _checked(url: str) -> httpx.URL:
    """Return the URL, read strictly: two readers must not see two hosts in it.

    Raises:
        FetchError: `url_form`.
    """
    if len(url) > _LONGEST_URL or not url.isascii() or any(one <= " " or one in '\\"<>^`{|}\x7f' for one in url):
        raise FetchError("url_form", "The URL has characters that no URL has, or too many.")
    try:
        parts = httpx.URL(url)
        other = urlsplit(url)
        agreed = other.hostname == parts.host and other.port in {None, parts.port, 80, 443}
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("url_form", "The URL cannot be read.") from error
    if parts.scheme not in {"https", "http"} or not parts.host or parts.userinfo or not agreed:
        raise FetchError("url_form", "The URL is not one of https with a host and without a user.")
    return parts.copy_with(fragment=None)


def _host(url: str) -> str:
    """Return the host for a message, whatever the URL is."""
    return url.partition("://")[2].partition("/")[0][:100] or "The URL"
