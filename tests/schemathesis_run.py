"""Runs schemathesis against a service: every operation of its OpenAPI document, valid and invalid requests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ALSO: Final = "TEST_ALSO_KEY"
"""The variable with another API key, with which every request is sent once more."""
EXAMPLES = 10
_SECONDS = 240


def check_conformance(
    url: str, key: str | None = None, leave_out: str = "", *, also: str | None = None, elsewhere: Sequence[str] = ()
) -> None:
    """Fail with what schemathesis found, and how to reproduce it, unless all answers are as documented.

    Args:
        url: of the service.
        key: an API key, where the service needs one.
        leave_out: names of checks, separated by commas.
        also: another API key, with which every request is sent once more: making requests costs more than sending them.
        elsewhere: ids of operations that another test asks for.
    """
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run", f"{url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "7",
        "--continue-on-failure", "--warnings", "off",
        # Whether its generator is slow, on a busy machine too, says nothing about the service.
        "--suppress-health-check", "too_slow,filter_too_much", "--generation-database", "none", "--checks", "all",
    ]  # fmt: skip
    command += [part for each in elsewhere for part in ("--exclude-operation-id", each)]
    if leave_out:
        command += ["--exclude-checks", leave_out]
    if key is not None:
        command += ["--header", f"Authorization: Bearer {key}"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks"} | ({} if also is None else {ALSO: also})
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_SECONDS, env={**os.environ, **hooks}
    )
    assert ran.returncode == 0, ran.stdout[-30_000:] + ran.stderr[-2_000:]
