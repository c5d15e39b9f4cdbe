"""The whole way of a Values Week, through public HTTP only: from a school's files to verified badges and mails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from demo import files, summary
from demo.api import Api, DemoError, Endpoints
from demo.data import Department, School, department
from demo.outcomes import MAILING, VERIFYING, Outcomes
from demo.progress import Display
from demo.schools import Keys, Onboarding
from demo.summary import Tally
from demo.uploads import DECIDING, SENDING, Uploader

_LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What the job found: the tallies by school, and the credentials by school."""

    tallies: dict[str, Tally]
    credentials: dict[str, list[str]]


def run_demo(endpoints: Endpoints, console: Console | None = None) -> int:
    """Run the demo on a stack that is up, print what came of it, and return the exit status.

    0: everything adds up. 1: it does not, or the demo could not be ended; a sentence says why.
    """
    console = console or Console()
    try:
        return asyncio.run(_run(endpoints, console))
    except DemoError as error:
        console.print(f"[red]The demo stopped:[/red] {escape(str(error))}")
        return 1


async def _run(endpoints: Endpoints, console: Console) -> int:
    data = department()
    files.write_files(data, endpoints.var / "demo" / "files")
    result = await follow_all(endpoints, data, console)
    (endpoints.var / "demo" / "summary.json").write_text(json.dumps(summary.as_json(result.tallies), indent=2) + "\n")
    console.print(summary.table(result.tallies))
    problems = summary.problems(result.tallies)
    for problem in problems:
        console.print(f"[red]This does not add up:[/red] {problem}")
    if problems:
        return 1
    console.print("[green]Everything adds up.[/green]\n")
    _say_what_next(endpoints, result, console)
    return 0


async def follow_all(endpoints: Endpoints, data: Department, console: Console) -> Result:
    """Onboard, upload, wait, verify; return what the services answered.

    Raises:
        DemoError: a service refuses something, or stays away for longer than the patience of a newcomer.
    """
    keys = Keys(endpoints.var)
    with Display(console) as display:
        async with _report_trouble(endpoints, display), Api(display.note) as api:
            await Onboarding(api, endpoints, keys).run(data)
            display.step(SENDING, sum(file.sendings for school in data.schools for file in school.files))
            display.step(DECIDING, sum(len(f.rows) * f.sendings for school in data.schools for f in school.files))
            display.step(VERIFYING, 0)
            display.step(MAILING, 0)
            ways = (_follow_school(api, endpoints, school, keys[school.id], display) for school in data.schools)
            ends = await asyncio.gather(*ways)
    return Result(
        {school.id: tally for school, (tally, _) in zip(data.schools, ends, strict=True)},
        {school.id: credentials for school, (_, credentials) in zip(data.schools, ends, strict=True)},
    )


@asynccontextmanager
async def _report_trouble(endpoints: Endpoints, display: Display) -> AsyncIterator[None]:
    """Print at once what is wrong with the stack as a whole, rather than wait for what cannot come back."""

    async def watch() -> None:
        while True:
            if text := endpoints.trouble():
                display.say(text)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _follow_school(
    api: Api, endpoints: Endpoints, school: School, key: str, display: Display
) -> tuple[Tally, list[str]]:
    sent = await Uploader(api, endpoints.evidence, key, display).send_all(school)
    addressed = sum(1 for address in sent.issued.values() if address)
    display.extend(VERIFYING, len(sent.issued))
    display.extend(MAILING, addressed)
    outcomes = Outcomes(api, endpoints, key, display)
    verdicts, mailed = await asyncio.gather(outcomes.verdicts(sent.issued), outcomes.mailed(sent.issued))
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


def _say_what_next(endpoints: Endpoints, result: Result, console: Console) -> None:
    school_id, credentials = next(each for each in result.credentials.items() if each[1])
    badge, other = credentials[0], credentials[-1]
    header = Keys(endpoints.var).header_file(school_id)
    revoke = f"{endpoints.issuer}/v1/credentials/{other}/revoke"
    reason = json.dumps({"reason": "wrong_learner", "note": "Awarded to the wrong learner"})
    lines = (
        "[bold]Look at a badge[/bold], download it, check it:",
        f"  {endpoints.verifier}/badges/{badge}",
        "[bold]Read the mails[/bold] that learners got:",
        f"  {endpoints.var / 'mail'}",
        "[bold]Look at what the schools sent[/bold], and at the table as JSON:",
        f"  {endpoints.var / 'demo' / 'files'}",
        f"  {endpoints.var / 'demo' / 'summary.json'}",
        "[bold]Revoke a badge[/bold] and see what its page says then:",
        f"  curl -H @{header} -H 'Content-Type: application/json' -d '{reason}' {revoke}",
        f"  {endpoints.verifier}/badges/{other}",
        "[bold]Try next:[/bold] run the demo again, and kill any process meanwhile: the numbers stay the same.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
