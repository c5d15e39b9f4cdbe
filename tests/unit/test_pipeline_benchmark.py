"""The arithmetic of the pipeline benchmark, without a stack."""

import pytest

from benchmarks import machine
from benchmarks.machine import difference
from benchmarks.pipeline import milliseconds
from benchmarks.tenant import evidence


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 2000.0), (0.99, 4000.0), (1, 4000.0), (0.25, 1000.0), (0.001, 1000.0)]
)
def test_a_percentile_is_the_nearest_rank_in_milliseconds(share: float, expected: float) -> None:
    assert milliseconds([1.0, 2.0, 3.0, 4.0], share) == expected


def test_cpu_seconds_are_differences_by_process() -> None:
    assert difference({"kafka": 3.456, "issuer": 1}, {"kafka": 1.0, "issuer": 1}) == {"kafka": 2.46, "issuer": 0}


def test_the_same_piece_of_evidence_is_the_same_bytes_whatever_upload_it_comes_in() -> None:
    assert b"".join(evidence(0, 40)) == b"".join(evidence(0, 20)) + b"".join(evidence(20, 20))


def test_signatures_a_second_are_those_made_over_the_cpu_time_that_they_took(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([10.0, 10.0, 10.5, 12.5])
    monkeypatch.setattr(machine, "process_time", lambda: next(looks))
    assert machine.ed25519_per_second(seconds=2.0) == 2 * machine._ED25519_ROUND / 2.5
