"""Calls of a service's HTTP API from the command line, with a key that stands in a file or comes by a pipe."""

import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from bowerbird.showing import plain
from libs.access.key_text import is_well_formed

STDIN: Final = "-"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SECONDS = 30.0
_LONGEST_KEY = 200


class CallError(Exception):
    """A call could not be made, or was refused; the text says why and what to do, and holds no key."""


def read_key(source: str) -> str:
    """Return the API key in a file that its owner alone may read, or from standard input where the source is `-`.

    Raises:
        CallError: there is no such file, others may read it, or it holds something else than one key.
    """
    if source == STDIN:
        text = sys.stdin.read(_LONGEST_KEY)
    else:
        path = Path(source)
        try:
            mode = path.stat().st_mode
            with path.open(encoding="ascii") as file:
                text = file.read(_LONGEST_KEY)
        except (OSError, UnicodeDecodeError) as error:
            raise CallError(f"the key file {path} cannot be read ({type(error).__name__})") from None
        if stat.S_IMODE(mode) & 0o077:
            raise CallError(f"others than its owner may use the key file {path}; do: chmod 600 {path}")
    if not is_well_formed(text.strip()):
        where = "standard input" if source == STDIN else source
        raise CallError(f"{where} does not hold an API key (bb_ and 51 characters)")
    return text.strip()


def client(url: str, key: str) -> httpx.AsyncClient:
    """Return a client that sends the key with every call.

    Raises:
        CallError: the key would travel in the clear.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise CallError(f"{plain(url)} is not a URL") from None
    if parsed.scheme != "https" and not (parsed.scheme == "http" and parsed.host in _LOOPBACK):
        raise CallError(f"{plain(url)}: the key would travel in the clear; use https (http on this machine alone)")
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=parsed, headers=headers, timeout=_SECONDS)


async def call(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    service: str = "issuer",
) -> Any:
    """Return the JSON of a 2xx answer.

    Raises:
        CallError: nobody answers, or the answer is a refusal.
    """
    try:
        answer = await http.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise CallError(f"the {service} service at {http.base_url} does not answer ({type(error).__name__})") from None
    return content_of(http, answer, service)


def content_of(http: httpx.AsyncClient, answer: httpx.Response, service: str) -> Any:
    """Return the JSON of a 2xx answer.

    Raises:
        CallError: it is another answer, or of something else than this service.
    """
    try:
        content = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        raise CallError(
            f"{http.base_url} answers {answer.status_code} and no JSON; is it the {service} service?"
        ) from None
    if not answer.is_success:
        raise CallError(_refusal(answer.status_code, content))
    return content


def _refusal(status: int, content: Any) -> str:
    """Return what a problem document says (RFC 9457), with the fields that are wrong."""
    if not isinstance(content, dict):
        return f"refused with {status}"
    told = [f"{status} {plain(content.get('title', 'refused'))}", plain(content.get("detail"))]
    told += [f"{plain(each.get('field'))}: {plain(each.get('reason'))}" for each in content.get("errors") or ()]
    return "; ".join(filter(None, told))
