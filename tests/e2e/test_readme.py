"""Every command of the README works as it stands there."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PORT_OFFSET

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# `make test` is what runs this test, and what measures is run with sizes that a test can wait for.
SHORTER = {
    "make test": "make --dry-run test",
    "make bench": "make bench SIZES=300 HALF_LOAD=2",
    "make bench-engine": "make bench-engine ROUNDS=1",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment in which the README's stack has data and ports of its own."""
    environment = {
        **os.environ,
        "BOWERBIRD_STACK_VAR": str(tmp_path_factory.mktemp("readme") / "var"),
        "BOWERBIRD_STACK_PORT_OFFSET": str(PORT_OFFSET + 50),
    }
    yield environment
    make("make down", environment)


def make(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.split(), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_readme_has_the_commands_that_a_newcomer_needs() -> None:
    assert commands()[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_works(command: str, place: dict[str, str]) -> None:
    done = make(SHORTER.get(command, command), place)
    assert done.returncode == 0, done.stdout + done.stderr
    if command == "make demo":
        assert "Everything adds up." in done.stdout
        summary = json.loads((Path(place["BOWERBIRD_STACK_VAR"]) / "demo" / "summary.json").read_text())
        outcomes = ("issued", "not_yet", "duplicate", "waiting", "refused")
        assert summary["received"] == sum(summary[name] for name in outcomes)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_a_target_that_the_readme_names_exists(target: str, place: dict[str, str]) -> None:
    assert make(f"make --dry-run {target}", place).returncode == 0


def test_the_readmes_command_prints_every_setting_with_its_meaning(place: dict[str, str]) -> None:
    (command,) = set(re.findall(r"`(\S+ settings)`", README))
    done = make(command, {name: value for name, value in place.items() if "BOWERBIRD_" not in name})
    assert done.returncode == 0, done.stderr
    assert "BOWERBIRD_MONGO_URL" in done.stdout


def test_make_alone_prints_every_target(place: dict[str, str]) -> None:
    printed = make("make", place).stdout
    for target in re.findall(r"^([a-z][a-z-]*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE):
        assert f"make {target}" in printed
