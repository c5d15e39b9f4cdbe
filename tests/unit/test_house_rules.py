"""Rules of the project that a reader would otherwise have to remember, as tests over the source."""

import ast
import functools
import re
import subprocess
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("evidence", "issuer", "verifier", "notifier")


@functools.cache
def modules(folder: str) -> Sequence[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Go through what is imported, each name of a package's with the package before it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_a_service_imports_no_other_service() -> None:
    for service in SERVICES:
        for path, tree in modules(f"services/{service}"):
            others = {f"services.{other}" for other in SERVICES if other != service}
            assert not {name for name in imports(tree) if name.startswith(tuple(others))}, path


def test_the_capabilities_of_a_service_import_each_other_one_way() -> None:
    for service in SERVICES:
        folder = ROOT / "services" / service
        uses: dict[str, set[str]] = {}
        for path, tree in modules(f"services/{service}"):
            capability = path.relative_to(folder).parts[0]
            names = [each.split(".") for each in imported_names(tree) if each.startswith(f"services.{service}.")]
            uses.setdefault(capability, set()).update(name[2] for name in names if (folder / name[2]).is_dir())
        below = {capability: {each for each in used if each != capability} for capability, used in uses.items()}
        tuple(TopologicalSorter(below).static_order())  # raises CycleError, which names the cycle


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


def test_the_embedded_stack_imports_nothing_that_runs_on_it() -> None:
    for path, tree in modules("deploy"):
        upper = ("demo", "conformance", "benchmarks", "tests", "bowerbird")
        assert not [name for name in imports(tree) if name.startswith(upper)], path


def test_the_credential_engine_does_no_input_or_output() -> None:
    ours = (
        "libs.common",
        "libs.contracts",
        "libs.access",
        "libs.audit",
        "services",
        "bowerbird",
        "conformance",
        "deploy",
        "demo",
    )
    others = (
        "aiokafka asyncio bson fastapi faststream http httpx motor multiprocessing os pymongo select shutil smtplib"
    )
    others += " socket sqlite3 ssl subprocess tempfile urllib.request uvicorn"
    forbidden = {*ours, *others.split()}
    for path, tree in modules("libs/openbadges"):
        for name in imports(tree):
            parts = name.split(".")
            packages = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
            assert not packages & forbidden, f"{path} imports {name}"
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"open", "print", "input"}, path


ENGINE = ("model", "crypto", "jsonld", "integrity", "jose", "status", "trust", "baking", "pictures", "issue", "verify")
"""The engine's packages from the bottom up; each stands on those before it."""


def test_the_credential_engine_imports_downward_only() -> None:
    assert {path.parent.name for path in (ROOT / "libs/openbadges").glob("*/__init__.py")} == set(ENGINE)
    for place, package in enumerate(ENGINE):
        above = tuple(f"libs.openbadges.{other}" for other in ENGINE[place + 1 :])
        for path, tree in modules(f"libs/openbadges/{package}"):
            named = {name for name in imported_names(tree) if name.startswith("libs.openbadges")}
            assert not {name for name in named if f"{name}.".startswith(tuple(f"{one}." for one in above))}, path
            assert "libs.openbadges" not in named, f"{path} imports from the package as a whole"


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


def calls_of_routes() -> Iterator[tuple[Path, ast.AsyncFunctionDef, list[ast.Call]]]:
    """Every route that serves a tenant, with the calls that it awaits."""
    for service in ("evidence", "issuer", "notifier"):
        for path, tree in modules(f"services/{service}"):
            for node in ast.walk(tree) if path.name == "api.py" else ():
                if isinstance(node, ast.AsyncFunctionDef) and any(
                    "router." in ast.unparse(d) for d in node.decorator_list
                ):
                    awaits = [each.value for each in ast.walk(node) if isinstance(each, ast.Await)]
                    yield path, node, [each for each in awaits if isinstance(each, ast.Call)]


def test_every_route_knows_its_caller_and_hands_the_tenant_to_whatever_it_asks() -> None:
    # An upload and a command carry their tenant within; a wait asks by what it is given.
    carry = {"receive", "dry_run", "publish", "wait_until"}
    found = list(calls_of_routes())
    assert len(found) >= 10
    for path, route, calls in found:
        assert "caller" in {each.arg for each in (*route.args.args, *route.args.kwonlyargs)}, f"{path}: {route.name}"
        tenant = {"caller", "caller.issuer_id"}
        if "ALL_ISSUERS" in ast.unparse(route):
            continue  # the administrator's alone, who is bound to no tenant
        if "caller.must_be(issuer_id)" in ast.unparse(route):
            tenant |= {"issuer_id", "[issuer_id]"}
        for call in calls:
            if ast.unparse(call.func).rpartition(".")[2] not in carry:
                given = {ast.unparse(each) for each in (*call.args, *(keyword.value for keyword in call.keywords))}
                assert given & tenant, f"{path}: {route.name} asks {ast.unparse(call)}"


def test_no_process_is_started_by_a_way_that_runs_python_between_fork_and_exec() -> None:
    """There a lock that a thread held at the fork is held for good: the child hangs, and whoever waits for it."""
    for package in ("libs", "services"):
        for path, tree in modules(package):
            called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
            named = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
            assert not any("create_subprocess" in each or "subprocess_exec" in each for each in called), path
            assert "preexec_fn" not in named, path


