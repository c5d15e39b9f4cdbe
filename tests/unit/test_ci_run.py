"""What continuous integration runs: brings the browser where it may, shows both halves, fails where one fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
TOOLS = ("bash", "env", "dirname", "timeout", "mkdir", "tee", "grep", "cut")
INSTALLS = 'case "$*" in *install*) ln -s "$(command -v bash)" "$PLACE/chromium";; esac'


class Machine:
    """A path of commands in which the tests' own stand for those that would change the machine."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (place / tool).symlink_to(found)
        # Given by path, as a directory of commands without `ln` would not do.
        self.command("ln", 'exec /bin/ln "$@"')
        self.command("make", "echo make $* CI=$CI")
        self.command("id", "echo 0")
        self.command("promtool", "")
        self.command("amtool", "")
        # A checkout of its own: in ours, CI itself may have unpacked what the tests take away.
        self._run = place / "checkout" / ".ci" / "run"
        self._run.parent.mkdir(parents=True)
        shutil.copy(RUN, self._run)

    def command(self, name: str, does: str) -> None:
        path = self.place / name
        path.write_text(f"#!{shutil.which('bash')}\n{does}\n", encoding="ascii")
        path.chmod(0o755)

    def run(self, **variables: str) -> tuple[int, str, str]:
        environment = {"PATH": str(self.place), "PLACE": str(self.place), **variables}
        done = subprocess.run([self._run], env=environment, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    def has(self, name: str) -> bool:
        return (self.place / name).exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_browser_is_installed_where_there_is_none(machine: Machine) -> None:
    machine.command("apt-get", INSTALLS)
    assert machine.run() == (0, "make check test CI=true\n", "")
    assert machine.has("chromium")


def test_a_browser_that_is_there_is_used_as_it_is(machine: Machine) -> None:
    machine.command("chromium-browser", "")
    machine.command("apt-get", INSTALLS)
    assert machine.run() == (0, "make check test CI=true\n", "")
    assert not machine.has("chromium")


def test_nothing_is_installed_by_who_is_not_root(machine: Machine) -> None:
    machine.command("id", "echo 1000")
    machine.command("apt-get", INSTALLS)
    status, ran, told = machine.run()
    assert (status, ran) == (0, "make check test CI=true\n")
    assert "NOT PROVEN HERE" in told
    assert not machine.has("chromium")


def test_without_apt_the_tests_run_all_the_same_and_the_lack_is_told(machine: Machine) -> None:
    status, ran, told = machine.run()
    assert (status, ran) == (0, "make check test CI=true\n")
    assert "NOT PROVEN HERE" in told


def test_where_there_is_no_promtool_the_tests_run_all_the_same_and_the_lack_is_told(machine: Machine) -> None:
    machine.command("chromium", "")
    (machine.place / "promtool").unlink()
    machine.command("apt-get", "exit 100")
    status, ran, told = machine.run()
    assert (status, ran) == (0, "make check test CI=true\n")
    assert "there is no promtool" in told


def test_an_installation_that_fails_stops_no_test(machine: Machine) -> None:
    machine.command("apt-get", "exit 100")
    status, ran, told = machine.run()
    assert (status, ran) == (0, "make check test CI=true\n")
    assert "NOT PROVEN HERE" in told


def test_the_status_is_that_of_the_tests(machine: Machine) -> None:
    machine.command("chromium", "")
    machine.command("make", "exit 2")
    assert machine.run()[0] == 2


def test_what_failed_is_named_last(machine: Machine) -> None:
    machine.command("chromium", "")
    failed = "whole | FAILED tests/e2e/test_demo.py::test_one - AssertionError"
    machine.command("make", f"echo '{failed}'; echo 'parts | 8 passed'; exit 2")
    status, told, _ = machine.run()
    assert (status, told.splitlines()) == (2, [failed, "parts | 8 passed", failed])


def test_a_run_without_end_is_ended_and_says_where_to_look(machine: Machine) -> None:
    machine.command("chromium", "")
    (machine.place / "timeout").unlink()
    # As the real one ends when it had to end what it ran.
    machine.command("timeout", "exit 124")
    status, _, told = machine.run()
    assert status == 124
    assert "last line above" in told


def test_each_half_has_a_time_limit_and_keeps_what_the_caller_asks_of_pytest(machine: Machine) -> None:
    machine.command("chromium", "")
    machine.command("make", 'echo "$PYTEST_ADDOPTS"')
    assert machine.run(PYTEST_ADDOPTS="-x")[1] == "--session-timeout=3000 -x\n"


@pytest.mark.parametrize(("whole", "parts"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_both_halves_are_shown_line_by_line_and_either_fails_the_whole(tmp_path: Path, whole: int, parts: int) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"""#!/bin/bash
        case "$*" in *tests/faults*) half=whole status={whole};; *tests/unit*) half=parts status={parts};; esac
        echo "out of $half on $TEST_PORT_OFFSET"; echo "err of $half" >&2; exit $status
        """,
        encoding="ascii",
    )
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "TEST_PORT"))}
    command = ["make", "--assume-old=env-dev", "test", f"PYTHON={python}"]
    done = subprocess.run(
        command, cwd=RUN.parents[1], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert bool(done.returncode) == bool(whole or parts)
    shown = ["parts | err of parts", "parts | out of parts on 1500", "whole | err of whole", "whole | out of whole on "]
    assert sorted(done.stdout.splitlines()) == shown


def test_whatever_the_machine_says_modules_are_compiled_once_and_not_by_every_process() -> None:
    show = ["make", "--eval", "show: ; @env", "show"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    shown = subprocess.run(show, cwd=RUN.parents[1], env=environment, capture_output=True, text=True, check=True)
    assert f"PYTHONPATH={RUN.parents[1]}" in shown.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in shown.stdout
