"""The commands of runbooks, and how each is tried: as it stands there, as its container runs it, or only read."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.embedded.layout import SOURCE_ROOT

FOLDER: Final = SOURCE_ROOT / "docs/runbooks"
PAGES: Final = tuple(sorted(FOLDER.glob("Bowerbird*.md")))
RESTORING: Final = FOLDER / "restore.md"
DOCUMENTS: Final = (*PAGES, FOLDER / "README.md", RESTORING, SOURCE_ROOT / "docs/guides/operator.md")
"""All that operators read, in an order in which a backup is made before it is looked for."""
_MONITORING: Final = ("amtool ", "promtool ")

ONLY_READ: Final[Mapping[str, str]] = {
    r"docker compose ps": "tells of containers",
    r"docker compose logs [^|]*$": "shows all that containers log",
    r"docker compose (up|stop|restart|kill|rm) ": "starts and ends containers",
    r"docker volume rm ": "deletes a volume",
    r"docker system df": "tells of Docker's disk",
    r"docker compose exec( -T)? proxy": "the proxy of compose alone takes it",
    r"docker compose exec alertmanager amtool ": "needs an Alertmanager, which `make alerts` starts",
    r"curl -sS http://127\.0\.0\.1:909[03]/": "needs Prometheus or Alertmanager, which `make alerts` starts",
    r"timedatectl ": "needs systemd",
    r"openssl s_client -starttls smtp ": "needs a mail server with a certificate",
}
"""What no test runs, as the start of a command, and why. Those of compose are still read as its command line does."""


def blocks_of(page: Path, language: str = "sh") -> list[str]:
    """Return the commands of a page, a block each."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def console_of(page: Path) -> list[str]:
    """Return the commands of a page that are shown with a prompt, and those of compose that stand in its sentences."""
    shown = [line for block in blocks_of(page, "console") for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)]
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [*shown, *re.findall(r"`(docker compose [a-z]+ [^`]*)`", prose)]


def _every() -> tuple[str, ...]:
    """Return the blocks of all pages, each once: many pages ask the same."""
    return tuple(dict.fromkeys(block for page in PAGES for block in blocks_of(page)))


READING_FILES: Final = tuple(block for block in _every() if block.startswith(_MONITORING))
"""Those that read the files of the monitoring, with its own programs: tests/unit/test_alert_rules.py."""
ASKING_A_STACK: Final = tuple(block for block in _every() if block not in READING_FILES)
"""Those that ask services and stores: tests/e2e/test_guides.py."""

CONSOLE: Final = tuple(dict.fromkeys(command for page in DOCUMENTS for command in console_of(page)))
"""Those with a prompt, each once."""
TRIED: Final = tuple(each for each in CONSOLE if not any(re.match(start, each) for start in ONLY_READ))
CHECKING_RULES: Final = tuple(each for each in TRIED if each.startswith("docker compose exec prometheus promtool "))
"""Those that Prometheus's own program does: tests/unit/test_alert_rules.py."""
IN_CONTAINERS: Final = tuple(each for each in TRIED if each not in CHECKING_RULES)
"""Those that run with what a container is given, or read what it logs: tests/integration/test_secured_stores.py."""
