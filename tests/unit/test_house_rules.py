"""Rules of the project that a reader would otherwise have to remember, as tests over the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("evidence", "issuer", "verifier", "notifier")


def modules(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_a_service_imports_no_other_service() -> None:
    for service in SERVICES:
        for path, tree in modules(f"services/{service}"):
            others = {f"services.{other}" for other in SERVICES if other != service}
            assert not {name for name in imports(tree) if name.startswith(tuple(others))}, path


def test_conformance_is_imported_by_nothing_that_runs_in_production_and_is_not_in_the_image() -> None:
    for folder in ("services", "libs", "bowerbird", "deploy"):
        for path, tree in modules(folder):
            assert not [name for name in imports(tree) if name.partition(".")[0] == "conformance"], path
    for name in ("deploy/Dockerfile", ".dockerignore"):
        assert "conformance" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_issuer_alone_signs_and_no_module_of_its_that_speaks_http() -> None:
    signing = ("libs.openbadges.issue.signing", "libs.openbadges.issue.jwt", "libs.openbadges.integrity.create")
    for path, tree in modules("services"):
        names = set(imports(tree))
        if any(name.startswith(signing) for name in names):
            assert path.is_relative_to(ROOT / "services/issuer"), path
            assert not [name for name in names if name.startswith(("fastapi", "starlette"))], path


def test_the_libraries_import_no_service() -> None:
    for path, tree in modules("libs"):
        assert not [
            name
            for name in imports(tree)
            if name.startswith(("services", "bowerbird", "deploy", "demo", "conformance"))
        ], path


def test_the_credential_engine_does_no_input_or_output() -> None:
    forbidden = ("libs.common", "asyncio", "socket", "http", "httpx", "urllib.request", "motor", "pymongo", "aiokafka")
    for path, tree in modules("libs/openbadges"):
        assert not [name for name in imports(tree) if name.startswith(forbidden)], path


def test_every_collection_is_opened_by_one_module_and_by_none_that_speaks_http() -> None:
    opened = re.compile(r"""database(?:\[|\.get_collection\(\s*)["'](\w+)["']""")
    for service in (*SERVICES, "../libs/common"):
        owners: dict[str, Path] = {}
        for path in sorted((ROOT / "services" / service).rglob("*.py")):
            for collection in opened.findall(path.read_text(encoding="utf-8")):
                assert owners.setdefault(collection, path) == path, f"{collection} is opened by {path} too"
        for path in owners.values():
            names = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
            assert "fastapi" not in names or path.name == "access.py", f"{path} queries and speaks HTTP"


def test_what_differs_between_motor_and_its_successor_is_called_in_one_module() -> None:
    calls = "start_session|start_transaction|list_indexes|watch|aggregate"
    differing = re.compile(rf"AsyncIOMotor|\bmotor\b|\.(?:{calls})\(")
    for folder in ("services", "libs", "bowerbird", "demo"):
        for path, _ in modules(folder):
            text = path.read_text(encoding="utf-8").replace("mongo.aggregate(", "").replace("health.watch(", "")
            assert path.match("libs/common/mongo.py") or not differing.search(text), path


def test_every_module_says_its_one_job_in_its_first_line() -> None:
    for folder in ("services", "libs", "bowerbird", "conformance", "deploy", "demo", "benchmarks", "tests"):
        for path, tree in modules(folder):
            assert ast.get_docstring(tree), path


def test_locks_and_build_files_name_no_place_to_download_from() -> None:
    for path in [*(ROOT / "requirements").iterdir(), ROOT / "pyproject.toml"]:
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        assert "--index-url" not in text, path
    for path in ROOT.glob("deploy/**/pom.xml"):
        assert "<repositor" not in path.read_text(encoding="utf-8"), path
