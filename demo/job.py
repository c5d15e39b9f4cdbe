"""The whole way of a Values Week, through public HTTP only: from a school's files to verified badges and mails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from demo import files, summary
from demo.api import Api, DemoError, Places
from demo.data import Department, School, department
from demo.following import MAILING, VERIFYING, Follower
from demo.founding import Founder, Keys
from demo.progress import Display
from demo.sending import DECIDING, SENDING, Sender
from demo.summary import Tally

_LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What the job found: the tallies by school, and the credentials by school."""

    tallies: dict[str, Tally]
    credentials: dict[str, list[str]]


def run_demo(places: Places, console: Console | None = None) -> int:
    """Run the demo on a stack that is up, print what came of it, and return the exit status.

    0: everything adds up. 1: it does not, or the demo could not be ended; a sentence says why.
    """
    console = console or Console()
    try:
        return asyncio.run(_run(places, console))
    except DemoError as error:
        console.print(f"[red]The demo stopped:[/red] {escape(str(error))}")
        return 1


async def _run(places: Places, console: Console) -> int:
    data = department()
    files.write_files(data, places.var / "demo" / "files")
    result = await follow_all(places, data, console)
    (places.var / "demo" / "summary.json").write_text(json.dumps(summary.as_json(result.tallies), indent=2) + "\n")
    console.print(summary.table(result.tallies))
    problems = summary.problems(result.tallies)
    for problem in problems:
        console.print(f"[red]This does not add up:[/red] {problem}")
    if problems:
        return 1
    console.print("[green]Everything adds up.[/green]\n")
    _say_what_next(places, result, console)
    return 0


async def follow_all(places: Places, data: Department, console: Console) -> Result:
    """Found, send, wait, verify; return what the services answered.

    Raises:
        DemoError: a service refuses something, or stays away for longer than the patience of a newcomer.
    """
    keys = Keys(places.var)
    with Display(console) as display:
        async with _told_of_trouble(places, display), Api(display.note) as api:
            await Founder(api, places, keys).found(data)
            display.step(SENDING, sum(file.sendings for school in data.schools for file in school.files))
            display.step(DECIDING, sum(len(f.rows) * f.sendings for school in data.schools for f in school.files))
            display.step(VERIFYING, 0)
            display.step(MAILING, 0)
            ways = (_follow_school(api, places, school, keys[school.id], display) for school in data.schools)
            ends = await asyncio.gather(*ways)
    return Result(
        {school.id: tally for school, (tally, _) in zip(data.schools, ends, strict=True)},
        {school.id: credentials for school, (_, credentials) in zip(data.schools, ends, strict=True)},
    )


@asynccontextmanager
async def _told_of_trouble(places: Places, display: Display) -> AsyncIterator[None]:
    """Say at once what is the matter with the stack as a whole, rather than wait for what cannot come back."""

    async def watch() -> None:
        while True:
            if text := places.trouble():
                display.say(text)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _follow_school(
    api: Api, places: Places, school: School, key: str, display: Display
) -> tuple[Tally, list[str]]:
    sent = await Sender(api, places.evidence, key, display).send_all(school)
    addressed = sum(1 for address in sent.issued.values() if address)
    display.extend(VERIFYING, len(sent.issued))
    display.extend(MAILING, addressed)
    follower = Follower(api, places, key, display)
    verdicts, mailed = await asyncio.gather(follower.verdicts(sent.issued), follower.mailed(sent.issued))
    tally = Tally(
        sent=sent.rows,
        received=sent.received,
        issued=sent.counts["issued"],
        not_yet=sent.counts["not_yet"],
        duplicate=sent.counts["duplicate"],
        waiting=sent.counts["waiting"],
        refused=sent.refused,
        credentials=len(sent.issued),
        verified=verdicts.count("pass"),
        revoked=verdicts.count("revoked"),
        addressed=addressed,
        mailed=mailed,
    )
    return tally, [id_ for id_, verdict in zip(sent.issued, verdicts, strict=True) if verdict == "pass"]


def _say_what_next(places: Places, result: Result, console: Console) -> None:
    school_id, credentials = next(each for each in result.credentials.items() if each[1])
    badge, other = credentials[0], credentials[-1]
    header = Keys(places.var).header_file(school_id)
    revoke = f"{places.issuer}/v1/credentials/{other}/revoke"
    reason = json.dumps({"reason": "Awarded to the wrong learner"})
    lines = (
        "[bold]Look at a badge[/bold], download it, check it:",
        f"  {places.verifier}/badges/{badge}",
        "[bold]Read the mails[/bold] that learners got:",
        f"  {places.var / 'mail'}",
        "[bold]Look at what the schools sent[/bold], and at the table as JSON:",
        f"  {places.var / 'demo' / 'files'}",
        f"  {places.var / 'demo' / 'summary.json'}",
        "[bold]Revoke a badge[/bold] and see what its page says then:",
        f"  curl -H @{header} -H 'Content-Type: application/json' -d '{reason}' {revoke}",
        f"  {places.verifier}/badges/{other}",
        "[bold]Try next:[/bold] run the demo again, and kill any process meanwhile: the numbers stay the same.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
