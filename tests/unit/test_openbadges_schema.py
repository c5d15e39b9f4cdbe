"""What is remembered of validated badges changes no verdict: the same documents are refused, for the same reasons."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.openbadges.issue import signing
from libs.openbadges.model import schema
from libs.openbadges.model.context_urls import EXAMPLES_V2
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import CONFORMANCE, PRODUCTION
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


def refusal(
    document: dict[str, Any], check: Callable[[dict[str, Any]], object] = schema.validate_achievement
) -> tuple[str, str] | None:
    try:
        check(document)
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
        patch.setattr(schema, "form_of", lambda _: None)
        assert remembered == (refusal(document),) * 2


@given(st.sampled_from(FREE), st.text())
def test_where_texts_are_left_out_the_schema_takes_any_text(path: Path, text: str) -> None:
    assert schema._achievement.is_valid(changed(path, text, delete=False))


def test_badges_that_differ_in_their_free_texts_alone_are_validated_once() -> None:
    schema._holds.cache_clear()
    for number in range(1, 20):
        schema.validate_achievement(award(number))
    assert schema._holds.cache_info().misses == 1


# Where a text that a form leaves out stands, and texts that are good in one of these places or in none.
LIST_URL = str(award(1)["credentialStatus"]["statusListCredential"])
TEXTS = st.text(max_size=5) | st.sampled_from(
    ["https://x", "urn:uuid:x", "https://badges.example/s t", "7", "07", "-1", LIST_URL]
)


@given(st.sampled_from(PATHS), JSON, st.booleans())
def test_a_changed_badge_is_prepared_or_refused_as_if_no_form_were_known(path: Path, value: Any, delete: bool) -> None:
    prepared_alike(changed(path, value, delete=delete))


@given(st.sampled_from(FREE), TEXTS)
def test_the_texts_that_a_form_leaves_out_are_looked_at_in_each_badge(path: Path, text: str) -> None:
    prepared_alike(changed(path, text, delete=False))


def prepared_alike(document: dict[str, Any]) -> None:
    signing._KNOWN.clear()
    unknown = refusal(document, signing.prepare)
    for number in (2, 3):
        signing.prepare(award(number))
    assert signing._KNOWN
    assert (refusal(document, signing.prepare), refusal(document, signing.prepare)) == (unknown, unknown)


def test_a_form_that_one_profile_takes_is_not_known_to_another() -> None:
    with_examples = award(1)
    with_examples["@context"].append(EXAMPLES_V2)
    signing.prepare(copy.deepcopy(with_examples), CONFORMANCE)
    assert (refusal(with_examples, signing.prepare) or ("",))[0] == "context_examples"


def test_forms_that_are_known_are_few() -> None:
    for number in range(signing._MOST_KNOWN + 5):
        signing._remember(number.to_bytes(4, "big"), PRODUCTION)
    assert len(signing._KNOWN) == signing._MOST_KNOWN
    assert (0).to_bytes(4, "big") not in signing._KNOWN


@pytest.mark.parametrize("values", [1, 3_000])
def test_a_refusal_names_the_place_however_many_values_are_refused(values: int) -> None:
    found = refusal({**award(1), "evidence": [{"type": number} for number in range(values)]})
    assert found is not None
    assert found[0] == "schema"
    assert "/evidence: " in found[1]


def test_what_is_looked_at_to_explain_a_refusal_is_bounded_in_values_and_texts() -> None:
    hostile = {"evidence": [{"type": number, "narrative": "x" * 50_000} for number in range(3_000)]}
    excerpt = schema._excerpt(hostile, [schema._VALUES_EXPLAINED])
    assert excerpt["evidence"][:1] == [{"type": 0, "narrative": "x" * 4_000}]
    assert 1 < len(excerpt["evidence"]) <= schema._VALUES_EXPLAINED
    assert schema._excerpt(award(1), [schema._VALUES_EXPLAINED]) == award(1)


def test_a_refused_value_far_behind_a_thousand_good_ones_is_still_a_refusal() -> None:
    parts: list[Any] = [{"type": ["Evidence"]} for _ in range(1_000)]
    assert refusal({**award(1), "evidence": parts}) is None
    found = refusal({**award(1), "evidence": [*parts, {"type": 1}]})
    assert found == ("schema", "/: Among its many values is one that the schema refuses.")
