"""The calls of the guides work as they stand there, one guide after the other, as a reader would run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.layout import PORTS
from deploy.embedded.services import OWN
from deploy.embedded.stack import Stack
from tests.runbooks import ASKING_A_STACK, blocks_of

pytestmark = pytest.mark.integration

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
# The school gets its key from the department, the learner the badge from the school.
ORDER = ("department", "school", "learner", "operator")
# Where the command is installed.
INSTALLED = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
_ASKED = [PORTS[each] for name in OWN for each in (name, f"{name}-metrics")]
_PORT = re.compile(rf"\b(?:{'|'.join(map(str, _ASKED))})\b")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def blocks(guide: str) -> list[str]:
    return blocks_of(GUIDES / f"{guide}.md")


def for_stack(block: str, stack: Stack) -> str:
    """The block for this stack, which is up already, on ports of its own."""
    block = block.replace("make up\n", "")
    return _PORT.sub(lambda port: str(int(port[0]) + stack.layout.offset), block)


def test_what_the_guides_say_runs_in_their_order(stack: Stack, tmp_path: Path) -> None:
    assert shutil.which("jq"), "the guides read answers with jq"
    (tmp_path / "var").symlink_to(stack.layout.var)
    for guide in ORDER:
        script = "set -euo pipefail\n" + "\n".join(for_stack(block, stack) for block in blocks(guide))
        done = subprocess.run(
            ["bash", "-x", "-c", script],
            cwd=tmp_path,
            env=INSTALLED,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{guide}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert '"not_yet":1' in re.sub(r"\s", "", (tmp_path / "batch.json").read_text(encoding="utf-8"))


def test_what_the_pages_of_alerts_ask_first_is_answered(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    script = "set -euo pipefail\n" + "\n".join(for_stack(block, stack) for block in ASKING_A_STACK)
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=tmp_path,
        env={**INSTALLED, **stack.environment("issuer"), "BACKUPS": str(tmp_path / "backups")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
def test_a_link_of_a_guide_leads_somewhere(guide: str) -> None:
    for target in _LINK.findall((GUIDES / guide).read_text(encoding="utf-8")):
        assert (GUIDES / target).exists(), target
