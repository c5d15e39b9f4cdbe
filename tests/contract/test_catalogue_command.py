"""`bowerbird catalogue` against the issuer's own routes: what files publish and leave, and what stands against it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from bowerbird import service_api
from bowerbird.cli import app as command
from libs.access.scopes import Scope
from libs.common.errors import InvalidRequestError, UnavailableError
from libs.contracts.events import AchievementLevel
from libs.contracts.results import SoloLevel
from tests.catalogue_double import MemoryCatalogue, client_of
from tests.issuer_doubles import achievement, ruled
from tests.keys_in_memory import MemoryKeys

Run = Callable[..., tuple[int, str, str]]

TEAMWORK = """# What the working group agreed on.
id: teamwork
version: 1
name: Teamwork
description: |
  Works with others.

  Towards what none could do alone.
criteria: A teacher saw it: in a task for a group.
levels:
  - {level: relational, name: Connects, description: Fits the own part to those of others.}
  - level: unistructural
    description: Does a part.
required_level: relational
shared: true
""".replace("saw it:", "saw it,")
RULE = """id: {id}
name: {name}
description: Holds others.
criteria: Holds others.
rule:
  type: all
  of:
    - type: holds
      achievement: {held}
    - type: evidence
      activities: 2
      within: term
"""


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalogue").mkdir()
    return tmp_path / "catalogue"


@pytest.fixture
def run(
    tmp_path: Path,
    folder: Path,
    catalogue: MemoryCatalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    keys = MemoryKeys()
    served = catalogue.served(keys)
    monkeypatch.setattr(service_api, "client", lambda url, key: client_of(served, url, key))

    async def at_once(_seconds: float) -> None:
        pass

    monkeypatch.setattr("bowerbird.patient_calls.asyncio.sleep", at_once)
    writing = (Scope.CATALOGUE_READ, Scope.CATALOGUE_WRITE)
    for name, owner, scopes in (
        ("department", "department", writing),
        ("wattle", "wattle", writing),
        ("reader", "department", (Scope.CATALOGUE_READ,)),
    ):
        key = keys.add(owner, *scopes)
        (tmp_path / f"{name}.key").write_text(key)
        (tmp_path / f"{name}.key").chmod(0o600)

    def call(*words: str, owner: str = "department") -> tuple[int, str, str]:
        argv = ["catalogue", words[0], str(folder), *words[1:], "--key-file", str(tmp_path / f"{owner}.key")]
        with capture_logs():
            status: Any = command(argv, exit_on_error=False, result_action="return_value")
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")


def test_what_others_hold_is_published_before_them_and_again_nothing(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    (folder / "values").mkdir()
    (folder / "values" / "crew.yml").write_text(RULE.format(id="crew", name="Crew", held="teamwork"))
    write(folder, captain=RULE.format(id="captain", name="Captain", held="department/crew"), teamwork=TEAMWORK)
    (folder / "README.md").write_text("not an achievement")
    (folder / ".hidden.yaml").write_text("neither")
    status, told, error = run("apply")
    assert status == 0, error
    assert catalogue.published == ["department/teamwork/1", "department/crew/1", "department/captain/1"]
    assert "+ crew: version 1: new" in told
    assert "department: 3 new, 0 changed, 0 unchanged; 0 published that have no file" in told
    levels = catalogue.versions["department/teamwork/1"].levels
    assert [(each.level.value, each.name) for each in levels] == [
        ("unistructural", "Unistructural"),
        ("relational", "Connects"),
    ]
    catalogue.published.clear()
    status, told, _ = run("apply")
    assert (status, catalogue.published) == (0, [])
    assert "0 new, 0 changed, 3 unchanged" in told
    assert run("diff")[:2] == (0, "department: nothing differs\n")


def test_a_changed_file_publishes_the_next_version_of_that_achievement_alone(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK, crew=RULE.format(id="crew", name="Crew", held="teamwork"))
    run("apply")
    catalogue.published.clear()
    write(folder, crew=RULE.format(id="crew", name="The Crew", held="teamwork").replace("activities: 2", "classes: 2"))
    status, told, _ = run("apply", "--dry-run")
    assert (status, catalogue.published) == (0, [])
    assert "~ crew: version 2: name: Crew → The Crew; rule" in told
    assert told.endswith("Nothing was published.\n")
    status, told, _ = run("diff")
    assert status == 2
    assert re.search(r"crew.yaml: version 1 → 2\n  name:\n    - Crew\n    \+ The Crew\n  rule:\n", told)
    assert "    -     activities: 2\n    +     classes: 2\n" in told
    status, told, _ = run("apply", "--json")
    assert (status, catalogue.published) == (0, ["department/crew/2"])
    (step,) = orjson.loads(told)["steps"]
    assert (step["id"], step["version"], step["changes"]) == ("crew", 2, ["name", "rule"])


def test_every_fault_of_every_file_is_told_at_once_and_nothing_is_published(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(
        folder,
        teamwork=TEAMWORK.replace("name: Teamwork", "name: 2026").replace("shared: true", "shred: true"),
        good=TEAMWORK.replace("teamwork", "good"),
        other=TEAMWORK.replace("required_level: relational", "required_level: extended_abstract\nversion: 2"),
        bare="id: bare\n",
        crew=RULE.format(id="crew", name="Crew", held="nobody").replace("within: term", "within: soon"),
        mate=RULE.format(id="mate", name="Mate", held="nobody"),
        one=RULE.format(id="one", name="One", held="two"),
        two=RULE.format(id="two", name="Two", held="one"),
        above=RULE.format(id="above", name="Above", held="teamwork"),
        newer=TEAMWORK.replace("teamwork", "newer").replace("version: 1", "version: 3"),
        aliased="id: &id aliased\nname: *id\n",
        float=TEAMWORK.replace("teamwork", "float").replace("version: 1", "version: 9.0"),
    )
    (folder / "values").mkdir()
    (folder / "values" / "good.yaml").write_text(TEAMWORK.replace("teamwork", "good"))
    status, told, error = run("apply")
    assert (status, told, catalogue.published) == (1, "", [])
    found = [line.removeprefix(f"{folder}/") for line in error.splitlines()]
    assert [re.sub(r"(:\d+:(?: [a-z_.0-9]+:)?).*", r"\1", each) for each in found[:-1]] == [
        "aliased.yaml:1:",
        "bare.yaml:1:",
        "bare.yaml:1:",
        "bare.yaml:1:",
        "crew.yaml:12: rule.of.1.within:",
        "float.yaml:3: version:",
        "mate.yaml:9: rule.of.0.achievement:",
        "newer.yaml:3: version:",
        "one.yaml:9: rule.of.0.achievement:",
        "other.yaml:15: version:",
        "teamwork.yaml:4: name:",
        "teamwork.yaml:15: shred:",
        "two.yaml:9: rule.of.0.achievement:",
        "values/good.yaml:1:",
    ]
    assert "must be text: write it in quotes" in error
    assert "description is missing" in error
    assert found[-1] == "bowerbird: 14 faults; nothing was changed"


def test_a_version_that_somebody_published_meanwhile_is_not_overwritten(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK)
    run("apply")
    catalogue.published.clear()
    write(folder, teamwork=TEAMWORK.replace("name: Teamwork", "name: Team Work"))
    status, _, error = run("apply")
    assert (status, catalogue.published) == (1, [])
    assert (
        f"{folder}/teamwork.yaml:3: version: version 1 is published, and the file says something else of name" in error
    )
    write(folder, teamwork=TEAMWORK.replace("name: Teamwork", "name: Team Work").replace("version: 1", "version: 2"))
    first = catalogue.versions["department/teamwork/1"]
    catalogue.put(first.model_copy(update={"version": 2, "criteria": "Another one"}))
    catalogue.put(first.model_copy(update={"version": 3, "criteria": "Yet another one"}))
    for words in (("apply",), ("apply", "--dry-run")):
        status, _, error = run(*words)
        assert (status, catalogue.published) == (1, [])
        assert "version 3 is published since" in error
        assert "is version 4" in error.replace("it is version", "is version")
    status, told, _ = run("diff")
    assert status == 2
    assert "    - Yet another one\n    + A teacher saw it, in a task for a group.\n" in told


def test_between_the_plan_and_its_step_nobody_elses_version_is_overwritten(
    run: Run, folder: Path, catalogue: MemoryCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, teamwork=TEAMWORK.replace("version: 1\n", ""))
    publish = catalogue.publish

    async def second(*words: Any, **named: Any) -> Any:
        catalogue.put(achievement("teamwork", owner="department"))
        return await publish(*words, **named)

    monkeypatch.setattr(catalogue, "publish", second)
    status, _, error = run("apply")
    assert (status, catalogue.published) == (2, [])
    assert "teamwork.yaml: 409 Conflict; version 1 of teamwork is published with other content" in error


def test_a_partial_failure_says_what_was_published_and_can_be_run_again(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK, care=TEAMWORK.replace("teamwork", "care"), wit=TEAMWORK.replace("teamwork", "wit"))
    write(folder, crew=RULE.format(id="crew", name="Crew", held="teamwork"))
    catalogue.trouble = {"teamwork": InvalidRequestError("No credential of this can be signed"), "wit": _busy()}
    status, told, error = run("apply")
    assert (status, sorted(catalogue.published)) == (2, ["department/care/1", "department/wit/1"])
    assert "2 published, 2 not" in told
    assert "teamwork.yaml: 400" in error
    assert "crew.yaml: asks to hold teamwork, which was not published" in error
    status, _, _ = run("apply")
    assert (status, catalogue.published[2:]) == (0, ["department/teamwork/1", "department/crew/1"])


def _busy() -> Exception:
    return UnavailableError("busy")


def test_a_school_may_ask_to_hold_what_its_department_shares(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    catalogue.put(achievement("teamwork", owner="department", shared=True), achievement("care", owner="department"))
    write(folder, crew=RULE.format(id="crew", name="Crew", held="teamwork"))
    assert run("apply", owner="wattle")[0] == 0
    assert catalogue.published == ["wattle/crew/1"]
    assert "0 new, 0 changed, 1 unchanged" in run("apply", owner="wattle")[1]
    write(folder, crew=RULE.format(id="crew", name="Crew", held="care"))
    status, _, error = run("apply", owner="wattle")
    assert (status, "crew.yaml:9: rule.of.0.achievement: there is no such achievement" in error) == (1, True)


def test_what_looks_private_in_a_text_is_told_with_its_line_before_it_becomes_public(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK.replace("Does a part.", "Ask office@wattle.example."))
    status, told, _ = run("apply", "--dry-run")
    assert (status, catalogue.published) == (0, [])
    assert f"! {folder}/teamwork.yaml:13: levels.1.description:" in told


def test_export_writes_a_file_each_that_apply_and_diff_find_nothing_to_do_about(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    levels = [AchievementLevel(level=SoloLevel.RELATIONAL, name="no", description="12:30\n\n- 1\n")]
    catalogue.put(
        achievement("teamwork", owner="department", shared=True, levels=levels, name="true", criteria="2026-01-01"),
        ruled("crew", {"type": "holds", "achievement": "department/teamwork"}, owner="department", version=1),
        ruled("crew", {"type": "holds", "achievement": "department/teamwork"}, owner="department", version=2),
        achievement("score", owner="department", required_level=None, required_score=66.5, levels=[], repeatable=True),
        achievement("elsewhere"),
    )
    status, told, _ = run("export")
    assert (status, told) == (0, "department: 3 files written, 0 as they were\n")
    assert (folder / "crew.yaml").read_text().startswith("id: crew\nversion: 2\nname: Crew\ndescription: ")
    assert (folder / "crew.yaml").read_text().endswith("rule:\n  type: holds\n  achievement: teamwork\n")
    before = {each.name: each.read_text() for each in folder.iterdir()}
    assert run("diff")[0] == 0
    status, told, _ = run("apply")
    assert (status, catalogue.published) == (0, [])
    assert "0 new, 0 changed, 3 unchanged; 0 published that have no file" in told
    assert run("export")[1] == "department: 0 files written, 3 as they were\n"
    assert {each.name: each.read_text() for each in folder.iterdir()} == before


def test_without_versions_what_is_exported_is_published_elsewhere(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    newest = achievement("teamwork", owner="department", version=7)
    catalogue.put(newest)
    assert run("export", "--no-versions")[0] == 0
    assert run("export", "--no-versions")[1] == "department: 0 files written, 1 as they were\n"
    catalogue.versions.clear()
    assert run("apply")[0] == 0
    assert catalogue.versions["department/teamwork/1"].model_copy(update={"version": 7}) == newest


def test_a_folder_without_an_achievement_is_a_fault_and_so_is_one_that_is_not_there(run: Run, folder: Path) -> None:
    (folder / "README.md").write_text("moved")
    assert (run("apply")[0], run("diff")[0], run("export")[:2]) == (
        1,
        1,
        (0, "department: 0 files written, 0 as they were\n"),
    )
    (folder / "README.md").unlink()
    folder.rmdir()
    status, _, error = run("apply")
    assert (status, "No such file or directory" in error) == (1, True)


def test_a_key_that_may_only_read_compares_and_publishes_nothing(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK)
    assert run("apply", "--dry-run", owner="reader")[0] == 0
    status, _, error = run("apply", owner="reader")
    assert (status, catalogue.published, "lacks the scope catalogue:write" in error) == (2, [], True)


def test_export_leaves_a_file_that_says_the_same_and_one_that_differs_unless_told(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    write(folder, teamwork=TEAMWORK)
    run("apply")
    assert run("export")[:2] == (0, "department: 0 files written, 1 as they were\n")
    assert (folder / "teamwork.yaml").read_text() == TEAMWORK
    first = catalogue.versions["department/teamwork/1"]
    catalogue.put(first.model_copy(update={"version": 2, "criteria": "Another one"}))
    status, told, _ = run("export")
    assert (status, (folder / "teamwork.yaml").read_text()) == (2, TEAMWORK)
    assert "teamwork.yaml: says something else than version 2, and stays" in told
    assert run("export", "--overwrite")[0] == 0
    assert "version: 2" in (folder / "teamwork.yaml").read_text()
    write(folder, teamwork="id: [")
    assert run("export")[0] == 2
    assert run("export", "--overwrite")[0] == 0
    assert run("diff")[0] == 0


def test_what_was_published_by_older_rules_needs_no_new_version(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    catalogue.put(achievement("teamwork", owner="department", description="<script>alert(1)</script>"))
    assert run("export")[0] == 0
    assert run("apply")[0] == 0
    write(folder, teamwork=(folder / "teamwork.yaml").read_text().replace("name: Teamwork", "name: Team"))
    status, _, error = run("apply")
    assert (status, "teamwork.yaml:4: description:" in error) == (1, True)


def test_more_than_a_page_is_read_and_what_has_no_file_is_told_and_stays(
    run: Run, folder: Path, catalogue: MemoryCatalogue
) -> None:
    catalogue.put(*(achievement(f"a-{number:03}", owner="department") for number in range(230)))
    assert run("export")[1] == "department: 230 files written, 0 as they were\n"
    (folder / "a-229.yaml").unlink()
    status, told, _ = run("diff")
    assert (status, told) == (2, "a-229: version 1 is published and has no file\n")
    assert "229 unchanged; 1 published that have no file, which stay as they are" in run("apply")[1]
    assert catalogue.published == []
