"""What is remembered of validated badges changes no verdict: the same documents are refused, for the same reasons."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.openbadges.model import schema
from libs.openbadges.model.errors import CredentialError
from tests.unit.openbadges_samples import badge

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["Achievement", "https://x"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=5), below, max_size=2),
    max_leaves=4,
)
Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document but the document itself."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in below:
        yield (*path, name)
        yield from paths(inner, (*path, name))


def award(number: int) -> dict[str, Any]:
    page = f"https://badges.example/{number}"
    return badge(number, evidence=[{"type": ["Evidence"], "name": "Raft building"}], image=f"{page}/image.svg")


def changed(path: Path, value: Any, *, delete: bool) -> dict[str, Any]:
    document = copy.deepcopy(award(1))
    holder: Any = document
    for name in path[:-1]:
        holder = holder[name]
    if delete:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


def refusal(document: dict[str, Any]) -> tuple[str, str] | None:
    try:
        schema.validate_achievement(document)
    except CredentialError as error:
        return error.code, str(error)
    return None


PATHS = sorted(paths(award(1)), key=str)
FREE = [(name,) for name in ["id"]] + [(name, text) for name, texts in schema._FREE for text in texts]


@given(st.sampled_from(PATHS), JSON, st.booleans())
def test_a_changed_badge_is_refused_as_if_nothing_were_remembered(path: Path, value: Any, delete: bool) -> None:
    document = changed(path, value, delete=delete)
    schema.validate_achievement(award(2))
    remembered = refusal(document), refusal(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_is_known", lambda _: False)
        assert remembered == (refusal(document),) * 2


@given(st.sampled_from(FREE), st.text())
def test_where_texts_are_left_out_the_schema_takes_any_text(path: Path, text: str) -> None:
    assert schema._achievement.is_valid(changed(path, text, delete=False))


def test_badges_that_differ_in_their_free_texts_alone_are_validated_once() -> None:
    schema._holds.cache_clear()
    for number in range(1, 20):
        schema.validate_achievement(award(number))
    assert schema._holds.cache_info().misses == 1
