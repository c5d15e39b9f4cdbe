"""An upload's body has a limit of time, which only the sender uses up."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from libs.common.errors import RequestTimeoutError
from services.evidence.batches.body import BLOCK_BYTES, Limits, plain_blocks


def limits(*, idle: float = 30, total: float = 30) -> Limits:
    return Limits(sent_bytes=10**9, plain_bytes=10**9, idle_seconds=idle, total_seconds=total)


async def at_once() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield bytes(BLOCK_BYTES)


async def never() -> AsyncIterator[bytes]:
    yield b"id,"
    await asyncio.Event().wait()


async def dripping() -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(0.02)
        yield b"x"


async def test_an_upload_is_not_given_up_because_we_took_long_over_its_rows() -> None:
    taken = 0
    async for block in plain_blocks(at_once(), limits(total=0.2), gzipped=False):
        taken += len(block)
        await asyncio.sleep(0.3)
    assert taken == 3 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("pieces", "bounds", "words"),
    [
        (never, limits(idle=0.1), "Nothing arrived"),
        (never, limits(total=0.1), "The upload took more"),
        (dripping, limits(idle=5, total=0.2), "The upload took more"),
    ],
)
async def test_an_upload_that_we_wait_for_too_long_is_given_up(
    pieces: Callable[[], AsyncIterator[bytes]], bounds: Limits, words: str
) -> None:
    with pytest.raises(RequestTimeoutError, match=words):
        [block async for block in plain_blocks(pieces(), bounds, gzipped=False)]
