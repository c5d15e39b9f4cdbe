"""The command `bowerbird demo`: the embedded stack up, the job run on it, the addresses told."""

from functools import partial

from rich.console import Console

from demo.api import Endpoints
from demo.job import run_demo
from deploy.embedded import mongodb, operations, secrets
from deploy.embedded.commands import BrokerChoice, bring_up, confirmed, running_layout, tell_addresses, told
from deploy.embedded.layout import Layout
from deploy.embedded.problems import StackError


def demo(*, broker: BrokerChoice = "auto") -> int:
    """Start the embedded stack if it does not run, and take a Values Week from evidence to verified badges."""
    return told(lambda: _demo(running_layout(), broker))


def _demo(layout: Layout, broker: str) -> int:
    bring_up(layout, broker)
    require_room(layout)
    exit_status = run(layout)
    tell_addresses(layout)
    return exit_status


def require_room(layout: Layout) -> None:
    """Let no invented schools in among somebody's own, unless they are there already or somebody says yes.

    Raises:
        StackError: the answer was no, or there was none.
    """
    if (layout.var / "demo").is_dir() or not mongodb.holds_documents(layout, "issuer", "issuers"):
        return
    if not confirmed(f"The stack in {layout.var} holds data. Add the demo's department, schools and badges to them?"):
        raise StackError(
            "Nothing was added.",
            "`make down`, then `BOWERBIRD_STACK_VAR=var-demo make demo` gives the demo data of its own.",
        )


def run(layout: Layout, console: Console | None = None) -> int:
    """Run the job on the stack of this layout, which is up, and return the exit status: 0 if all numbers add up."""
    return run_demo(endpoints_of(layout), console)


def endpoints_of(layout: Layout) -> Endpoints:
    """Return where the embedded stack of this layout answers."""
    return Endpoints(
        var=layout.var,
        evidence=f"http://{layout.address('evidence')}",
        issuer=f"http://{layout.address('issuer')}",
        verifier=f"http://{layout.address('verifier')}",
        notifier=f"http://{layout.address('notifier')}",
        admin_key=secrets.admin_key(layout),
        trouble=partial(_trouble, layout, supervised=operations.supervisor(layout) is not None),
    )


def _trouble(layout: Layout, *, supervised: bool) -> str:
    """Whether the supervisor is gone; a stack that never had one is in the hands of whoever started it."""
    if not supervised or operations.supervisor(layout) is not None:
        return ""
    return (
        "The stack's supervisor is gone, so nothing starts again what dies:"
        " `make up` in another terminal starts it, and the demo goes on."
    )
