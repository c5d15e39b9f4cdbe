"""`bowerbird catalogue`: achievements in files held against what is published, published, and written to files."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bowerbird import service_api
from bowerbird.catalogue.calls import CatalogueCalls
from bowerbird.catalogue.files import Fault, FaultyFilesError, read_folder, write_file
from bowerbird.catalogue.plan import Here, Plan, Step, plan_of
from bowerbird.catalogue.written import written, yaml_text
from bowerbird.service_api import CallError
from bowerbird.showing import plain

Directory = Annotated[
    Path, Parameter(help="the folder of achievements: a file ID.yaml for each, also in folders of its own")
]
KeyFile = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="the file with an API key of the issuer that reads, and to publish writes, its catalogue; "
        "- for standard input",
    ),
]
Url = Annotated[str, Parameter(help="where the issuer service answers")]
DryRun = Annotated[bool, Parameter(negative="", help="publish nothing: show what would be published")]
Overwrite = Annotated[bool, Parameter(negative="", help="write files anew that say something else than is published")]
NoVersions = Annotated[
    bool,
    Parameter(
        name="--no-versions", negative="", help="leave `version` out: for another installation, which has its own"
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print what is done as JSON, for programs")]

_KEY_FILE: Final = "catalogue.key"
_URL: Final = "http://127.0.0.1:8102"
_AT_ONCE: Final = 8


def apply(
    folder: Directory,
    *,
    dry_run: DryRun = False,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
    as_json: Json = False,
) -> int:
    """Publish achievements as their files have them: new ones, and of each that differs the next version.

    All files are checked before anything is published, what others ask to hold is published before them, and what is
    published as its file has it stays untouched: a run that broke off is simply started again. A file may name the
    `version` that it produces; where another one is published meanwhile, that is a fault. What has no file is left
    alone. Exit status 0: it is as the files say; 1: there are faults, and nothing was published; 2: some was refused.
    """
    return _run(folder, key_file, url, lambda calls: _apply(folder, calls, dry_run=dry_run, as_json=as_json))


def diff(folder: Directory, *, key_file: KeyFile = _KEY_FILE, url: Url = _URL) -> int:
    """Show what files say otherwise than what is published, by field: - what is published, + what the file says.

    Exit status 0: nothing; 1: there are faults, and nothing was compared; 2: something differs.
    """
    return _run(folder, key_file, url, lambda calls: _diff(folder, calls))


def export(
    folder: Directory,
    *,
    overwrite: Overwrite = False,
    no_versions: NoVersions = False,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
) -> int:
    """Write what is published to files, the newest version of each achievement; a file that says the same stays.

    Exit status 0: the files are as it is published; 1: nothing was written; 2: some say something else, and stayed.
    """
    return _run(
        folder, key_file, url, lambda calls: _export(folder, calls, overwrite=overwrite, numbered=not no_versions)
    )


def _run(folder: Path, key_file: str, url: str, work: Callable[[CatalogueCalls], Coroutine[Any, Any, int]]) -> int:
    async def run(key: str) -> int:
        async with service_api.client(url, key) as http:
            return await work(CatalogueCalls(http))

    try:
        return asyncio.run(run(service_api.read_key(key_file)))
    except FaultyFilesError as error:
        for fault in error.faults:
            print(_told_fault(fault), file=sys.stderr)
        print(f"bowerbird: {len(error.faults)} faults; nothing was changed", file=sys.stderr)
    except (CallError, OSError) as error:
        print(f"bowerbird: {error}", file=sys.stderr)
    return 1


async def _apply(folder: Path, calls: CatalogueCalls, *, dry_run: bool, as_json: bool) -> int:
    here, plan = await _compared(folder, calls)
    conflicts = [each.conflict for each in plan.steps if each.conflict is not None]
    if conflicts:
        raise FaultyFilesError(conflicts)
    console = Console(highlight=False, markup=False, emoji=False, stderr=as_json, soft_wrap=True)
    _show(console, here, plan)
    refused = {} if dry_run else await _publish(calls, plan)
    if as_json:
        print(orjson.dumps(_told(here, plan, refused, dry_run=dry_run), option=orjson.OPT_INDENT_2).decode())
    for step in plan.steps:
        if step.achievement_id in refused:
            print(f"{plain(step.file.path)}: {refused[step.achievement_id]}", file=sys.stderr)
    if dry_run:
        console.print("Nothing was published.")
    elif plan.steps:
        console.print(f"{len(plan.steps) - len(refused)} published, {len(refused)} not")
    return 2 if refused else 0


async def _compared(folder: Path, calls: CatalogueCalls) -> tuple[Here, Plan]:
    """Return what is published, and what the folder would publish.

    Raises:
        FaultyFilesError: with all that is wrong with its files.
    """
    read = await asyncio.to_thread(read_folder, folder)
    if not read.files and not read.faults:
        raise FaultyFilesError([Fault(str(folder), 1, "", "there is no achievement in it, which is a file ID.yaml")])
    here = await calls.here()
    plan, faults = await plan_of(read, here)
    if faults:
        raise FaultyFilesError(faults)
    return here, plan


async def _publish(calls: CatalogueCalls, plan: Plan) -> dict[str, str]:
    """Publish all steps in their order; return why some were not published, by their ids."""
    refused: dict[str, str] = {}
    places = asyncio.Semaphore(_AT_ONCE)

    async def publish(step: Step, done: Callable[[], None]) -> None:
        missing = step.held & refused.keys()
        async with places:
            if missing:
                refused[step.achievement_id] = f"asks to hold {', '.join(sorted(missing))}, which was not published"
            else:
                try:
                    await calls.publish(step)
                except CallError as error:
                    refused[step.achievement_id] = str(error)
        done()

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("achievements", total=len(plan.steps))
        for level in plan.levels:
            await asyncio.gather(*(publish(step, lambda: bars.advance(bar)) for step in level))
    return refused


def _show(console: Console, here: Here, plan: Plan) -> None:
    for step in plan.steps:
        version = step.version.version
        changes = "new" if step.newest is None else plain("; ".join(each.in_short for each in step.changes))
        console.print(f"{'~' if step.newest else '+'} {step.achievement_id}: version {version}: {changes}")
    for fault in (each for step in plan.steps for each in step.warnings()):
        console.print(f"! {_told_fault(fault)}")
    new = sum(step.newest is None for step in plan.steps)
    console.print(
        f"{here.organisation}: {new} new, {len(plan.steps) - new} changed, {len(plan.unchanged)} unchanged; "
        f"{len(plan.absent)} published that have no file, which stay as they are"
    )


def _told(here: Here, plan: Plan, refused: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "organisation": here.organisation,
        "steps": [
            {
                "id": step.achievement_id,
                "file": step.file.path,
                "version": step.version.version,
                "new": step.newest is None,
                "changes": [each.field for each in step.changes],
                "warnings": [each._asdict() for each in step.warnings()],
                "problem": refused.get(step.achievement_id),
            }
            for step in plan.steps
        ],
        "unchanged": plan.unchanged,
        "absent": plan.absent,
    }


async def _diff(folder: Path, calls: CatalogueCalls) -> int:
    here, plan = await _compared(folder, calls)
    for step in plan.steps:
        versions = "new" if step.newest is None else f"version {step.newest.version} → {step.version.version}"
        print(f"{plain(step.file.path)}: {versions}")
        if step.conflict is not None:
            print(f"  ! {plain(step.conflict.message)}")
        for change in step.changes:
            print(f"  {change.field}:")
            for line in change.lines():
                print(f"    {plain(line, longest=None)}")
    for each in plan.absent:
        print(f"{each}: version {here.own[each].version} is published and has no file")
    if not plan.steps and not plan.absent:
        print(f"{here.organisation}: nothing differs")
    return 2 if plan.steps or plan.absent else 0


async def _export(folder: Path, calls: CatalogueCalls, *, overwrite: bool, numbered: bool) -> int:
    here = await calls.here()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    read = await asyncio.to_thread(read_folder, folder)
    plan, _ = await plan_of(read, here)
    there = read.unread | {each.achievement_id: each.path for each in read.files}
    numbers = {each.achievement_id: each.content.get("version") for each in read.files}
    same = {each for each in plan.unchanged if numbers[each] in {None, here.own[each].version}}
    other = [] if overwrite else sorted(here.own.keys() & there.keys() - same)
    wanted = sorted(here.own.keys() - same - set(other))
    for id_ in wanted:
        path = Path(there.get(id_, folder / f"{id_}.yaml"))
        await asyncio.to_thread(write_file, path, yaml_text(written(here.own[id_], numbered=numbered)))
    for id_ in other:
        print(f"{plain(there[id_])}: says something else than version {here.own[id_].version}, and stays")
    print(f"{here.organisation}: {len(wanted)} files written, {len(same)} as they were")
    if other:
        print("--overwrite writes those anew that say something else", file=sys.stderr)
    return 2 if other else 0


def _told_fault(fault: Fault) -> str:
    field = f" {plain(fault.field)}:" if fault.field else ""
    return f"{plain(fault.path)}:{fault.line}:{field} {plain(fault.message)}"
