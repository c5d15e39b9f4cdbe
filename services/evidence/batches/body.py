"""The body of an upload as blocks of plain bytes: unpacked, within limits of size and time, never held whole."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from time import monotonic

from starlette.requests import ClientDisconnect

from libs.common.errors import InvalidRequestError, RequestTimeoutError, TooLargeError
from services.evidence.batches import metrics

_GZIP = 16 + zlib.MAX_WBITS
# Rows are read from blocks of about this size, however small the pieces are that the network brings.
BLOCK_BYTES = 64 * 1024
# A file of evidence shrinks to a twentieth at best; what unpacks to more than this is made to cost us work. So much of
# it is unpacked in any case.
_MOST_RATIO = 100
_FREE_BYTES = 1024 * 1024
# From a slow sender a block comes at least this often, so that its upload is seen to live.
_BLOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upload may take.

    Attributes:
        sent_bytes: as they come.
        plain_bytes: once they are unpacked.
        idle_seconds: that we wait for the sender at a time.
        total_seconds: that we wait for the sender in all. How long we take ourselves is no fault of the sender's.
    """

    sent_bytes: int
    plain_bytes: int
    idle_seconds: float
    total_seconds: float

    def of_bytes(self, most: int) -> "Limits":
        """Return these for an upload of so many bytes, sent and unpacked."""
        return replace(self, sent_bytes=most, plain_bytes=most)


async def plain_blocks(pieces: AsyncIterator[bytes], limits: Limits, *, gzipped: bool) -> AsyncIterator[bytes]:
    """The body's bytes, unpacked where `gzipped`, in blocks of at most about `BLOCK_BYTES`.

    Raises:
        TooLargeError: more bytes than a limit allows, or more than gzip makes of a file of evidence.
        RequestTimeoutError: the sender paused for too long, or the upload takes too long.
        InvalidRequestError: the gzip data is damaged or incomplete, or the connection ended early.
    """
    unpack = _Gunzip() if gzipped else None
    plain = sent = 0
    block = bytearray()
    yielded = monotonic()
    async for piece in _timely(pieces, limits):
        sent += len(piece)
        for part in unpack.feed(piece) if unpack else (piece,):
            plain += len(part)
            if plain > limits.plain_bytes:
                raise TooLargeError(f"The upload has more than {limits.plain_bytes} bytes once it is unpacked.")
            if plain > max(_FREE_BYTES, sent * _MOST_RATIO):
                raise TooLargeError(f"The upload unpacks to more than {_MOST_RATIO} times its size; send it unpacked.")
            block += part
            if len(block) >= BLOCK_BYTES or monotonic() - yielded > _BLOCK_SECONDS:
                yield bytes(block)
                block.clear()
                yielded = monotonic()
    if unpack:
        unpack.finish()
    if block:
        yield bytes(block)


async def _timely(pieces: AsyncIterator[bytes], limits: Limits) -> AsyncIterator[bytes]:
    sent = 0
    left = limits.total_seconds
    while True:
        begun = monotonic()
        try:
            async with asyncio.timeout(min(left, limits.idle_seconds)):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if left <= limits.idle_seconds:
                raise RequestTimeoutError(f"The upload took more than {limits.total_seconds:.0f} seconds.") from None
            raise RequestTimeoutError(f"Nothing arrived for {limits.idle_seconds:.0f} seconds.") from None
        except ClientDisconnect:
            raise InvalidRequestError("The connection ended before the upload did.") from None
        left -= monotonic() - begun
        sent += len(piece)
        metrics.BYTES.inc(len(piece))
        if sent > limits.sent_bytes:
            raise TooLargeError(f"The upload has more than {limits.sent_bytes} bytes; send it in several files.")
        yield piece


class _Gunzip:
    """Unpacks gzip data (RFC 1952, also several members in a row), a bounded part at a time."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What this piece unpacks to; each part is small, however much the piece promises."""
        try:
            while piece:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                yield self._member.decompress(piece, BLOCK_BYTES)
                piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            while not self._member.eof and (part := self._member.decompress(b"", BLOCK_BYTES)):
                yield part
        except zlib.error:
            raise InvalidRequestError("The gzip data is damaged, or it is no gzip data.") from None

    def finish(self) -> None:
        """The body has ended.

        Raises:
            InvalidRequestError: the gzip data has not.
        """
        if not self._member.eof:
            raise InvalidRequestError("The gzip data is incomplete; the file was cut off.")
