"""The page docs/reference/modules.md: every module with the first sentence of its docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_HEADINGS = (
    ("The services", ("services/evidence", "services/issuer", "services/verifier", "services/notifier")),
    ("The libraries", ("libs/common", "libs/contracts", "libs/access", "libs/audit", "libs/openbadges")),
    ("Around them", ("bowerbird", "conformance", "deploy", "demo", "benchmarks", "checks")),
)
_INTRODUCTION = """# Every module, with its job

Generated from the first sentence of each module by `bowerbird contracts`; `make check` fails where it is not current.
[architecture.md](../architecture.md) says how the modules hang together. A line in bold is a package.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_INTRODUCTION, *_lines()])


def _lines() -> Iterator[str]:
    for heading, folders in _HEADINGS:
        yield f"## {heading}\n"
        for folder in folders:
            yield f"### `{folder}/`\n"
            yield f"{_first_sentence(ROOT / folder / '__init__.py')}\n"
            yield "| module | job |"
            yield "| --- | --- |"
            for path in sorted((ROOT / folder).rglob("*.py")):
                if path == ROOT / folder / "__init__.py":
                    continue
                job = _first_sentence(path)
                if job:
                    yield _row(path.relative_to(ROOT / folder), job)
            yield ""


def _row(path: Path, job: str) -> str:
    if path.name != "__init__.py":
        return f"| `{path.as_posix()}` | {job} |"
    return f"| **`{path.parent.as_posix()}/`** | **{job}** |"


def _first_sentence(path: Path) -> str:
    """Return the first line of a module's docstring; a pipe would end its cell."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("|", "\\|")
