"""What a process does before its consumers run, and what nobody may do before it is done."""

import asyncio

import pytest
from fastapi import Request

from libs.common.errors import UnavailableError
from libs.common.preparation import Preparation


def request(method: str) -> Request:
    return Request({"type": "http", "method": method, "headers": []})


async def test_nothing_is_changed_and_all_may_be_looked_at_until_every_step_is_done() -> None:
    preparation, goes_on = Preparation([]), asyncio.Event()

    async def step() -> None:
        await goes_on.wait()

    preparation.add("adopting", step)
    running = asyncio.create_task(preparation.run())
    await asyncio.sleep(0)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(UnavailableError, match="has just started"):
            await preparation.require_for_changes(request(method))
    await preparation.require_for_changes(request("GET"))
    goes_on.set()
    await running
    await preparation.require_for_changes(request("POST"))
