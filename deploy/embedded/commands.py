"""The commands `bowerbird up`, `down` and `status`: what is told at the terminal, and the exit status."""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from deploy.embedded import operations, tansu
from deploy.embedded.display import STOPPING, Progress, age, table_of
from deploy.embedded.layout import OFFSET, SECURED, Layout
from deploy.embedded.problems import StackError
from deploy.embedded.services import BY_NAME, OWN

BrokerChoice = Annotated[
    Literal["auto", "kafka", "tansu"],
    Parameter(
        env_var="BOWERBIRD_STACK_BROKER", help="auto: Apache Kafka where Java 17 and Maven are there, else Tansu"
    ),
]

_OUT: Final = Console(highlight=False, markup=False)


def up(*, broker: BrokerChoice = "auto") -> int:
    """Start the embedded stack, or what of it does not run; print the addresses."""
    return told(lambda: _up(running_layout(), broker))


def down(
    *,
    erase: Annotated[bool, Parameter(negative="", help="also delete all data, after asking")] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask before deleting")] = False,
) -> int:
    """Stop the embedded stack; its data stay unless told otherwise."""
    return told(lambda: _down(running_layout(), erase=erase, yes=yes))


def status() -> int:
    """Show what of the embedded stack runs; exit status 0 only when all of it is healthy."""
    return told(lambda: _status(running_layout()))


def start(broker: str = "auto") -> Layout:
    """Bring the stack up for a job that needs it, such as a benchmark, with its progress shown.

    Raises:
        StackError: it does not come up.
    """
    layout = running_layout()
    bring_up(layout, broker)
    return layout


def running_layout() -> Layout:
    """Return the stack that the environment names, as it runs if it runs.

    Raises:
        StackError: the environment asks for other ports than those of the stack that runs, or for other stores.
    """
    asked = Layout.from_environment()
    runs = operations.running(asked) or asked
    for variable, wanted, used in ((OFFSET, asked.offset, runs.offset), (SECURED, asked.secured, runs.secured)):
        if variable in os.environ and wanted != used:
            raise StackError(
                f"{variable} is {os.environ[variable]}, but the stack in {asked.var} runs with {str(used).lower()}.",
                "Unset it to speak to that one; for a second stack name a folder of its own in BOWERBIRD_STACK_VAR.",
            )
    return runs


def confirmed(question: str) -> bool:
    """Ask at the terminal, or whoever pipes an answer in; only y or yes is a yes.

    Raises:
        StackError: the input ended without an answer.
    """
    _OUT.print(f"{question} [y/N] ", end="", soft_wrap=True)
    try:
        return input().strip().casefold() in {"y", "yes"}
    except EOFError:
        _OUT.print()
        raise StackError(
            "This needs a yes, and nobody answered.", "Answer at the terminal, or pipe a yes in."
        ) from None


def told(action: Callable[[], int]) -> int:
    """Run a command; a problem that was foreseen is one sentence and what to do, and exit status 1."""
    try:
        return action()
    except StackError as error:
        line = Text.assemble(("bowerbird: ", "red"), str(error))
        Console(stderr=True, highlight=False).print(line, soft_wrap=True)
    except KeyboardInterrupt:
        print("\nInterrupted; see `make status`, stop it with `make down`.", file=sys.stderr)
    return 1


def bring_up(layout: Layout, broker: str) -> None:
    """Start the stack and show how it comes up.

    Raises:
        StackError: it does not come up; what this call started is stopped again.
    """
    was_there = operations.supervisor(layout) is not None
    used = operations.up(layout, broker, lambda line: _OUT.print(line, soft_wrap=True))
    if was_there and used == "tansu":
        _OUT.print(tansu.NOTICE, soft_wrap=True)
    try:
        title = f"The stack in {layout.var} runs already" if was_there else f"Starting the stack in {layout.var}"
        with Progress(_OUT, title) as progress:
            operations.wait_up(layout, progress.show)
    except StackError:
        if not was_there:
            operations.down(layout, lambda _: None)
        raise


def _up(layout: Layout, broker: str) -> int:
    bring_up(layout, broker)
    tell_addresses(layout)
    return 0


def tell_addresses(layout: Layout) -> None:
    """Print where everything is, and how to stop it."""
    _OUT.print("\nThe stack runs:")
    for name in OWN:
        _OUT.print(f"  {name:9} http://{layout.address(name)}", soft_wrap=True)
    _OUT.print(f"  {'kafka':9} {layout.address('kafka')}")
    _OUT.print(f"  {'mongodb':9} {layout.address('mongodb')}")
    _OUT.print(f"  {'smtp':9} {layout.address('smtp')}, every mail is a file in {layout.mail}", soft_wrap=True)
    _OUT.print(f"  {'admin key':9} {layout.secrets / 'admin-key'}", soft_wrap=True)
    _OUT.print("It goes on in the background: `make status` shows it, `make down` stops it.", soft_wrap=True)


def _down(layout: Layout, *, erase: bool, yes: bool) -> int:
    if erase and not yes and not confirmed(f"Stop the stack and delete everything that it keeps in {layout.var}?"):
        _OUT.print("Nothing was stopped or deleted.")
        return 1
    with Progress(_OUT, f"Stopping the stack in {layout.var}", STOPPING) as progress:
        count = operations.down(layout, progress.show)
    if not erase:
        ended = f"{count} processes ended" if count else "Nothing was running"
        _OUT.print(f"{ended}; the data stay in {layout.var}.", soft_wrap=True)
        return 0
    layout.erase()
    _OUT.print(f"The stack's data in {layout.var} are deleted.", soft_wrap=True)
    return 0


def _status(layout: Layout) -> int:
    keeper, left = operations.supervisor(layout), operations.orphans(layout)
    if keeper is None and not left:
        _OUT.print(f"The stack in {layout.var} does not run; `make up` starts it.", soft_wrap=True)
        return 1
    found = operations.look(layout)
    rows = []
    for each in found:
        port, own = BY_NAME[each.name].port, each.name in OWN
        address = "" if port is None else f"{'http://' if own else ''}{layout.address(port)}"
        up_for = age(each.since) if each.since else ""
        rows.append((each.name, each.condition, str(each.pid or ""), up_for, str(each.restarts or ""), address))
    _OUT.print(table_of(rows))
    healthy = all(each.condition in {"healthy", "done"} for each in found)
    if keeper is None:
        _OUT.print(
            f"\nThe supervisor is gone, so nothing starts again what dies: `make up` takes these {len(left)}"
            " processes over, `make down` stops them.",
            soft_wrap=True,
        )
        return 1
    if operations.broker(layout) == "tansu":
        _OUT.print(f"\n{tansu.NOTICE}", soft_wrap=True)
    operations.require_space_to_run(layout)
    if not healthy:
        _OUT.print(f"\nThe logs are in {layout.log}.", soft_wrap=True)
    return 0 if healthy else 1
