"""Sends a file of evidence to the evidence service and asks what became of it; each call may be repeated."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bowerbird import service_api
from bowerbird.evidence_files import EvidenceFile
from bowerbird.service_api import CallError

Told = Callable[[int], None]
"""Is told how many bytes were sent more; a negative number where they are sent again."""

_SERVICE: Final = "evidence"
_TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# The answer comes when all of the file is safe.
_UPLOAD_TIMEOUT: Final = httpx.Timeout(30, read=600, write=60)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence service, as far as sending a file goes.

    Attributes:
        http: with the key.
        source: the sender's system that the source ids come from.
    """

    http: httpx.AsyncClient
    source: str

    async def dry_run(self, file: EvidenceFile, told: Told) -> dict[str, Any]:
        """Return what the rows of a file would become.

        Raises:
            CallError: it was refused as a whole, or nobody answers.
        """
        return await self._send(file, {"dry_run": "true"}, {}, told)

    async def upload(self, file: EvidenceFile, idempotency_key: str, told: Told) -> dict[str, Any]:
        """Send a file, again and again under one key while the service is away, and return its batch.

        Raises:
            CallError: as `dry_run`.
        """
        return await self._send(file, {}, {"Idempotency-Key": idempotency_key}, told)

    async def batch(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a batch as it is now.

        Raises:
            CallError: nobody answers, or not the service.
        """
        found: dict[str, Any] = await service_api.call(self.http, "GET", batch["links"]["self"], service=_SERVICE)
        return found

    async def failed_rows(self, batch: Mapping[str, Any]) -> bytes:
        """Return the refused rows of a batch as a file.

        Raises:
            CallError: the key may not have them, or nobody answers.
        """
        try:
            answer = await self.http.get(batch["links"]["failed"])
        except httpx.HTTPError as error:
            raise _away(self.http, error) from None
        if not answer.is_success:
            service_api.content_of(self.http, answer, _SERVICE)
        return answer.content

    async def _send(
        self, file: EvidenceFile, query: Mapping[str, str], headers: Mapping[str, str], told: Told
    ) -> dict[str, Any]:
        given = {"Content-Type": file.media_type, **({"Content-Encoding": "gzip"} if file.gzipped else {}), **headers}
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(_TRIES)):
            sending = _Sending(file, told)
            try:
                answer = await self.http.post(
                    "/v1/batches",
                    params={"source": self.source, **query},
                    content=sending.pieces(),
                    headers={**given, "Content-Length": str(file.size)},
                    timeout=_UPLOAD_TIMEOUT,
                )
            except httpx.TransportError as error:
                if not left:
                    raise _away(self.http, error) from None
            else:
                if answer.status_code not in _TRY_AGAIN or not left or _is_long(answer):
                    found: dict[str, Any] = service_api.content_of(self.http, answer, _SERVICE)
                    return found
                pause = max(pause, _asked_pause(answer))
            told(-sending.sent)
            await wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise AssertionError("the last try answers or raises")


async def wait(seconds: float) -> None:
    """Wait before something is asked again."""
    await asyncio.sleep(seconds)


class _Sending:
    def __init__(self, file: EvidenceFile, told: Told) -> None:
        self._file = file
        self._told = told
        self.sent = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self._file.pieces():
            yield piece
            self.sent += len(piece)
            self._told(len(piece))


def _asked_pause(answer: httpx.Response) -> float:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() and len(asked) < 8 else 0.0


def _is_long(answer: httpx.Response) -> bool:
    """Return whether it is to be tried again after so long that a person decides: the next day, for a quota."""
    return _asked_pause(answer) > _LONGEST_PAUSE_SECONDS


def _away(http: httpx.AsyncClient, error: Exception) -> CallError:
    return CallError(f"the evidence service at {http.base_url} does not answer ({type(error).__name__})")
