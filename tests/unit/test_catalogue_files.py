"""Files of achievements: what is written is read as what it was, and nothing else is taken for an achievement."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bowerbird.catalogue import files
from bowerbird.catalogue.files import FaultyFilesError, Folder, read_folder, write_file
from bowerbird.catalogue.plan import Here, Plan, plan_of
from bowerbird.catalogue.written import achievement_schema, written, yaml_text
from libs.common.fields import Line, Text
from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel
from services.issuer.catalogue.achievement_api import AchievementRequest
from services.issuer.catalogue.achievement_list_api import AchievementContent
from services.issuer.catalogue.publications import same_content
from tests.issuer_doubles import achievement

LOOKS_ELSE = (
    *("yes", "no", "on", "Null", "null", "~", "true", "False", "1", "-1", "007", "0x1F", "0o7", "1_000", "1e3", "1.5"),
    *(".5", "1.", "+1", ".inf", ".nan", "12:30", "2026-01-01", "2026-01-01T10:00:00Z", "=", "<<", "- a", "a: b", "a:"),
    *("# a", "a # b", "!!str a", "&a", "*a", "| a", "> a", "'a'", '"a"', "@a", "`a", "%a", "? a", "[a", "{a", "a, b"),
    *("---", "...", "a\\nb", "a\n  b\n\nc", "a\n# b\n- c: d", "---\na", "a\n...\nb", "é\n\tb", "\N{GRINNING FACE}\nb"),
)
"""Texts that YAML could take for something else."""


def texts(kind: Any) -> st.SearchStrategy[str]:
    """Texts as the service keeps them, of a name or of several lines."""
    known: TypeAdapter[str] = TypeAdapter(kind)

    def kept(text: str) -> str | None:
        try:
            return known.validate_python(text)
        except ValidationError:
            return None

    drawn = st.sampled_from(LOOKS_ELSE) | st.text(max_size=40) | st.text("a: #-\n'\"\\\t|>é", max_size=20)
    return drawn.map(kept).filter(bool).map(str)


LINES, TEXTS = texts(Line), texts(Text)


def conditions(described: list[SoloLevel], held: dict[str, AchievementPublished]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.integers(2, 5)
    counted = st.fixed_dictionaries(
        {"type": st.just("evidence"), "count": st.integers(5, 20)},
        optional={
            "activities": several,
            "assessors": several,
            "within": st.sampled_from(["P90D", "P1Y"]),
            "terms": several,
        },
    )
    scored = st.fixed_dictionaries({"type": st.just("evidence"), "score": st.floats(0, 100)})
    levelled = st.fixed_dictionaries(
        {"type": st.just("evidence"), "level": st.sampled_from(described or list(SoloLevel))}
    )
    holding = [{"type": "holds", "achievement": each} for each in sorted(held)]
    return counted | scored | levelled | st.sampled_from(holding) if holding else counted | scored | levelled


@st.composite
def versions(draw: st.DrawFn, name: str, held: dict[str, AchievementPublished]) -> AchievementPublished:
    """A version that can be published where what may be held is."""
    described = draw(st.lists(st.sampled_from(list(SoloLevel)), unique=True, max_size=5))
    said: dict[str, Any] = {
        "levels": [
            AchievementLevel(level=each, name=draw(LINES), description=draw(TEXTS))
            for each in sorted(described, key=lambda level: level.rank)
        ],
        "required_level": None,
        "revoked_with_holdings": draw(st.booleans()),
        "version": draw(st.integers(1, 30)),
    }
    form = draw(st.sampled_from(["level", "score", "either", "rule"]))
    if form == "level":
        said["required_level"] = draw(st.sampled_from(described or list(SoloLevel)))
    elif form == "score":
        said["required_score"] = draw(st.floats(0, 100))
    elif form == "rule":
        one = conditions(described, held)
        group = st.lists(one, min_size=1, max_size=3, unique_by=lambda said: frozenset(said.items()))
        members = st.fixed_dictionaries({"type": st.sampled_from(["all", "any"]), "of": group})
        several = st.fixed_dictionaries({"type": st.just("at_least"), "n": st.just(1), "of": group})
        said["rule"] = draw(one | members | several | members.map(lambda inner: {"type": "all", "of": [inner]}))
    said |= {"name": draw(LINES), "description": draw(TEXTS), "criteria": draw(TEXTS)}
    return achievement(name, **said)


@st.composite
def catalogues(draw: st.DrawFn) -> Here:
    """Achievements of a school, of which some ask to hold others or what its department shares."""
    shared = {"song": achievement("song", owner="department", shared=True)}
    held = {"department/song": shared["song"]}
    own: dict[str, AchievementPublished] = {}
    for name in ("care", "wit", "song")[: draw(st.integers(1, 3))]:
        own[name] = draw(versions(name, held))
        held[f"wattle/{name}"] = own[name]
    return Here("wattle", own, shared)


FITS = jsonschema_rs.Draft202012Validator(achievement_schema()).is_valid


def exported(here: Here, folder: Path) -> Folder:
    for id_, version in here.own.items():
        write_file(folder / f"{id_}.yaml", yaml_text(written(version)))
    return read_folder(folder)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # three achievements are many texts
@given(catalogues())
async def test_what_is_exported_leaves_nothing_to_publish_and_publishes_the_same_elsewhere(here: Here) -> None:
    with TemporaryDirectory() as folder:
        read = exported(here, Path(folder))
    plan, faults = await plan_of(read, here)
    assert (plan, faults) == (Plan((), tuple(sorted(here.own)), ()), [])
    assert all(FITS(each.content) for each in read.files)
    numbered = {
        id_: each.model_copy(update={"name": "Another", "version": each.version - 1}) for id_, each in here.own.items()
    }
    plan, faults = await plan_of(read, Here("wattle", numbered, here.shared))
    assert faults == []
    assert {each.achievement_id: each.version.version for each in plan.steps} == {
        id_: each.version for id_, each in here.own.items() if each.name != "Another"
    }
    assert all(same_content(each.version, here.own[each.achievement_id]) for each in plan.steps)
    assert all(AchievementRequest.model_validate(each.request()) for each in plan.steps)


def test_whole_versions_are_told_and_written_with_every_field_that_can_be_published() -> None:
    fields = set(AchievementRequest.model_fields)
    assert set(AchievementContent.model_fields) == fields
    full = achievement(repeatable=True, shared=True, revoked_with_holdings=True, required_score=50.0)
    ruled = achievement(rule={"type": "evidence"})
    assert set(written(full)) | set(written(ruled)) == fields
    with_id = {each if each != "id" else "achievement_id" for each in fields}
    assert with_id == set(AchievementPublished.model_fields) - {"owner", "published_at"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "is no achievement"),
        ("- a\n", 1, "is no achievement"),
        ("id: a\nid: b\n", 2, "stands here twice"),
        ("id: a\n[b]: c\n", 2, "a name is a word"),
        ("id: a\n---\nid: b\n", 2, "cannot be read as YAML"),
        ("id: a\n name: b\n", 2, "cannot be read as YAML"),
        ("id: &a a\n", 1, "anchors and aliases are not taken"),
        ("a: &a [x]\nb: *a\n", 1, "anchors and aliases are not taken"),
        ("id: a\nrule: !!python/object/apply:os.system [ls]\n", 2, "tags are not taken"),
        ("id: a\nrule: " + "{of: [" * 6 + "]}" * 6, 2, "is nested too deep"),
        ("[" * 200, 1, "is nested too deep"),
        ("[" * 200_000, 1, ""),
        ("id: \x07\n", 1, "cannot be read as YAML"),
        ("# " + "x" * (256 << 10), 1, "has more than 256 KiB"),
    ],
)
def test_a_file_that_is_no_achievement_says_where(tmp_path: Path, text: str, line: int, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    (fault,) = read_folder(tmp_path).faults
    assert (fault.path, fault.line, message in fault.message) == (str(tmp_path / "a.yaml"), line, True)


def test_bytes_that_are_no_text_and_names_that_are_no_files_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"id: a\nname: \xe9\n")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "c.yaml")
    assert [(each.line, each.message) for each in read_folder(tmp_path).faults] == [
        (2, "is not UTF-8"),
        (1, "is no file"),
        (1, "is no file"),
    ]


@pytest.mark.parametrize("limit", ["_MOST_FILES", "_MOST_ENTRIES", "_MOST_BYTES_TOGETHER"])
def test_a_folder_with_too_much_in_it_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text("x")
    monkeypatch.setattr(files, limit, 2)
    with pytest.raises(FaultyFilesError):
        read_folder(tmp_path)


def test_a_word_is_a_number_or_a_truth_only_where_json_would_write_it_so(tmp_path: Path) -> None:
    text = (
        "a: [yes, on, 1_0, 0x1F, 12:30, 2026-01-01, 007, '1', \"true\", True, 1e3, .5]\nb: [1, -1, 1.5, true, null, ~]"
    )
    (tmp_path / "a.yaml").write_text(text)
    (file,) = read_folder(tmp_path).files
    assert all(isinstance(each, str) for each in file.content["a"])
    assert file.content["b"] == [1, -1, 1.5, True, None, None]
