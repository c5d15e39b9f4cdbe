"""The `bowerbird` command in the image and in a source tree: it runs there, and offers what is there."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPY = re.compile(r"^COPY (?!--from|requirements)(.+) (/app/\S*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the Dockerfile copies to /app, and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    for sources, target in COPY.findall((ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")):
        for source in map(ROOT.joinpath, sources.split()):
            destination = folder / Path(target).relative_to("/app")
            if source.is_dir():
                shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                destination.mkdir(exist_ok=True)
                shutil.copy(source, destination)
    return folder


def bowerbird(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Without `site`, so that no path file of this environment leads back to the source tree.
    paths = os.pathsep.join([str(image), sysconfig.get_path("purelib")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "COLUMNS": "200"}
    argv = [sys.executable, "-S", "-m", "bowerbird", *words]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=image, timeout=60, check=False)


def test_the_command_in_the_image_offers_what_the_image_can_do(image: Path) -> None:
    offered = set(re.findall(r"^│ (\w[\w-]*) ", bowerbird(image, "--help").stdout, re.MULTILINE))
    assert {"run", "setup", "settings", "verify", "inspect"} <= offered
    assert offered.isdisjoint({"up", "down", "demo", "status", "conformance", "conformance-down"})


def test_a_command_that_the_image_lacks_is_wrong_usage_and_no_traceback(image: Path) -> None:
    answer = bowerbird(image, "status")
    assert answer.returncode == os.EX_USAGE
    assert "Traceback" not in answer.stderr


def test_every_service_of_the_image_can_be_imported(image: Path) -> None:
    answer = bowerbird(image, "settings")
    assert "Traceback" not in answer.stderr
    assert answer.returncode == 0, answer.stderr


def test_the_command_of_a_virtual_environment_runs_the_source_tree_around_it(tmp_path: Path) -> None:
    written = re.search(r"<<'EOF'\n(.*?)EOF\n", (ROOT / "deploy/make-env.sh").read_text(encoding="utf-8"), re.DOTALL)
    assert written is not None
    folder = tmp_path / "a tree" / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, text in (("bowerbird", written[1]), ("python", '#!/bin/sh\necho "$PYTHONPATH" "$@"\n')):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    answer = subprocess.run([folder / "bowerbird", "run", "a b"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"{tmp_path}/a tree -m bowerbird run a b\n"
