"""The command `bowerbird demo`: the stack up, the job run, the addresses told."""

from demo.command import run
from deploy.embedded.commands import BrokerChoice, bring_up, tell_addresses, told
from deploy.embedded.layout import Layout


def demo(*, broker: BrokerChoice = "auto") -> int:
    """Start the embedded stack if it does not run, and take a Values Week from evidence to verified badges."""
    return told(lambda: _demo(Layout.from_environment(), broker))


def _demo(layout: Layout, broker: str) -> int:
    bring_up(layout, broker)
    exit_status = run(layout)
    tell_addresses(layout)
    return exit_status
