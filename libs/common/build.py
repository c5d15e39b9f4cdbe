"""Which version this is, and of which commit: said by `bowerbird --version`, in a metric and at each start."""

import platform
from pathlib import Path
from typing import Final

from libs.common import metrics

VERSION: Final = "0.1.0"

_ROOT: Final = Path(__file__).parents[2]


def commit(root: Path = _ROOT) -> str:
    """Return the commit that this was built from, as its image notes it; `unknown` in a source tree."""
    try:
        return (root / "COMMIT").read_text("ascii").strip() or "unknown"
    except OSError:
        return "unknown"


def show() -> None:
    """Show both in the metric `bowerbird_build_info`, whose value is 1."""
    metrics.BUILD_INFO.labels(VERSION, commit(), platform.python_version()).set(1)
