"""The demo says when the stack's supervisor has died, rather than wait for what nothing starts again."""

import asyncio
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from demo import job
from demo.api import Endpoints
from demo.command import endpoints_of
from demo.progress import Display
from deploy.embedded.layout import Layout
from deploy.embedded.processes import Identity
from deploy.embedded.supervisor import NAME


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "var")
    layout.create()
    return layout


@pytest.fixture
def supervised(layout: Layout) -> Endpoints:
    this_process = Identity.of(os.getpid())
    assert this_process is not None
    layout.pid_file(NAME).write(this_process)
    return endpoints_of(layout)


def test_nothing_is_said_while_the_supervisor_runs(supervised: Endpoints) -> None:
    assert supervised.trouble() == ""


def test_a_supervisor_that_died_is_told_with_what_to_do(layout: Layout, supervised: Endpoints) -> None:
    layout.pid_file(NAME).remove()
    assert "supervisor is gone" in supervised.trouble()
    assert "`make up`" in supervised.trouble()


def test_a_stack_that_never_had_a_supervisor_is_in_other_hands(layout: Layout) -> None:
    assert endpoints_of(layout).trouble() == ""


async def test_the_demo_says_it_at_once_and_not_again_and_again(
    supervised: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_LOOK_EVERY_SECONDS", 0.01)
    troubled = replace(supervised, trouble=lambda: "The supervisor is gone.")
    output = io.StringIO()
    with Display(Console(file=output)) as display:
        async with job._report_trouble(troubled, display):
            await asyncio.sleep(0.2)
    assert output.getvalue() == "The supervisor is gone.\n"
