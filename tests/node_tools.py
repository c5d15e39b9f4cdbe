"""The Node packages that tests check what we publish with: installed once per lock file, outside the work tree."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(folder: Path) -> Path:
    """Return a copy of this Node project with the packages of its lock file; skip the test where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        assert "CI" not in os.environ, "continuous integration proves what clients in Node see, so it needs npm"
        pytest.skip("NOT PROVEN HERE: npm is missing")
    lock = folder / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bowerbird"
    home = base / f"node-{folder.name}-{digest}"
    if not (home / "installed").is_file():
        partial = home.with_name(f"{home.name}.partial-{os.getpid()}")
        shutil.copytree(folder, partial, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=partial, check=True, capture_output=True, text=True, timeout=300)
        (partial / "installed").touch()
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copy(file, home)
    return home
