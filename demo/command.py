"""The demo on the embedded stack: what `bowerbird demo` and `python -m demo` do once the stack is up."""

from rich.console import Console

from demo.api import Places
from demo.job import run_demo
from deploy.embedded import secrets
from deploy.embedded.layout import Layout


def run(layout: Layout, console: Console | None = None) -> int:
    """Run the job on the stack of this layout, which is up, and return the exit status: 0 if all numbers add up."""
    return run_demo(places_of(layout), console)


def places_of(layout: Layout) -> Places:
    """Where the embedded stack of this layout answers."""
    return Places(
        var=layout.var,
        evidence=f"http://{layout.address('evidence')}",
        issuer=f"http://{layout.address('issuer')}",
        verifier=f"http://{layout.address('verifier')}",
        notifier=f"http://{layout.address('notifier')}",
        admin_key=secrets.admin_key(layout),
    )
