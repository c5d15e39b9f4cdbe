"""`bowerbird audit verify`: is the chain of each service's audit log whole?"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import orjson
from cyclopts import Parameter
from pymongo.errors import PyMongoError

from bowerbird.operators import store_settings, why_store_failed
from bowerbird.registry import NAMES
from libs.audit.chain import ChainReport
from libs.audit.log import AuditLog
from libs.common import mongo
from libs.common.settings import Settings, SettingsError
from libs.common.store_access import mongo_options

ServiceName = Literal["evidence", "issuer", "verifier", "notifier"]
_HEAD = re.compile(rf"({'|'.join(NAMES)}):([1-9][0-9]{{0,15}}):([0-9a-f]{{64}})")

Heads = Annotated[
    list[str] | None,
    Parameter(negative="", help="a head that was noted earlier, as this prints it: SERVICE:SEQUENCE:HASH"),
]
Find = Annotated[str | None, Parameter(help="an id, such as a credential's: tell the entries that speak of it")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON for programs")]


def verify(*services: ServiceName, head: Heads = None, find: Find = None, as_json: Json = False) -> int:
    """Check the chain of audit logs. Exit status: 0 whole, 1 broken, 2 a log could not be read.

    Args:
        services: whose; all four where none is named. Each service has a log of its own.
        head: may be given several times.
        find: what to look for.
        as_json: see its help.
    """
    try:
        noted = _noted(head or ())
    except ValueError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return os.EX_USAGE
    try:
        reports = asyncio.run(_check(store_settings(), services or NAMES, noted, find))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 2
    except PyMongoError as error:
        print(f"bowerbird: the audit log cannot be read: {why_store_failed(error)}", file=sys.stderr)
        return 2
    if as_json:
        answer = {service: _fields(service, report, find) for service, report in reports.items()}
        print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    else:
        for service, report in reports.items():
            print(_line(service, report, find))
    return 1 if any(each.broken_at is not None for each in reports.values()) else 0


async def _check(
    settings: Settings, services: Sequence[str], noted: Mapping[str, Mapping[int, str]], find: str | None
) -> dict[str, ChainReport]:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-audit", mongo_options(settings))
    try:
        return {each: await AuditLog(client[each]).check(noted=noted.get(each), find=find) for each in services}
    finally:
        await mongo.close(client)


def _noted(heads: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return noted heads by service and sequence.

    Raises:
        ValueError: one has another form.
    """
    noted: dict[str, dict[int, str]] = {}
    for each in heads:
        found = _HEAD.fullmatch(each)
        if found is None:
            raise ValueError(f"--head {each!r} is not SERVICE:SEQUENCE:HASH")
        noted.setdefault(found[1], {})[int(found[2])] = found[3]
    return noted


def _head(service: str, report: ChainReport) -> str | None:
    return f"{service}:{report.entries}:{report.head}" if report.entries else None


def _line(service: str, report: ChainReport, find: str | None) -> str:
    holds = f"{report.entries} entries hold"
    if report.broken_at is not None:
        holds = f"BROKEN at {report.broken_at} ({report.fault}); before that {holds}"
    told = "" if find is None else f"; {find} in: {', '.join(map(str, report.mentions)) or 'none'}"
    return f"{service}: {holds}; head {_head(service, report) or 'none'}{told}"


def _fields(service: str, report: ChainReport, find: str | None) -> dict[str, object]:
    found = {} if find is None else {"mentions": report.mentions}
    return {
        "holds": report.broken_at is None,
        "entries": report.entries,
        "head": _head(service, report),
        "broken_at": report.broken_at,
        "fault": report.fault,
        **found,
    }
