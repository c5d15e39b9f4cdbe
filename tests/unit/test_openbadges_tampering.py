"""Whatever is done to a credential or to what was looked up for it: no error escapes, and no other statement passes."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.verify import ResolvedInputs, dependencies_of, verify
from tests.unit.openbadges_generated import mutate, places
from tests.unit.openbadges_samples import DID, LIST, NOW, material, signed
from tests.unit.test_openbadges_templates import property_of_templates

CREDENTIAL = json.loads(signed())
GOOD = material()
CONTROLLER = dict(GOOD.did_documents[DID])
LISTING = json.loads(str(GOOD.status_lists[LIST]))


def statements(document: dict[str, Any]) -> str:
    return canonicalize({key: value for key, value in document.items() if key != "proof"})


STATEMENTS = statements(CREDENTIAL)


@property_of_templates
@given(st.data())
def test_a_changed_credential_passes_only_if_it_states_the_same(data: st.DataObject) -> None:
    changed = mutate(data.draw, CREDENTIAL)
    dependencies_of(changed)
    if verify(changed, GOOD, NOW).verdict == "pass":
        assert statements(changed) == STATEMENTS


@property_of_templates
@given(st.data())
def test_changed_documents_of_the_issuer_never_raise_and_never_revoke(data: st.DataObject) -> None:
    given_ = ResolvedInputs({DID: mutate(data.draw, CONTROLLER)}, {LIST: mutate(data.draw, LISTING)})
    report = verify(CREDENTIAL, given_, NOW)
    # A list that was tampered with proves nothing in either direction.
    assert report.check("status").outcome != "fail"


def test_nothing_put_in_any_place_of_a_credential_raises() -> None:
    values: list[Any] = [None, [], {}, [[]], {"id": []}, {"@value": {}}, 5, "x", "@id"]
    for value in values:
        for number in range(0, len(places(CREDENTIAL)), 2):
            changed = copy.deepcopy(CREDENTIAL)
            container, key = places(changed)[number]
            container[key] = value
            if verify(changed, GOOD, NOW).verdict == "pass":
                assert statements(changed) == STATEMENTS


def test_nothing_put_in_any_place_of_an_issuers_document_raises() -> None:
    values: list[Any] = [None, [], {}, [[]], {"id": []}, 5, "x", "#x", [DID]]
    for value in values:
        for number in range(len(places(CONTROLLER))):
            changed = copy.deepcopy(CONTROLLER)
            container, key = places(changed)[number]
            container[key] = value
            verify(CREDENTIAL, ResolvedInputs({DID: changed}, GOOD.status_lists), NOW)
