"""What the broker is told about a topic keeps the life that the documents state."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from libs.contracts.topics import AUDIT_ENTRIES, DEAD_LETTERS, SENT_AGAIN, TOPICS, Topic

ROOT = Path(__file__).parents[2]
OF_SERVICES = {*DEAD_LETTERS.values(), *SENT_AGAIN.values(), *AUDIT_ENTRIES.values()}
ENDING = [each for each in TOPICS if each.kept is not None]
_ROW = re.compile(r"^\| `([a-zA-Z.-]+)` \| [^|]+ \| [^|]+ \| ([^|]+) \|", re.MULTILINE)


def milliseconds(topic: Topic, name: str) -> timedelta:
    return timedelta(milliseconds=int(topic.config[name]))


@pytest.mark.parametrize("topic", ENDING, ids=lambda each: each.name)
def test_no_record_outlives_its_retention_by_more_than_a_fifteenth(topic: Topic) -> None:
    assert topic.kept is not None
    assert topic.config["cleanup.policy"] == "delete"
    assert milliseconds(topic, "retention.ms") == topic.kept
    assert milliseconds(topic, "retention.ms") + milliseconds(topic, "segment.ms") == topic.kept_at_most
    assert timedelta(0) < milliseconds(topic, "segment.ms") <= topic.kept / 15


@pytest.mark.parametrize("topic", [each for each in TOPICS if each.kept is None], ids=lambda each: each.name)
def test_what_is_kept_by_key_is_compacted_within_a_day(topic: Topic) -> None:
    assert topic.config["cleanup.policy"] == "compact"
    assert milliseconds(topic, "max.compaction.lag.ms") == timedelta(days=1)
    assert topic.kept_at_most is None


def test_the_table_of_topics_states_their_retention() -> None:
    stated = dict(_ROW.findall((ROOT / "docs/architecture.md").read_text()))
    for topic in TOPICS:
        name = topic.name.removesuffix(".v1")
        life = stated[f"{name.partition('.')[0]}.SERVICE" if topic in OF_SERVICES else name]
        expected = "compacted" if topic.kept is None else f"{topic.kept.days} days"
        assert life.split(", ")[0] == expected, topic.name


def test_the_operators_guide_states_how_long_records_can_stay() -> None:
    guide = (ROOT / "docs/guides/operator.md").read_text()
    for topic in ENDING:
        assert topic.kept is not None
        assert topic.kept_at_most is not None
        days = -(-topic.kept_at_most // timedelta(days=1))
        assert f"| {topic.kept.days} days, at most {days} |" in guide, topic.name
