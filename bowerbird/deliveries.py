"""`bowerbird deliveries`: mails that may have been sent before the notifier's database was set back, and what to do."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Final

from cyclopts import Parameter
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import store_settings
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Entry
from libs.common import mongo
from libs.common.clock import now
from libs.common.fence import Fence
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from services.notifier.deliveries.repository import Deliveries, HeldDeliveries

_MOST_NAMED: Final = 100

Change = Callable[[Deliveries, str | None, datetime], Awaitable[int]]
ByIssuer = Annotated[str | None, Parameter(help="only those of this issuer")]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="do it; without it only look what it is")]
Reason = Annotated[str | None, Parameter(help="why, in your own words, for the audit log")]


def list_held(*, issuer: ByIssuer = None) -> int:
    """List what is held, by issuer and occasion: neither names nor addresses; and whether all that comes is held too.

    Args:
        issuer: see its help.
    """

    async def work(database: mongo.Database) -> None:
        _print(await Deliveries(database).held(issuer))
        until = await Fence(database.client, database).doubted_until()
        if until is not None and until > now():
            print("All mails are held, also of what comes, until `release` or `discard` without --issuer ends it.")

    return _with_database(work, issuer)


def release(*, issuer: ByIssuer = None, yes: Yes = False, reason: Reason = None) -> int:
    """Let what is held go: some learners may get a mail twice, under one Message-ID.

    Where all that comes is held too, that ends with it, unless an issuer is named.

    Args:
        issuer: see its help.
        yes: see its help.
        reason: see its help.
    """
    return _decide(Action.MAILS_RELEASED, Deliveries.release, issuer, reason, yes=yes)


def discard(*, issuer: ByIssuer = None, yes: Yes = False, reason: Reason = None) -> int:
    """Send nothing of what is held: some learners may never be told.

    Where all that comes is held too, that ends with it, unless an issuer is named.

    Args:
        issuer: see its help.
        yes: see its help.
        reason: see its help.
    """
    return _decide(Action.MAILS_DISCARDED, Deliveries.discard, issuer, reason, yes=yes)


def _decide(action: Action, change: Change, issuer: str | None, reason: str | None, *, yes: bool) -> int:
    async def work(database: mongo.Database) -> None:
        held = await Deliveries(database).held(issuer)
        _print(held)
        if yes and (held or issuer is None):  # of all: what comes may be held too
            print(f"{action.value}: {await decide(database, action, change, held, issuer, reason)}")

    return _with_database(work, issuer)


async def decide(  # noqa: PLR0917  # as the command has them
    database: mongo.Database,
    action: Action,
    change: Change,
    held: Sequence[HeldDeliveries],
    issuer: str | None,
    reason: str | None,
) -> int:
    """Record in the notifier's audit log what is decided of what is held, then do it; return of how many mails.

    What is decided of all issuers is of what came up to now: where all that comes was held too, that ends.
    """
    tenants = tuple(sorted({each.issuer_id for each in held})) or (ALL_ISSUERS,)
    details = {"deliveries": sum(each.mails for each in held)}
    entry = Entry(action, operators_cause(), tenants, "held deliveries", reason, details)
    await operators_log(database).record(entry)
    at = now()
    if issuer is None:
        await Fence(database.client, database).end_doubt(at)
    return await change(Deliveries(database), issuer, at)


def _with_database(work: Callable[[mongo.Database], Awaitable[None]], issuer: str | None) -> int:
    async def connected() -> int:
        settings = store_settings()
        client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-deliveries", mongo_options(settings))
        try:
            await work(client["notifier"])
            return await name_damaged(client["notifier"], issuer)
        finally:
            await mongo.close(client)

    try:
        return asyncio.run(connected())
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    except PyMongoError as error:
        print(f"bowerbird: MongoDB cannot be used ({type(error).__name__})", file=sys.stderr)
        return 1


async def name_damaged(database: mongo.Database, issuer: str | None) -> int:
    """Name held deliveries that were damaged, of one issuer where named; return 1 where there are some."""
    damaged = await Deliveries(database).damaged_held(issuer, _MOST_NAMED)
    for each in damaged:
        print(f"bowerbird: left out, since it cannot be read: notifier.deliveries {each}", file=sys.stderr)
    return 1 if damaged else 0


def _print(held: list[HeldDeliveries]) -> None:
    table = Table()
    for column in ("issuer", "occasion", "mails", "first scheduled", "last scheduled"):
        table.add_column(column, overflow="fold")
    for each in held:
        table.add_row(
            each.issuer_id, each.occasion, str(each.mails), f"{each.oldest:%Y-%m-%d %H:%M}", f"{each.newest:%H:%M}"
        )
    Console().print(table)
