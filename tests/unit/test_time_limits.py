"""Every test has a time limit, and an asynchronous one that waits without end tells where it waited."""

import asyncio

import pytest

from tests.conftest import SECONDS, limited


async def waits_without_end() -> None:
    await asyncio.Event().wait()


async def test_an_asynchronous_test_that_waits_without_end_fails_where_it_waits() -> None:
    with pytest.raises(TimeoutError) as failure:
        await limited(waits_without_end, 0.01)()
    cancelled = failure.value.__cause__
    assert cancelled is not None
    frames = []
    trace = cancelled.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "waits_without_end" in frames


def test_every_test_has_a_limit_that_ends_it(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        marker = item.get_closest_marker("timeout")
        assert marker is not None, item
        assert marker.args[0] > 0


def test_each_folder_of_tests_has_its_limit(pytestconfig: pytest.Config) -> None:
    folders = {
        path.parent.relative_to(pytestconfig.rootpath / "tests").parts[0]
        for path in (pytestconfig.rootpath / "tests").rglob("test_*.py")
    }
    assert folders == SECONDS.keys()
