"""The map in docs/architecture.md is the one of this repository, and links between documents lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

from libs.contracts import rights, topics
from libs.contracts.topics import AUDIT_ENTRIES, DEAD_LETTERS, SENT_AGAIN, SERVICES, TOPICS, Topic

ROOT = Path(__file__).parents[2]
OF_SERVICES = {*DEAD_LETTERS.values(), *SENT_AGAIN.values(), *AUDIT_ENTRIES.values()}
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_package_stands_in_the_map_and_no_other() -> None:
    folders = ("services", "libs", "bowerbird", "conformance", "deploy", "demo", "benchmarks", "checks")
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


@pytest.mark.parametrize("name", ["faults.md", "promises.md"])
def test_every_test_that_is_said_to_show_something_is_there(name: str) -> None:
    named = set(re.findall(r"`(tests/[\w./]+)`", (ROOT / "docs" / name).read_text(encoding="utf-8")))
    assert len(named) > 20
    assert not {each for each in named if not (ROOT / each).exists()}


def test_every_topic_stands_in_the_map() -> None:
    for topic in TOPICS:
        name = topic.name.removesuffix(".v1")
        if topic in OF_SERVICES:
            name = f"{name.partition('.')[0]}.SERVICE"
        assert f"| `{name}` |" in ARCHITECTURE, name


def consumers() -> dict[str, set[str]]:
    """Read from the source which services consume each topic."""
    found: dict[str, set[str]] = {}
    for service, module in ((each, path) for each in SERVICES for path in (ROOT / "services" / each).rglob("*.py")):
        if module.name not in {"service.py", "wiring.py"}:
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in {"topics", "bulk"}:
                for constant in re.findall(r"topics\.(\w+)", ast.unparse(node.value)):
                    topic = getattr(topics, constant)
                    assert isinstance(topic, Topic)
                    found.setdefault(topic.name.removesuffix(".v1"), set()).add(service)
    return found


def test_the_map_sends_each_topic_to_those_who_consume_it() -> None:
    consumed = consumers()
    assert len(consumed) > 5
    for topic in TOPICS:
        name = topic.name.removesuffix(".v1")
        if topic in OF_SERVICES:
            continue
        (way,) = re.findall(rf"^\| `{re.escape(name)}` \|[^|]+\|([^|]+)\|", ARCHITECTURE, re.MULTILINE)
        readers = set(re.findall(r"[a-z]+", way.partition("→")[2])) & {*SERVICES, "partners", "all"}
        assert readers == consumed.get(name, set()) | ({"partners"} if topic.for_partners else set()), name


def collections(source: Path) -> list[str]:
    return re.findall(
        r"""database(?:\[|\.get_collection\(\s*)["'](\w+)["']""",  # as every repository opens them
        source.read_text(encoding="utf-8"),
    )


def test_the_map_names_each_collection_with_the_module_that_opens_it() -> None:
    rows = dict(
        re.findall(
            r"^\| (`\w+`(?:, `\w+`)*) \| ((?:`\w+`(?:, `\w+`)* \([\w/.]+\)(?:, )?)+) \|$", ARCHITECTURE, re.MULTILINE
        )
    )
    listed = {
        key: {
            module: re.findall(r"\w+", names) for names, module in re.findall(r"((?:`\w+`(?:, )?)+) \(([\w/.]+)\)", row)
        }
        for key, row in rows.items()
    }
    expected = {}
    for service in SERVICES:
        folder = ROOT / "services" / service
        opened = {path.relative_to(folder).as_posix(): collections(path) for path in folder.rglob("*.py")}
        expected[f"`{service}`"] = {module: names for module, names in opened.items() if names}
    holders = [
        f"`{service}`"
        for service in sorted(SERVICES)
        if "ApiKeys(" in (ROOT / f"services/{service}/service.py").read_text(encoding="utf-8")
    ]
    shared = (
        "libs/access/repository.py",
        "libs/access/organisations.py",
        "libs/common/authority_secret.py",
        "libs/access/grant_probe.py",
    )
    expected[", ".join(holders)] = {module: collections(ROOT / module) for module in shared}
    every = ", ".join(f"`{service}`" for service in sorted(SERVICES))
    everywhere = ("libs/audit/log.py", "libs/common/positions.py", "libs/common/fence.py", "libs/common/canary.py")
    expected[every] = {module: collections(ROOT / module) for module in everywhere}
    assert listed == expected
    # Nobody may write another collection where the stores ask who calls.
    for service, entry in rights.SERVICES.items():
        own = {
            name
            for key, modules in expected.items()
            if f"`{service}`" in key
            for each in modules.values()
            for name in each
        }
        assert {*entry.collections, *entry.ledgers} == own, f"{service}: libs/contracts/rights.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_something_in_the_repository(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
