"""`bowerbird retention`: what each service keeps for a stated life, how old it is, and what would be removed now."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from bowerbird.commands import ServiceName
from bowerbird.operators import every_setting
from bowerbird.registry import NAMES, find
from libs.common import mongo
from libs.common.clock import now
from libs.common.retention import Kept
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from libs.contracts.topics import TOPICS

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Overdue:
    """One kind of what is kept: for how long, how old the oldest is (None where there is none), how many are over."""

    service: str
    kind: str
    life: timedelta
    oldest: timedelta | None
    ended: int


def retention(service: ServiceName | None = None) -> int:
    """Show what would be removed, and remove nothing: the services do that, unless BOWERBIRD_RETENTION_ENFORCED=false.

    Records on topics end with the retention that `bowerbird setup` gave their topics.

    Args:
        service: which of the four, with its environment; all of them where none is named.
    """
    try:
        found = asyncio.run(_look(NAMES if service is None else [service]))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    except PyMongoError as error:
        print(f"bowerbird: MongoDB cannot be read ({type(error).__name__})", file=sys.stderr)
        return 1
    table = Table()
    for column in ("service", "what", "kept, days", "oldest, days", "would be removed"):
        table.add_column(column, overflow="fold")
    for each in found:
        oldest = "none" if each.oldest is None else f"{each.oldest / _DAY:.1f}"
        table.add_row(each.service, each.kind, f"{each.life / _DAY:g}", oldest, str(each.ended))
    for topic in TOPICS:
        if topic.kept is not None:
            table.add_row("Kafka", topic.name, f"{topic.kept / _DAY:g}", "", "by the broker")
    Console().print(table)
    return 0


async def overdue(service: str, kept: Sequence[Kept], at: datetime) -> list[Overdue]:
    """Return how each of these kinds stands at a moment."""
    found = []
    for each in kept:
        oldest = await each.oldest()
        age = None if oldest is None else at - oldest
        found.append(Overdue(service, each.kind, each.life, age, await each.ended(at - each.life)))
    return found


async def _look(names: Sequence[str]) -> list[Overdue]:
    found: list[Overdue] = []
    for name in names:
        entry = find(name)
        settings = entry.settings.load(also_known=every_setting)
        client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-retention", mongo_options(settings))
        try:
            found += await overdue(name, entry.kept(client[name], settings), now())
        finally:
            await mongo.close(client)
    return found
