"""The map in docs/architecture.md is the one of this repository, and links between documents lead somewhere."""

import re
from pathlib import Path

import pytest

from libs.contracts.topics import TOPICS

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_package_stands_in_the_map_and_no_other() -> None:
    folders = ("services", "libs", "bowerbird", "conformance", "deploy", "demo", "benchmarks")
    packages = {
        path.parent.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("__init__.py")
    }
    listed = re.findall(r"^\| `([a-z_/0-9]+)/` \|", ARCHITECTURE, re.MULTILINE)
    assert sorted(listed) == sorted(packages - {"services", "libs"})


def test_every_file_that_the_map_names_in_full_exists() -> None:
    named = set(
        re.findall(r"`((?:services|libs|bowerbird|deploy|docs|tests|demo|conformance)/[\w./-]+)`", ARCHITECTURE)
    )
    assert len(named) > 20
    assert not {name for name in named if not (ROOT / name).exists()}


def test_every_topic_stands_in_the_map() -> None:
    for topic in TOPICS:
        name = "dead-letters.SERVICE" if topic.name.startswith("dead-letters.") else topic.name.removesuffix(".v1")
        assert f"| `{name}` |" in ARCHITECTURE, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_something_in_the_repository(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
