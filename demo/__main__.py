"""`python -m demo`: run the job on the embedded stack that is up."""

import sys

from demo.command import run
from deploy.embedded.layout import Layout

if __name__ == "__main__":
    sys.exit(run(Layout.from_environment()))
