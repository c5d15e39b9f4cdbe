"""`python -m demo`: run the job on the embedded stack that is up."""

import sys

from demo.command import run
from deploy.embedded.commands import running_layout

if __name__ == "__main__":
    sys.exit(run(running_layout()))
