"""Every command that operators read is one that there is: of ours by our parser, of compose by its containers."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError

from bowerbird import cli
from tests import compose, runbooks
from tests.compose import CONTAINERS
from tests.runbooks import CONSOLE, DOCUMENTS, ONLY_READ, RESTORING

OF_COMPOSE = [each for each in CONSOLE if each.startswith("docker compose ") and not each.endswith(" proxy")]
IN_CONTAINERS = [each for each in OF_COMPOSE if compose.read(each).is_ours]
_NAMED = re.compile(r"(?:`|^\s*|\| |\()bowerbird ([a-z][^`\n]*)", re.MULTILINE)
# As sentences shorten them.
_ONE_OF = re.compile(r"\b([a-z]+)(?:\|[a-z]+)+")
FOLDER = "/backups"


def parse(words: list[str]) -> None:
    """Read them as the command line does, and run nothing."""
    cli.app.parse_args(words, exit_on_error=False, print_error=False)


def words_of(named: str) -> list[str]:
    line = _ONE_OF.sub(r"\1", re.split(r"\s[|>]|\s#|\s\|\|", named)[0].replace("…", ""))
    return shlex.split(line)


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.stem)
def test_each_command_of_ours_that_a_document_names_is_taken_with_its_options(page: Path) -> None:
    for named in _NAMED.findall(page.read_text(encoding="utf-8")):
        words = words_of(named)
        if any(name == words[0] for name in cli.GROUPS) and len(words) == 1:
            continue  # a sentence about all of them
        try:
            parse(words)
        except MissingArgumentError:
            continue  # a sentence need not say what of


@pytest.mark.parametrize("command", OF_COMPOSE)
def test_each_call_of_compose_names_containers_and_options_that_there_are(command: str) -> None:
    compose.read(command)


@pytest.mark.parametrize("command", ["ps nothing", "run --rm issue parked list", "logs --follow issuer", "down", "run"])
def test_a_call_that_compose_would_refuse_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match=r"no call|no option|no service"):
        compose.read(f"docker compose {command}")


@pytest.mark.parametrize("command", IN_CONTAINERS)
def test_what_runs_in_a_container_is_a_command_with_all_that_it_needs(command: str) -> None:
    parse(list(compose.read(command).words))


@pytest.mark.parametrize("command", IN_CONTAINERS)
def test_a_folder_of_backups_is_a_volume_of_its_container_and_the_one_that_makes_them_alone_writes(
    command: str,
) -> None:
    call = compose.read(command)
    if any(word.startswith(FOLDER) for word in call.words):
        assert call.writes(FOLDER) == (call.words[0] == "backup")


def test_no_other_container_writes_backups() -> None:
    mounting = [name for name, each in CONTAINERS.items() if f":{FOLDER}" in str(each.get("volumes"))]
    assert set(mounting) == {"audit", "backup", "restore"}
    assert [name for name in mounting if compose.Call("run", (name,)).writes(FOLDER)] == ["backup"]


def blocks_of_restoring() -> Iterator[tuple[str, list[str]]]:
    """The blocks of the page, in its order: the language, the lines."""
    text = RESTORING.read_text(encoding="utf-8")
    for language, block in re.findall(r"```(sh|console)\n(.*?)```", text, re.DOTALL):
        yield language, [line.strip().removeprefix("$ ") for line in block.strip().splitlines()]


def test_below_each_command_of_restoring_stands_what_it_is_in_containers() -> None:
    blocks = list(blocks_of_restoring())
    plain = [place for place, (language, _) in enumerate(blocks) if language == "sh"]
    assert plain
    for place in plain:
        language, below = blocks[place + 1]
        assert language == "console", blocks[place]
        run = [compose.read(line).words for line in below if line.startswith("docker compose run ")]
        for line in blocks[place][1]:
            _, *words = shlex.split(line.replace("$BACKUP", f"{FOLDER}/NAME"))
            assert tuple(words) in run, line


def test_a_volume_that_is_deleted_is_one_of_compose_which_no_container_has_any_more() -> None:
    deleted = []
    for _, lines in blocks_of_restoring():
        gone = {name for line in lines if " rm --stop " in line for name in compose.read(line).services}
        for line in lines:
            if line.startswith("docker volume rm "):
                volume = line.rpartition(" bowerbird_")[2]
                having = {name for name, each in CONTAINERS.items() if f"{volume}:/" in str(each.get("volumes"))}
                assert having == gone
                deleted.append(volume)
    assert deleted == ["mongodb", "kafka"]


def test_what_restores_does_not_wait_for_setup_which_would_fill_the_stores() -> None:
    assert "setup" not in CONTAINERS["restore"]["depends_on"]
    assert CONTAINERS["setup"]["depends_on"].keys() == CONTAINERS["restore"]["depends_on"].keys()


@pytest.mark.parametrize("start", ONLY_READ)
def test_what_is_only_read_is_still_in_a_document(start: str) -> None:
    assert [each for each in CONSOLE if re.match(start, each)]
    assert ONLY_READ[start]


@pytest.mark.parametrize("command", runbooks.IN_CONTAINERS)
def test_what_is_tried_of_compose_is_ours_to_run_or_reads_a_log(command: str) -> None:
    if command.startswith("docker compose "):
        call = compose.read(command)
        assert call.is_ours or call.behind or call.program in {("ls",), ("df",)}
