"""The demo on the embedded stack: what `bowerbird demo` and `python -m demo` do once the stack is up."""

from functools import partial

from rich.console import Console

from demo.api import Endpoints
from demo.job import run_demo
from deploy.embedded import operations, secrets
from deploy.embedded.layout import Layout


def run(layout: Layout, console: Console | None = None) -> int:
    """Run the job on the stack of this layout, which is up, and return the exit status: 0 if all numbers add up."""
    return run_demo(endpoints_of(layout), console)


def endpoints_of(layout: Layout) -> Endpoints:
    """Where the embedded stack of this layout answers."""
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
