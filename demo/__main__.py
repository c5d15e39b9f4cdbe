"""`python -m demo`: run the job on the embedded stack that is up."""

import sys

from demo.api import Places
from demo.job import run_demo
from deploy.embedded import secrets
from deploy.embedded.layout import Layout


def places_of(layout: Layout) -> Places:
    """Where the embedded stack of this layout answers."""
    urls = {name: f"http://{layout.address(name)}" for name in ("evidence", "issuer", "verifier", "notifier")}
    return Places(var=layout.var, admin_key=secrets.admin_key(layout), **urls)


if __name__ == "__main__":
    sys.exit(run_demo(places_of(Layout.from_environment())))
