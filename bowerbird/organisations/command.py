"""`bowerbird organisations`: apply a file of them, and rename, close and reopen one, by the running issuer service."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bowerbird import service_api
from bowerbird.organisations.calls import OrganisationCalls
from bowerbird.organisations.files import FaultyFileError, read_organisations
from bowerbird.organisations.key_folder import KeyFolder
from bowerbird.organisations.lines import Fault, Line
from bowerbird.organisations.plan import Plan, Step, plan_of
from bowerbird.service_api import CallError
from bowerbird.showing import plain
from libs.contracts.organisations import CLOSING_MEANINGS

Organisation = Annotated[str, Parameter(help="the id of the organisation")]
File = Annotated[Path, Parameter(help="CSV, or YAML where its name ends with .yaml; the guide has the columns")]
Keys = Annotated[
    Path | None,
    Parameter(help="the folder for first API keys: a file ID.key for each, which you alone may read; keep it closed"),
]
KeyFile = Annotated[
    str, Parameter(allow_leading_hyphen=True, help="the file with an administrator's key; - for standard input")
]
Url = Annotated[str, Parameter(help="where the issuer service answers")]
DryRun = Annotated[bool, Parameter(negative="", help="change nothing: show what would be done")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print what is done as JSON, for programs")]
Code = Annotated[
    str, Parameter(help="a public code: " + "; ".join(f"{code}: {told}" for code, told in CLOSING_MEANINGS.items()))
]

_KEY_FILE: Final = "var/secrets/admin-key"
_URL: Final = "http://127.0.0.1:8102"
_AT_ONCE: Final = 16
_SHOWN: Final = 50


def apply(
    file: File,
    *,
    keys: Keys = None,
    dry_run: DryRun = False,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
    as_json: Json = False,
) -> int:
    """Make organisations as a file has them: the tree, issuers with signing keys, first API keys.

    The whole file is checked before anything is done. What is so already stays untouched, so a run that broke off is
    simply started again. What stands not in the file is left alone. Exit status 0: it is as the file says; 1: the file
    has faults, and nothing was done; 2: some of it was refused.
    """
    try:
        lines = read_organisations(file)
        key = service_api.read_key(key_file)
        return asyncio.run(_apply(lines, keys, key, url, dry_run=dry_run, as_json=as_json))
    except FaultyFileError as error:
        return _tell_faults(file, error.faults)
    except (CallError, ValueError, OSError) as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1


def rename(
    organisation: Organisation,
    name: Annotated[str, Parameter(help="its new name")],
    *,
    since: Annotated[
        datetime | None, Parameter(help="its first day, such as 2026-07-01; today (UTC) where none is given")
    ] = None,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
) -> int:
    """Rename an organisation, and the issuer that it is; badges keep the name that they were issued under."""
    day = (datetime.now(UTC) if since is None else since).date()
    return _change(f"{organisation}/name", "PUT", {"name": name, "since": day.isoformat()}, key_file, url)


def close(
    organisation: Organisation,
    last_day: Annotated[datetime, Parameter(help="the last day on which it takes evidence (UTC), such as 2026-12-18")],
    reason: Code,
    *,
    successor: Annotated[str | None, Parameter(help="the id of the organisation that follows it")] = None,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
) -> int:
    """Close an organisation: it merges into another one, leaves, or ends. What it issued verifies as before."""
    body = {"last_day": last_day.date().isoformat(), "reason": reason, "successor": successor}
    return _change(f"{organisation}/closing", "PUT", body, key_file, url)


def reopen(organisation: Organisation, *, key_file: KeyFile = _KEY_FILE, url: Url = _URL) -> int:
    """Let an organisation go on that was closed by mistake."""
    return _change(f"{organisation}/closing", "DELETE", None, key_file, url)


def _change(place: str, method: str, body: dict[str, Any] | None, key_file: str, url: str) -> int:
    async def call(key: str) -> Any:
        async with service_api.client(url, key) as http:
            return await service_api.call(http, method, f"/v1/organisations/{quote(place)}", body)

    try:
        answer = asyncio.run(call(service_api.read_key(key_file)))
    except CallError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    closing = answer["closing"]
    state = "takes evidence" if closing is None else f"takes evidence until {plain(closing['last_day'])}"
    print(f"{plain(answer['name'])} ({plain(answer['id'])}) {state}")
    return 0


async def _apply(
    lines: Sequence[Line], folder: Path | None, key: str, url: str, *, dry_run: bool, as_json: bool
) -> int:
    keys = None if folder is None else KeyFolder(folder)
    async with service_api.client(url, key) as http:
        calls = OrganisationCalls(http)
        unfinished = set() if keys is None else keys.unfinished()
        plan, faults = plan_of(lines, *await calls.everything(), unfinished)
        if not faults:
            faults = _key_faults(plan, keys)
        if faults:
            raise FaultyFileError(faults)
        console = Console(highlight=False, markup=False, emoji=False, stderr=as_json, soft_wrap=True)
        _show(console, plan)
        refused: list[tuple[Step, str]] = []
        if not dry_run and plan.steps:
            if keys is not None:
                keys.prepare()
            refused = await _take(calls, plan, keys)
    if as_json:
        print(orjson.dumps(_told(plan, refused, dry_run=dry_run), option=orjson.OPT_INDENT_2).decode())
    for step, problem in refused:
        where = "" if step.number is None else f"line {step.number}, "
        print(f"{where}{step.organisation_id}: {problem}", file=sys.stderr)
    if dry_run:
        console.print("Nothing was changed.")
    return 2 if refused else 0


async def _take(calls: OrganisationCalls, plan: Plan, keys: KeyFolder | None) -> list[tuple[Step, str]]:
    """Take all steps, those below others after them; return those that were refused, and why."""
    refused: list[tuple[Step, str]] = []
    places = asyncio.Semaphore(_AT_ONCE)

    async def take(step: Step, done: Callable[[], None]) -> None:
        async with places:
            try:
                await calls.take(step, keys)
            except (CallError, OSError) as error:
                refused.append((step, str(error)))
        done()

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("organisations", total=len(plan.steps))
        for level in plan.levels:
            await asyncio.gather(*(take(step, lambda: bars.advance(bar)) for step in level))
    return sorted(refused, key=lambda each: (each[0].number or 0, each[0].organisation_id))


def _key_faults(plan: Plan, keys: KeyFolder | None) -> list[Fault]:
    found = []
    for step in plan.steps:
        if step.key_scopes and step.number is not None:
            if keys is None:
                found.append(Fault(step.number, "key_scopes", "a key is to be made; say with --keys in which folder"))
            elif keys.has(step.organisation_id):
                told = "is to have its first key, and the folder of keys has one of it that is not known here"
                found.append(Fault(step.number, "key_scopes", told))
    return found


def _show(console: Console, plan: Plan) -> None:
    for step in plan.steps[:_SHOWN]:
        changes = [*step.changes, *(["first API key"] if step.key_scopes else [])]
        console.print(f"{'+' if step.is_new else '~'} {step.organisation_id}: {plain('; '.join(changes))}")
    if len(plan.steps) > _SHOWN:
        console.print(f"  and {len(plan.steps) - _SHOWN} more")
    new = sum(step.is_new for step in plan.steps)
    key_count = sum(bool(step.key_scopes) for step in plan.steps)
    console.print(
        f"{new} new, {len(plan.steps) - new} changed, {plan.unchanged} unchanged, {key_count} first API keys; "
        f"{plan.absent} here and not in the file, which stay as they are"
    )


def _told(plan: Plan, refused: Sequence[tuple[Step, str]], *, dry_run: bool) -> dict[str, Any]:
    problems = {step.organisation_id: problem for step, problem in refused}
    return {
        "dry_run": dry_run,
        "steps": [
            {
                "id": step.organisation_id,
                "line": step.number,
                "new": step.is_new,
                "changes": list(step.changes),
                "first_key": bool(step.key_scopes),
                "problem": problems.get(step.organisation_id),
            }
            for step in plan.steps
        ],
        "unchanged": plan.unchanged,
        "absent": plan.absent,
    }


def _tell_faults(file: Path, faults: Sequence[Fault]) -> int:
    for fault in faults:
        column = f" {fault.column}:" if fault.column else ""
        print(f"{file}:{fault.line}:{plain(column)} {plain(fault.message)}", file=sys.stderr)
    print(f"bowerbird: {len(faults)} faults; nothing was changed", file=sys.stderr)
    return 1
