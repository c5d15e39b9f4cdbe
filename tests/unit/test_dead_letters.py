"""A dead letter always fits onto its topic, whatever the record was."""

from types import SimpleNamespace
from typing import Any

import pytest

from libs.common.dead_letters import dead_letter
from libs.contracts.events import DeadLetter
from libs.contracts.topics import LARGEST_LETTER_BYTES


def letter(**parts: Any) -> DeadLetter:
    whole = {"topic": "evidence.submitted.v1", "partition": 3, "offset": 41, "key": b"k", "value": b"v", "headers": ()}
    record = SimpleNamespace(**(whole | parts))
    outgoing = dead_letter(
        record, service="issuer", consumer="issuer-evidence", reason="no_type", detail="none", attempt=1
    )
    assert isinstance(outgoing.event, DeadLetter)
    return outgoing.event


def test_a_record_of_the_size_that_a_topic_takes_is_kept_whole() -> None:
    assert letter(value=b"a" * 1_000_000).record_value is not None


@pytest.mark.parametrize(
    "parts",
    [
        {"value": b"a" * 10_000_000},
        {"key": b"a" * 10_000_000},
        {"headers": [("", b"")] * 300_000},
        {"headers": [("\x00" * 900_000, None)]},
    ],
)
def test_what_no_letter_holds_is_left_out_and_the_place_and_digest_remain(parts: dict[str, Any]) -> None:
    made = letter(**parts)
    assert len(made.model_dump_json()) < LARGEST_LETTER_BYTES / 2
    assert (made.source_topic, made.partition, made.offset) == ("evidence.submitted.v1", 3, 41)
    assert made.record_sha256 is not None
