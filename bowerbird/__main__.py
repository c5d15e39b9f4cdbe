"""The entry of the `bowerbird` command: says in a sentence what the environment lacks, else hands over."""

import sys

OURS = ("bowerbird", "demo", "deploy", "libs", "services")


def main() -> None:
    """Run the command line if this Python can."""
    if sys.version_info < (3, 11):  # noqa: UP036  # who runs it with an older one is to be told so
        sys.exit(
            f"bowerbird: this is Python {sys.version.split()[0]}, but it needs 3.11 or later; then run `make env`."
        )
    try:
        from bowerbird import cli  # noqa: PLC0415  # what is missing is to be told, by the lines below

        cli.main()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        sys.exit(f"bowerbird: the Python module {error.name} is missing in {sys.prefix}; run `make env`.")


if __name__ == "__main__":
    main()
