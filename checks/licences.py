"""Checks the licences of every locked library that runs in production, and of what is compiled into them.

Started as `python -m checks.licences`; exit status 1 where one is not on the list and is no reasoned exception.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import orjson
from license_expression import ExpressionError, Licensing
from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[1]
ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Unicode-3.0",
        "Unicode-DFS-2016",
        "Unlicense",
        "Zlib",
    }
)
"""Licences by their SPDX ids. Of these MPL-2.0 alone asks for something: its own files stay open when changed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A licence that was looked up by a person, and why it is right.

    Attributes:
        stated: what the library itself states; another statement has to be judged anew. None: nothing.
    """

    licence: str
    stated: str | None
    why: str


JUDGED: Final[Mapping[str, Judged]] = {
    "frozendict": Judged(
        "LGPL-3.0-only",
        "LGPL-3.0-only",
        "PyLD, which reads JSON-LD, imports it. It is used as it comes and unchanged, its source stands in the image, "
        "and whoever runs the image may put another version in its place, which is what the LGPL asks (section 4).",
    ),
    "resvg-py": Judged(
        "MIT AND Apache-2.0",
        None,
        "The wheel has the text of the MIT licence and no field for it; what is compiled in is in its list of "
        "components: resvg itself is Apache-2.0 OR MIT.",
    ),
}
"""Libraries whose licence is not on the list, or is not stated where a program finds it."""

# How licences were named before SPDX expressions, in the field and in the classifiers.
_SPDX = {
    "Apache 2": "Apache-2.0",
    "BSD 3-Clause license": "BSD-3-Clause",
    "MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_NAME = re.compile(r"^([A-Za-z0-9][^ \\]*==[^ \\]+(?: *;[^\\]+)?)", re.MULTILINE)
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Library:
    """What a library states of itself.

    Attributes:
        stated: an SPDX expression; None where it states nothing that we can read.
        components: expressions of what is compiled in, by name and version, from its lists of components (PEP 770).
    """

    name: str
    stated: str | None
    components: Mapping[str, str] = field(default_factory=dict)


def locked(lock: str) -> Iterator[str]:
    """Yield the names that a lock file pins for this platform."""
    for pinned in _NAME.findall(lock):
        requirement = Requirement(pinned)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement.name


def read(installed: Distribution) -> Library:
    """Return what an installed library states."""
    metadata: Any = installed.metadata
    stated = metadata.get("License-Expression") or _older_form(metadata)
    components: dict[str, str] = {}
    for path in installed.files or ():
        if path.parent.name == "sboms" and path.suffix == ".json":
            listed = orjson.loads(path.read_text())
            components |= dict(_components(listed.get("components", ())))
    return Library(metadata["Name"], stated, components)


def _older_form(metadata: Any) -> str | None:
    text = (metadata.get("License") or "").strip()
    if 0 < len(text) <= _LONGEST_NAME:
        return _SPDX.get(text, text)
    names = [_SPDX.get(each, each) for each in metadata.get_all("Classifier", ()) if each.startswith("License ::")]
    return " AND ".join(names) or None


def _components(listed: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in listed:
        for choice in each.get("licenses", ()):
            expression = choice.get("expression") or choice["license"].get("id") or choice["license"].get("name")
            yield f"{each['name']} {each.get('version', '')}", expression


def faults(library: Library, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Return a sentence for each licence of a library that is neither allowed nor judged."""
    judgement = judged.get(library.name.lower().replace("_", "-"))
    if judgement is not None:
        if judgement.stated != library.stated:
            yield f"{library.name} states {library.stated} now: judge it anew"
    elif library.stated is None:
        yield f"{library.name} states no licence: find it, and add it to JUDGED with where it stands"
    elif not allowed(library.stated):
        yield f"{library.name} is under {library.stated}"
    for name, expression in sorted(library.components.items()):
        if not allowed(expression):
            yield f"{library.name} contains {name}, which is under {expression}"


def allowed(expression: str) -> bool:
    """Return whether an SPDX expression leaves a way that has allowed licences alone (SPDX 2.3, annex D)."""
    licensing = Licensing()
    try:
        return _holds(licensing.parse(expression), licensing)
    except ExpressionError:
        return False


def _holds(parsed: Any, licensing: Licensing) -> bool:
    if isinstance(parsed, licensing.OR):
        return any(_holds(each, licensing) for each in parsed.args)
    if isinstance(parsed, licensing.AND):
        return all(_holds(each, licensing) for each in parsed.args)
    return str(parsed) in ALLOWED


def main() -> int:
    """Print the faults; return 1 where there are any."""
    names = list(locked((ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")))
    told: list[str] = []
    for name in names:
        try:
            told += faults(read(distribution(name)), JUDGED)
        except PackageNotFoundError:
            told.append(f"{name} is not installed: run `make env`")
    told += [f"{name} is judged and not locked: take it out of JUDGED" for name in JUDGED.keys() - set(names)]
    for each in told:
        print(each)
    print(f"licences: {len(names)} libraries looked at, {len(JUDGED)} judged one by one, {len(told)} faults")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
