"""Turns of workers: who sends many jobs waits for their own, and others do not."""

import asyncio
from contextlib import ExitStack

import pytest

from libs.common.client_address import CLIENT
from libs.common.errors import UnavailableError
from libs.common.workers.jobs import Job
from libs.common.workers.threads import Threads
from libs.common.workers.turns import Places, Turns
from services.notifier.channels.email import drawing
from services.verifier.service import ServiceSettings, picture_workers, stranger_workers


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


def taken(stack: ExitStack, places: Places, client: str, wanted: int) -> int:
    """How many of the places that a client wants it gets and keeps."""
    for number in range(wanted):
        try:
            stack.enter_context(places.place(client))
        except UnavailableError:
            return number
    return wanted


@pytest.mark.parametrize("addresses", [1, 2, 3, 7])
def test_whoever_takes_all_the_places_that_they_can_leave_some_for_the_next(addresses: int) -> None:
    places = Places(256)
    with ExitStack() as stack:
        for number in range(addresses):
            assert 0 < taken(stack, places, f"203.0.113.{number}", 300) <= 128
        assert taken(stack, places, "198.51.100.7", 300) > 0
        assert places.taken < 256
    assert places.taken == 0


@pytest.mark.parametrize("most", [1, 2, 8])
def test_who_has_no_place_gets_one_as_long_as_there_is_one(most: int) -> None:
    with ExitStack() as stack:
        assert [taken(stack, places, str(number), 1) for places in [Places(most)] for number in range(most + 1)] == [
            *[1] * most,
            0,
        ]


def two_steps(client: str) -> Job[str]:
    yield "how far"
    return client


async def all_of(clients: str, threads: Threads) -> str:
    """Run a job of each of these clients; return whose they were in the order in which they ended."""
    order = list[str]()

    async def nothing(_: object) -> None: ...

    async def request(client: str) -> None:
        CLIENT.set(client)
        order.append(await threads.run(two_steps, client, answer=nothing))

    await asyncio.gather(*(request(client) for client in clients))
    return "".join(order)


async def test_in_threads_clients_take_turns_however_many_jobs_one_of_them_sends() -> None:
    assert (await all_of("a" * 20 + "b", Threads(1, waiting=64, seconds=30))).index("b") < 3


async def test_one_client_has_no_more_than_half_of_the_places_at_threads() -> None:
    with pytest.raises(UnavailableError):
        await all_of("a" * 5, Threads(1, waiting=8, seconds=30))
    assert len(await all_of("aaaab", Threads(1, waiting=8, seconds=30))) == 5


def test_every_process_that_verifies_or_draws_is_ended_at_one_second_of_cpu_time() -> None:
    for pool in (stranger_workers(ServiceSettings()), picture_workers(), drawing.picture_workers()):
        assert pool._limits.cpu_seconds == 1
