"""Looks for secrets in every file that git knows and in all commits before; what is known to be none stands here.

Started as `python -m checks.secrets`; exit status 1 where a string looks like a secret and nobody said why it is none.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

from checks.key_forms import BowerbirdKeyDetector

ROOT: Final = Path(__file__).parents[1]
KNOWN: Final[Mapping[tuple[str, str], str]] = {
    ("libs/openbadges/crypto/base58btc.py", "1fbf29f4d01704e52025ffc9a6d73b5241be9e10"): "the alphabet of base58",
    ("services/issuer/keys/api.py", "a517c8b0df9524edf462c622f87c53edf4c0e633"): "a public key of the specification",
    ("tests/unit/test_openbadges_file_kinds.py", "Private Key"): "the first line of one, and nothing after it",
    ("tests/unit/test_url_secrets.py", "e175c6f5f2a92e8623bd9a4820edb4e8c1b0fd10"): "digits and letters in their order",
    ("tests/unit/test_url_secrets.py", "5d897f1f53b51968c738b66c083548400e29de2c"): "its form alone",
}
"""By file and SHA-1 of the string, or by file and kind, why it is no secret."""

_KINDS = frozenset(
    {
        "AWS Access Key",
        "Azure Storage Account access key",
        "GitHub Token",
        "GitLab Token",
        "NPM tokens",
        "Private Key",
        "PyPI Token",
        "SendGrid API Key",
        "Slack Token",
    }
)
# Tests hold digests and made-up passwords, which open nothing, as what must be refused or hidden.
_KINDS_OUTSIDE_TESTS = frozenset({"Basic Auth Credentials", "JSON Web Token"})
_ENTROPY = 4.5
# Digests of packages, fonts and pictures, what the standards publish as examples (keys too), and what is generated
# from source that is looked at.
_LEFT_OUT = re.compile(
    r"requirements/.*\.txt|.*\.(?:ttf|png)|.*package-lock\.json|tests/(?:vectors|field)/.*|libs/openbadges/data/.*"
    r"|docs/(?:api|events|reference)/.*"
)


@dataclass(frozen=True, order=True)
class Found:
    """A string that looks like a secret; of itself only its SHA-1 is told."""

    file: str
    line: int
    kind: str
    sha1: str


def scan(root: Path, files: Collection[str]) -> set[Found]:
    """Return what looks like a secret in these files, whose paths begin at `root`."""
    exact = [*_made(_KINDS), BowerbirdKeyDetector()]
    likely = [*_made(_KINDS_OUTSIDE_TESTS), Base64HighEntropyString(limit=_ENTROPY)]
    found: set[Found] = set()
    for name in files:
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        for detector in exact if name.startswith("tests/") else [*exact, *likely]:
            # The whole file at once; its lines where there is something, since calls for all lines take half a minute.
            if detector.analyze_line(filename=name, line=text, line_number=0):
                found.update(_lines(name, text, detector))
    return found


def scan_earlier(root: Path) -> set[Found]:
    """Return what looks like a secret in the lines that any commit added, by the forms that are surely one.

    What only looks random is left to `scan`: it is mostly an example, which no later commit can put right.
    """
    exact = [*_made(_KINDS), BowerbirdKeyDetector()]
    outside_tests = [*exact, *_made(_KINDS_OUTSIDE_TESTS)]
    found: set[Found] = set()
    for name, lines in _added(root).items():
        text = "\n".join(lines)
        for detector in exact if name.startswith("tests/") else outside_tests:
            if detector.analyze_line(filename=name, line=text, line_number=0):
                found.update(_lines(name, text, detector))
    return found


def _added(root: Path) -> dict[str, dict[str, None]]:
    """Return the lines that commits added, each once, by file; of those files in which secrets are looked for."""
    patches = subprocess.run(
        ["git", "log", "--no-merges", "-p", "-U0", "--no-color", "--no-ext-diff", "--format=", "--diff-filter=AM"],  # noqa: S607  # as below
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    added: dict[str, dict[str, None]] = {}
    name = ""
    for line in patches.decode(errors="replace").split("\n"):
        if line.startswith("+++ b/"):
            name = line[6:]
        elif line.startswith("+") and not _LEFT_OUT.fullmatch(name):
            added.setdefault(name, {})[line[1:]] = None
    return added


def _lines(name: str, text: str, detector: BasePlugin) -> Iterator[Found]:
    for number, line in enumerate(text.splitlines(), 1):
        for each in detector.analyze_line(filename=name, line=line, line_number=number):
            yield Found(name, number, each.type, each.secret_hash)


def _made(kinds: Collection[str]) -> Iterator[BasePlugin]:
    classes: Mapping[str, Any] = get_mapping_from_secret_type_to_class()
    yield from (classes[kind]() for kind in sorted(kinds))


def unknown(found: Collection[Found], known: Mapping[tuple[str, str], str]) -> list[Found]:
    """Return those that nobody looked at."""
    return [each for each in sorted(found) if not known.keys() & {(each.file, each.sha1), (each.file, each.kind)}]


def faults(found: Collection[Found], known: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Return a sentence for each string that nobody looked at, and for each entry that stands for nothing."""
    for each in unknown(found, known):
        yield f"{each.file}:{each.line}: looks like a secret: {each.kind} (SHA-1 {each.sha1})"
    there = {(each.file, name) for each in found for name in (each.sha1, each.kind)}
    for file, name in sorted(known.keys() - there):
        yield f"{file} has no such string any more ({name}): take it out of the known ones"


def tracked(root: Path) -> list[str]:
    """Return the files that git knows and that are there, but for those of which digests or examples are made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607  # git from the path, as everywhere
    names = (name for name in listed.stdout.split("\0") if name)
    return [name for name in names if not _LEFT_OUT.fullmatch(name) and (root / name).is_file()]


def main() -> int:
    """Print the faults; return 1 where there are any."""
    files = tracked(ROOT)
    told = list(faults(scan(ROOT, files), KNOWN))
    told += [
        f"{each.file}: a commit added what looks like a secret: {each.kind} (SHA-1 {each.sha1})"
        for each in unknown(scan_earlier(ROOT), KNOWN)
    ]
    for each in told:
        print(each)
    print(f"secrets: {len(files)} files looked at, and the lines of all commits; {len(told)} faults")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
