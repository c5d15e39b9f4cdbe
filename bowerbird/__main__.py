"""`python -m bowerbird`: the same as the `bowerbird` command."""

from bowerbird.cli import main

main()
