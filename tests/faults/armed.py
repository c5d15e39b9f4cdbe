"""Starts a service for a fault test: the `bowerbird` command line, obeying the orders that the test writes."""

import os
from pathlib import Path

from bowerbird import cli
from libs.common import failpoints

VARIABLE = "BOWERBIRD_FAILPOINTS"

if __name__ == "__main__":
    # Taken away again: to the service itself it would be an unknown setting.
    failpoints.obey(Path(os.environ.pop(VARIABLE)))
    cli.main()
