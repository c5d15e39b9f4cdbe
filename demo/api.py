"""HTTP calls that may be made again: whatever answers badly for a while is asked again, with capped backoff."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import httpx

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 3.0
_MOST_CONNECTIONS = 32
# Unavailable or overloaded for the moment; nothing was acknowledged.
_AGAIN = frozenset({429, 502, 503, 504})
# What was made a moment ago travels to the other services by events: a key (401), a credential (404).
_ARRIVING = frozenset({404})


class DemoError(Exception):
    """The demo cannot go on; the text says what happened, and what to do where that is known."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the stack is: its directory, the base URL of each service, and the key that creates issuers.

    `trouble` says what is the matter with the stack as a whole and what to do about it; empty while nothing is.
    """

    var: Path
    evidence: str
    issuer: str
    verifier: str
    notifier: str
    admin_key: str
    trouble: Callable[[], str] = str


class Api:
    """One client for all services. Every call of it is safe to repeat, so it repeats while a service is unavailable."""

    def __init__(self, note: Callable[[str], None], *, patience_seconds: float = 240) -> None:
        self._note = note
        self._patience = patience_seconds
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(30, pool=patience_seconds),
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str, key: str = "", *, arriving: bool = False) -> Any:
        """Return the JSON that `url` answers; `arriving`: it may not be known there yet."""
        return (await self._call("GET", url, key, patient_with=_ARRIVING if arriving else frozenset())).json()

    async def post(self, url: str, body: Any, key: str = "") -> Any:
        """Post JSON, given as bytes where each of them counts, and return the JSON of the answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return (await self._call("POST", url, key, content=content, headers=headers)).json()

    async def upload(
        self, url: str, content: bytes | Callable[[], AsyncIterator[bytes]], headers: Mapping[str, str], key: str
    ) -> Any:
        """Post a file and return the JSON of the answer; a large one is made while it is sent, again with each try.

        A service that was killed while it received the file answers 503 to the same key for a while, since an upload
        that may be alive must not be overtaken; that is waited for. A 409 is an error at once: the key stands for
        another file, or somebody else goes on with this upload.
        """
        return (
            await self._call(
                "POST",
                url,
                key,
                content=content,
                headers=headers,
                # The service takes no more than it has put into safety, and a slow machine takes its time for that.
                timeout=self._patience,
            )
        ).json()

    async def text(self, url: str, *, arriving: bool = False) -> str:
        """Return what a public URL answers, as it is."""
        return (await self._call("GET", url, "", patient_with=_ARRIVING if arriving else frozenset())).text

    async def knows(self, url: str, key: str) -> bool:
        """Return whether the service at `url` takes this key: anything but 401."""
        return (await self._send("GET", url, {"Authorization": f"Bearer {key}"}, {})).status_code != 401

    async def until_known(self, url: str, key: str) -> None:
        """Wait until the service at `url` takes this key, which was made a moment ago.

        Raises:
            DemoError: the key does not arrive there in time.
        """
        give_up_at = monotonic() + self._patience
        while not await self.knows(url, key):
            if monotonic() > give_up_at:
                raise DemoError(f"{_host(url)} has not received a new API key: see `make status`")
            await asyncio.sleep(_FIRST_PAUSE_SECONDS)

    async def _call(
        self,
        method: str,
        url: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        patient_with: frozenset[int] = frozenset(),
        **body: Any,
    ) -> httpx.Response:
        sent = {**(headers or {}), **({"Authorization": f"Bearer {key}"} if key else {})}
        give_up_at = monotonic() + self._patience
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer = await self._send(method, url, sent, body)
            if answer.is_success:
                return answer
            if answer.status_code not in {401} | patient_with or monotonic() > give_up_at:
                raise DemoError(f"{method} {url} answered {answer.status_code}: {_detail(answer)}")
            if pause > 1:
                self._note(f"waiting for {_host(url)}: {_detail(answer)}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> httpx.Response:
        """Return one answer that is about the request, however often the service must be asked for it."""
        give_up_at = monotonic() + self._patience
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                content = body.get("content")
                made = {**body, "content": content()} if callable(content) else body
                answer = await self._client.request(method, url, headers=headers, **made)
                if answer.status_code not in _AGAIN:
                    if pause > 1:
                        self._note("")
                    return answer
                problem = f"answers {answer.status_code}"
            except httpx.TransportError as error:
                problem = f"does not answer ({type(error).__name__})"
            if monotonic() > give_up_at:
                raise DemoError(f"{_host(url)} {problem} after {self._patience:.0f} s of trying: see `make status`")
            if pause > 1:
                self._note(f"{_host(url)} {problem}, trying again")
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not secrecy
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _host(url: str) -> str:
    return httpx.URL(url).netloc.decode()


def _detail(answer: httpx.Response) -> str:
    """Return what a problem document (RFC 9457) says, with its fields; else the start of the text."""
    try:
        problem = answer.json()
    except ValueError:
        return answer.text[:200]
    if not isinstance(problem, dict):
        return answer.text[:200]
    fields = "; ".join(f"{each.get('field')}: {each.get('reason')}" for each in problem.get("errors", []))
    return " ".join(filter(None, [str(problem.get("detail", "")), f"({fields})" if fields else ""]))
