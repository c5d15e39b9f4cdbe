"""What parsing refuses it refuses before it holds many times of what was sent."""

from typing import Any

import pytest

from libs.openbadges.jsonld import parsing
from libs.openbadges.model.errors import LimitError
from libs.openbadges.verify import opening

NUMBERS = [0] * 120_000


def _never(document: dict[str, Any]) -> bytes:
    raise AssertionError(len(document))


def test_a_text_with_too_many_values_is_refused_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    # For each number in a list the writer takes 256 bytes.
    monkeypatch.setattr(parsing, "write", _never)
    with pytest.raises(LimitError) as refused:
        parsing.parse(b'{"a":[' + b"0," * 120_000 + b"0]}")
    assert refused.value.code == "too_many_values"


def test_a_parsed_document_with_too_many_values_is_refused_before_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "write", _never)
    with pytest.raises(LimitError) as refused:
        opening.open_document({"a": NUMBERS})
    assert refused.value.code == "too_many_values"
