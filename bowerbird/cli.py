"""The `bowerbird` command line."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bowerbird.contracts import stale, write
from bowerbird.registry import SERVICES
from bowerbird.setup import set_up
from libs.common.runtime import run_service
from libs.common.settings import Settings, SettingsError

ServiceName = Literal["evidence", "issuer", "verifier", "notifier"]

app = App(name="bowerbird", help="Micro-credentials and digital badges, issued at the scale of a state.")


@app.command
def run(service: ServiceName) -> int:
    """Run one service in the foreground until it is asked to stop (SIGTERM or Ctrl-C).

    Args:
        service: which of the four.
    """
    entry = SERVICES[service]
    settings = entry.settings.load()
    return run_service(service, settings, lambda plumbing: entry.build(plumbing, settings))


@app.command
def setup(*, patience: Annotated[float, Parameter(help="longest wait for MongoDB and Kafka, in seconds")] = 60) -> int:
    """Create the topics and indexes that do not exist yet; harmless to repeat."""
    created = asyncio.run(set_up(Settings.load(), patience))
    print(f"indexes are in place; topics created: {', '.join(created) or 'none, all were there'}")
    return 0


@app.command(name="settings")
def show_settings(service: ServiceName | None = None) -> int:
    """Print the settings that the services would start with, secrets masked.

    Args:
        service: which of the four; all of them where none is named.
    """
    every = {name for entry in SERVICES.values() for name in entry.settings.model_fields}
    for name, entry in SERVICES.items():
        if service in {None, name}:
            settings = entry.settings.load(also_known=every if service is None else ())
            table = Table("variable", "value", "meaning", title=name, title_justify="left")
            for row in settings.described():
                table.add_row(*row)
            Console().print(table)
    return 0


@app.command
def contracts(*, folder: Path = Path("docs/events"), check: bool = False) -> int:
    """Write the JSON Schemas and the AsyncAPI document of the events.

    Args:
        folder: where they stand.
        check: write nothing; exit 1 where a file is not what the code says.
    """
    changed = stale(folder) if check else write(folder)
    print(f"{'not up to date' if check else 'written'}: {', '.join(changed) or 'none'}")
    return 1 if check and changed else 0


def main() -> None:
    """Run the command line; an error that we foresaw is one sentence on stderr and exit status 1."""
    try:
        status = app()
    except (SettingsError, TimeoutError, OSError) as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        status = 1
    sys.exit(status or 0)
