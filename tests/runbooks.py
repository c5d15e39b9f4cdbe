"""The commands of the pages of alerts that tests run as they stand there: all that are marked as `sh`."""

import re
from pathlib import Path
from typing import Final

from deploy.embedded.layout import SOURCE_ROOT

PAGES: Final = tuple(sorted((SOURCE_ROOT / "docs/runbooks").glob("Bowerbird*.md")))
_MONITORING: Final = ("amtool ", "promtool ")


def blocks_of(page: Path) -> list[str]:
    """Return the commands of a page, a block each."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def _every() -> tuple[str, ...]:
    """Return the blocks of all pages, each once: many pages ask the same."""
    return tuple(dict.fromkeys(block for page in PAGES for block in blocks_of(page)))


READING_FILES: Final = tuple(block for block in _every() if block.startswith(_MONITORING))
"""Those that read the files of the monitoring, with its own programs: tests/unit/test_alert_rules.py."""
ASKING_A_STACK: Final = tuple(block for block in _every() if block not in READING_FILES)
"""Those that ask services and stores: tests/e2e/test_guides.py."""