def test_what_differs_between_motor_and_its_successor_is_called_in_one_module() -> None:
    calls = "start_session|start_transaction|list_indexes|watch|aggregate"
    differing = re.compile(rf"AsyncIOMotor|\bmotor\b|\.(?:{calls})\(")
    for folder in ("services", "libs", "bowerbird", "demo"):
        for path, _ in modules(folder):
            text = path.read_text(encoding="utf-8").replace("mongo.aggregate(", "").replace("health.watch(", "")
            assert path.match("libs/common/mongo.py") or not differing.search(text), path


def test_every_module_begins_with_a_sentence_on_its_job_that_no_other_module_says() -> None:
    said: dict[str, Path] = {}
    for folder in ("services", "libs", "bowerbird", "conformance", "deploy", "demo", "benchmarks", "tests"):
        for path, tree in modules(folder):
            first = (ast.get_docstring(tree) or "").partition("\n")[0]
            # One that goes on behind its first line ends it with a full stop or a colon all the same.
            assert re.fullmatch(r"\S.{8,}[.:?]", first), f"{path}: {first}"
            assert said.setdefault(first, path) == path, f"{path} says the same as {said[first]}"


def test_the_contracts_import_nothing_of_ours_but_contracts_and_the_taxonomy() -> None:
    taxonomy = "libs.openbadges.model.solo"
    """The levels of SOLO, which the engine writes into credentials, are defined once and there."""
    for path, tree in modules("libs/contracts"):
        ours = ("libs", "services", "bowerbird", "conformance", "deploy", "demo")
        of_others = [name for name in imports(tree) if name.partition(".")[0] in ours]
        assert not [name for name in of_others if not name.startswith(("libs.contracts", taxonomy))], path


def test_locks_and_build_files_name_no_place_to_download_from() -> None:
    for path in [*(ROOT / "requirements").iterdir(), ROOT / "pyproject.toml"]:
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        assert "--index-url" not in text, path
    for path in ROOT.glob("deploy/**/pom.xml"):
        assert "<repositor" not in path.read_text(encoding="utf-8"), path


def written() -> set[str]:
    """Every file of the repository, by its path from the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


def test_nothing_cites_a_design_that_is_not_in_the_repository() -> None:
    for name in sorted(written()):
        if name.endswith((".md", ".py", ".html", ".yml", ".toml")) and name != "tests/unit/test_house_rules.py":
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(
                r"\bof the design\b|\bdesign\.md\b|\bthe design's\b|(?i:\bsection \d+ of the design)", text
            ), name


def test_nothing_refers_to_a_file_that_is_not_in_the_repository() -> None:
    files = written()
    there = files | {str(folder) for name in files for folder in Path(name).parents}
    folders = {name.partition("/")[0] for name in files if "/" in name}
    for name in sorted(files):
        if not name.endswith((".md", ".py", ".yml", ".toml", "Makefile", ".ci/run")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)", text) if name.endswith(".md") else []
        for link in links:
            assert str((ROOT / name).parent.joinpath(link).resolve().relative_to(ROOT)) in there, f"{name}: {link}"
        # In backticks, whatever begins with a folder of ours; anywhere, a document of ours.
        paths = re.findall(r"`([\w.-]+/[\w./-]+?)/?(?:::\w+)?`", text) + re.findall(
            r"(?<![\w/.-])docs/[\w./-]+\.md", text
        )
        for path in paths:
            if path.partition("/")[0] in folders and "." in path.rpartition("/")[2] + ".":
                assert path in there, f"{name} speaks of {path}"


def test_every_test_that_a_document_names_is_there() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for module, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", path.read_text(encoding="utf-8")):
            text = (ROOT / module).read_text(encoding="utf-8")
            assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), f"{path.name}: {module} has no {name}"


def test_each_test_module_has_a_name_of_its_own() -> None:
    # pytest imports a module of tests by its bare name: two of one name cannot run together.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}


PRIVATE_WORDS = re.compile(
    r"\bis_away\b(?!_)|_AWAY\b|\bin_hand\b|\bin hand\b|\bgoes deaf\b|\bat the door\b|\bwithout a word\b"
    r"|\b(?:was|stayed) away\b|\bcould be had\b|\bkeep_house\b|\bmark_dead\b|\.sentence\b"
)
"""Words that only their author understands; docs/glossary.md has the field's."""


def test_private_words_stay_out_of_code_documents_and_messages() -> None:
    for name in sorted(written()):
        ours = name.endswith((".md", ".py", ".html", ".yml", ".json")) and not name.startswith("libs/openbadges/data/")
        # The changelog names what was renamed.
        if ours and name not in {"tests/unit/test_house_rules.py", "CHANGELOG.md"}:
            found = PRIVATE_WORDS.search((ROOT / name).read_text(encoding="utf-8"))
            assert found is None, f"{name}: {found}"


def test_a_docstring_says_what_is_returned_and_not_that_it_answers_or_tells() -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for folder in (
        "services",
        "bowerbird",
        "deploy",
        "demo",
        "libs/common",
        "libs/contracts",
        "libs/access",
        "libs/audit",
    ):
        for path, tree in modules(folder):
            for node in ast.walk(tree):
                text = (ast.get_docstring(node) or "") if isinstance(node, documented) else ""
                assert not re.match(r"(?:Answer|Tell|Say)s?\b", text), f"{path}: {text.partition('.')[0]}"
