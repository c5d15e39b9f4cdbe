"""What the whole way of an award may take, as ratios to the machine's Ed25519 rate, so that machines compare."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of a measurement (`benchmarks.pipeline.Measurement`) and the bound that it is held against."""

    field: str
    says: str
    bound: float
    form: str
    at_least: bool = False

    @property
    def limit(self) -> str:
        """Return the bound as the table shows it."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:{self.form}}"


# 0.85 ms on a machine that makes 41,925 signatures a second.
_CPU_SIGNATURES: Final = 0.00085 * 41_925

TARGETS: Final = (
    Target("ratio_to_ed25519", "credentials per signature", 0.05, ".4f", at_least=True),
    Target("cpu_signatures_per_credential", "CPU per credential, in signatures", round(_CPU_SIGNATURES, 1), ".1f"),
    Target("p99_ms", "half load, p99 (ms)", 1000, ",.0f"),
)


def verdict(target: Target, value: float) -> str:
    """Return whether the target is met, in a word."""
    met = value >= target.bound if target.at_least else value <= target.bound
    return "met" if met else "missed"
