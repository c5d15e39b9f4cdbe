"""The commands that run a service, prepare topics and indexes, and print settings."""

import asyncio
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, ParamSpec

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bowerbird.operators import every_setting
from bowerbird.registry import NAMES, find
from bowerbird.setup import (
    NEXT_STEPS,
    Access,
    SetupSettings,
    change_passwords,
    partner_access,
    set_up,
    withdraw_partner,
)
from libs.common.runtime import run_service
from libs.common.settings import SettingsError
from libs.common.store_access import read_password

P = ParamSpec("P")

ServiceName = Literal["evidence", "issuer", "verifier", "notifier"]


def _one_sentence(command: Callable[P, int]) -> Callable[P, int]:
    """A wrong setting is one sentence on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            print(f"bowerbird: {error}", file=sys.stderr)
            return 1

    return wrapped


@_one_sentence
def run(service: ServiceName) -> int:
    """Run one service in the foreground until it is asked to stop (SIGTERM or Ctrl-C).

    Args:
        service: which of the four.
    """
    entry = find(service)
    loaded = entry.settings.load(also_known=every_setting)
    return run_service(service, loaded, lambda plumbing: entry.build(plumbing, loaded))


@_one_sentence
def setup(
    *,
    patience: Annotated[float, Parameter(help="longest wait for MongoDB and Kafka, in seconds")] = 60,
    dry_run: Annotated[
        bool, Parameter(help="change nothing: print what would change of users and permissions")
    ] = False,
    remove_undeclared: Annotated[bool, Parameter(help="delete Kafka permissions that no table declares")] = False,
    partner: Annotated[str | None, Parameter(help="give this partner a user at Kafka, and do nothing else")] = None,
    password_file: Annotated[Path | None, Parameter(help="file with the partner's password, mode 0600")] = None,
    withdraw: Annotated[bool, Parameter(help="take the partner's user away instead")] = False,
    new_passwords: Annotated[
        Path | None,
        Parameter(help=f"give those who manage the stores the passwords in this folder ({', '.join(NEXT_STEPS)})"),
    ] = None,
    reason: Annotated[str | None, Parameter(help="why, in your own words, for the audit log")] = None,
) -> int:
    """Create the topics, indexes, users and permissions that do not exist yet; harmless to repeat."""
    loaded, access = SetupSettings.load(also_known=every_setting), Access(dry_run, remove_undeclared, reason)
    try:
        if new_passwords is not None:
            told = asyncio.run(change_passwords(loaded, new_passwords, access))
        elif partner is None:
            told = asyncio.run(set_up(loaded, patience, access))
        elif withdraw:
            asyncio.run(withdraw_partner(loaded, partner, access))
            told = [f"{partner} has no access any more"]
        elif password_file is None:
            raise SettingsError("--partner needs --password-file, or --withdraw")
        else:
            password = read_password(password_file, "--password-file")
            told = asyncio.run(partner_access(loaded, partner, password, access))
    except (ValueError, TimeoutError) as error:
        raise SettingsError(str(error)) from None
    for line in told:
        print(line)
    return 0


@_one_sentence
def settings(
    service: ServiceName | None = None,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="print JSON for programs")] = False,
) -> int:
    """Print the settings that the services would start with, secrets masked.

    Args:
        service: which of the four; all of them where none is named.
        as_json: see its help.
    """
    every = {
        name: find(name).settings.load(also_known=every_setting).described()
        for name in NAMES
        if service in {None, name}
    }
    if as_json:
        told = {
            name: {variable: {"value": value, "meaning": meaning} for variable, value, meaning in rows}
            for name, rows in every.items()
        }
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        for name, rows in every.items():
            table = Table(title=name, title_justify="left")
            table.add_column("variable", no_wrap=True)
            for column in ("value", "meaning"):
                table.add_column(column, overflow="fold")
            for row in rows:
                table.add_row(*row)
            Console().print(table)
    return 0
