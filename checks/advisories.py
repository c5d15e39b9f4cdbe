"""Asks for known vulnerabilities of the locked libraries, by pip-audit, where such advisories can be had.

Started as `python -m checks.advisories`. Exit status 1 where one is known; where nobody answers in time it says that
nothing was proven, and ends with 0: a check that needs others must not stop work when they are away.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import orjson

ROOT: Final = Path(__file__).parents[1]
ACCEPTED: Final[Mapping[str, str]] = {}
"""Advisories that do not concern this product, by id, with the reason."""

LOCKS: Final[tuple[Path, ...]] = tuple(sorted((ROOT / "requirements").glob("*.txt")))
"""Of what runs, of the embedded stack, and of what builds and tests both: that has its hands on every release."""

_LIMIT_SECONDS = 20.0
_ANSWER_SECONDS = 5
_SHOWN_CHARACTERS = 200


def faults(report: Mapping[str, Any], accepted: Mapping[str, str]) -> Iterator[str]:
    """Return a sentence for each advisory in a report of pip-audit (its JSON format) that is not accepted."""
    for each in report["dependencies"]:
        for advisory in each.get("vulns", ()):
            if not accepted.keys() & {advisory["id"], *advisory.get("aliases", ())}:
                fixed = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
                yield f"{each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}"


def unanswered(report: Mapping[str, Any]) -> int:
    """Return of how many libraries nobody said whether they have advisories."""
    return sum("skip_reason" in each for each in report["dependencies"])


def ask() -> Mapping[str, Any] | str:
    """Return pip-audit's report on all locks, or why there is none; a lock without one is an unanswered library."""
    with ThreadPoolExecutor(len(LOCKS)) as pool:
        reports = dict(zip(LOCKS, pool.map(ask_of, LOCKS), strict=True))
    missing = {lock.name: report for lock, report in reports.items() if isinstance(report, str)}
    if len(missing) == len(reports):
        return "; ".join(sorted(set(missing.values())))
    found = [each for report in reports.values() if not isinstance(report, str) for each in report["dependencies"]]
    return {"dependencies": [*found, *({"name": name, "skip_reason": why} for name, why in missing.items())]}


def ask_of(lock: Path) -> Mapping[str, Any] | str:
    """Return pip-audit's report on one lock, or why there is none."""
    options = ["--disable-pip", "--format=json", "--progress-spinner=off", "--desc=off", f"--timeout={_ANSWER_SECONDS}"]
    argv = [sys.executable, "-m", "pip_audit", *options, "-r", str(lock)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_LIMIT_SECONDS, check=False)  # noqa: S603  # argv is our own
        report: Mapping[str, Any] = orjson.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return f"no answer within {_LIMIT_SECONDS:.0f} seconds"
    except orjson.JSONDecodeError:
        return done.stderr.decode(errors="replace").strip()[-_SHOWN_CHARACTERS:] or f"exit status {done.returncode}"
    return report


def main() -> int:
    """Print the advisories, or that nothing is proven here; return 1 where there are any."""
    report = ask()
    if isinstance(report, str):
        print(f"advisories: NOT PROVEN HERE: {report}")
        return 0
    told, count = list(faults(report, ACCEPTED)), len(report["dependencies"])
    for each in told:
        print(each)
    if missing := unanswered(report):
        print(f"advisories: NOT PROVEN HERE: of {missing} of {count} libraries nobody says whether there are any")
    else:
        print(f"advisories: {count} libraries looked up, {len(told)} with something known")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
