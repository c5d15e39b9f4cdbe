"""Turns of workers: who sends many jobs waits for their own, and others do not."""

import asyncio

import pytest

from libs.common.workers.turns import Turns


async def test_clients_take_turns_however_many_jobs_one_of_them_sends() -> None:
    turns, order = Turns(1), list[str]()

    async def job(client: str) -> None:
        async with turns.turn(client):
            order.append(client)
            await asyncio.sleep(0)

    await asyncio.gather(*(job(client) for client in "aaaabca"))
    assert "".join(order) == "aabcaaa"


async def test_who_gives_up_waiting_takes_no_turn_with_them() -> None:
    turns, ran = Turns(1), list[int]()

    async def job(number: int) -> None:
        async with turns.turn("one"):
            ran.append(number)

    async with turns.turn("other"):
        waiting = [asyncio.create_task(job(number)) for number in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    waiting[1].cancel()  # it has just been given its turn
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    await waiting[2]
    async with turns.turn("other"):
        assert ran == [2]
