"""Preparing refuses what must not be signed; signing takes only what was prepared, once."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
import pytest

from libs.openbadges.integrity.suites import SIGN_SUITES
from libs.openbadges.issue.building import Shown
from libs.openbadges.issue.signing import Prepared, prepare, sign, sign_all
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.errors import CredentialError, LimitError, UnknownContextError
from libs.openbadges.verify import verify
from tests.unit.openbadges_samples import KEY, METHOD, NOW, RESILIENCE, badge, material, signed

Change = Callable[[dict[str, Any]], object]


def test_a_signed_credential_is_the_document_with_a_proof_in_compact_json() -> None:
    document = badge()
    text = signed()
    parsed = json.loads(text)
    proof = parsed.pop("proof")
    assert parsed == document
    assert orjson.dumps(json.loads(text)).decode() == text
    assert proof["created"] == "2026-03-06T09:30:00Z"
    assert proof["cryptosuite"] == "eddsa-rdfc-2022"
    assert proof["proofPurpose"] == "assertionMethod"


def test_the_same_award_gives_the_same_bytes() -> None:
    assert signed(7) == signed(7)


def test_a_prepared_document_is_signed_once() -> None:
    prepared = prepare(badge())
    sign(prepared, KEY, METHOD, NOW)
    with pytest.raises(CredentialError, match="already"):
        sign(prepared, KEY, METHOD, NOW)


def test_nothing_but_prepare_makes_what_is_signed() -> None:
    with pytest.raises(CredentialError, match="prepare"):
        Prepared(object(), CanonicalDocument(b"{}", None))


def test_changing_the_document_after_preparing_changes_nothing() -> None:
    document = badge()
    prepared = prepare(document)
    document["credentialSubject"]["result"][0]["achievedLevel"] = "https://elsewhere.example"
    assert "elsewhere" not in sign(prepared, KEY, METHOD, NOW)


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        (lambda d: d["credentialSubject"].pop("achievement"), "schema", "achievement"),
        (lambda d: d["credentialSubject"]["achievement"].update(name=5), "schema", "name"),
        (lambda d: d.update(validFrom="yesterday"), "date_form", "validFrom"),
        (lambda d: d.update(favouriteColour="blue"), "term_undefined", "favouriteColour"),
        (lambda d: d["evidence"][0].update(mood="good"), "term_undefined", "mood"),
        (lambda d: d["type"].append("GoldBadge"), "type_undefined", "GoldBadge"),
        (lambda d: d["evidence"][0]["type"].append("Snapshot"), "type_undefined", "Snapshot"),
        (lambda d: d["credentialSubject"].update(id="student-7"), "iri_invalid", "student-7"),
        (lambda d: d["credentialSubject"].update(id="urn:x> <urn:y"), "iri_invalid", "urn:y"),
        (lambda d: d["credentialSubject"].update(id="urn:x\n"), "iri_invalid", "urn:x"),
        (lambda d: d.update(proof={"type": "DataIntegrityProof"}), "proof_present", "proof"),
        (lambda d: d.update({"@graph": []}), "keyword_refused", "@graph"),
        (lambda d: d["evidence"][0].update({"@reverse": {}}), "keyword_refused", "@reverse"),
        (lambda d: d.update(validFrom="2026-03-06T09:30:00"), "date_without_zone", "zone"),
        (lambda d: d["credentialSubject"].update(creditsEarned=2**60), "number_too_large", "2^53"),
        (lambda d: d.update(image={1, 2}), "not_json", "set"),
        (lambda d: d.update(validFrom=NOW), "not_json", "datetime"),
        (lambda d: d["@context"].reverse(), "not_a_credential", "@context"),
        (lambda d: d.pop("@context"), "not_a_credential", "@context"),
        (lambda d: d["@context"].append(None), "not_a_credential", "/@context/2"),
        (lambda d: d["@context"].append(5), "not_a_credential", "/@context/2"),
    ],
)
def test_a_document_that_must_not_be_signed_is_refused_with_what_is_wrong(change: Change, code: str, name: str) -> None:
    document = badge()
    change(document)
    with pytest.raises(CredentialError) as raised:
        prepare(document)
    assert name in str(raised.value)
    assert raised.value.code == code


@pytest.mark.parametrize("context", ["https://elsewhere.example/context.json", {"name": "https://evil.example/other"}])
def test_a_context_that_is_not_carried_is_named(context: Any) -> None:
    document = badge()
    document["@context"].append(context)
    with pytest.raises(UnknownContextError):
        prepare({**document, "type": ["VerifiableCredential"]})


def test_the_examples_context_is_not_issued_with() -> None:
    document = badge()
    document["@context"].append("https://www.w3.org/ns/credentials/examples/v2")
    with pytest.raises(CredentialError, match="examples"):
        prepare(document)


def test_a_document_deeper_or_longer_than_the_limits_is_refused() -> None:
    deep: Any = {}
    for _ in range(60):
        deep = {"creator": deep}
    with pytest.raises(LimitError):
        prepare({**badge(), "x": deep})
    with pytest.raises(LimitError):
        prepare({**badge(), "x": ["a"] * 20_000})


def test_a_level_that_the_achievement_does_not_describe_cannot_be_awarded() -> None:
    with pytest.raises(CredentialError, match="SOLO"):
        badge(shown=[Shown(level="excellent")])
    with pytest.raises(CredentialError, match="describes no result"):
        badge(shown=[Shown(value="80", result_description_id=f"{RESILIENCE}#score")])
    with pytest.raises(CredentialError, match="level or a value"):
        badge(shown=[Shown()])


def test_moments_need_a_zone_and_an_order() -> None:
    with pytest.raises(CredentialError, match="zone"):
        badge(valid_from=datetime(2026, 3, 6))  # noqa: DTZ001  the missing zone is the point
    with pytest.raises(CredentialError, match="before it begins"):
        badge(valid_until=NOW)


def test_an_unknown_cryptosuite_does_not_use_the_token_up() -> None:
    prepared = prepare(badge())
    with pytest.raises(CredentialError, match="cryptosuite"):
        sign(prepared, KEY, METHOD, NOW, cryptosuite="rot13-2026")
    assert "proofValue" in sign(prepared, KEY, METHOD, NOW)


def test_what_is_done_to_a_document_after_it_was_prepared_is_not_signed() -> None:
    for suite in ("eddsa-rdfc-2022", "eddsa-jcs-2022"):
        for number in (1, 1, *range(2, 14)):
            document = badge(number, status=None)
            expected = sign(prepare(copy.deepcopy(document)), KEY, METHOD, NOW, cryptosuite=suite)
            prepared = prepare(document)
            document["evidence"][0]["name"] = "Another"
            document["@context"].append("https://example.org/other")
            assert sign(prepared, KEY, METHOD, NOW, cryptosuite=suite) == expected
            assert verify(expected, material(), NOW).verdict == "pass"


def test_what_is_no_json_value_is_refused_also_where_the_template_is_known() -> None:
    for number in range(20):
        prepare(badge(number))
    for value in (UUID(int=1), float("nan"), b"a", {"a"}):
        document = badge(21)
        document["evidence"][0]["name"] = value
        with pytest.raises(CredentialError):
            prepare(document)


class _Activity(Enum):
    RAFT = "Raft building"


def test_what_is_written_as_json_by_everybody_is_signed_as_it_is_written() -> None:
    for number in range(20):
        prepare(badge(number, status=None))
    document = badge(21, status=None)
    expected = sign(prepare(document), KEY, METHOD, NOW)
    assert document["evidence"][0]["name"] == _Activity.RAFT.value
    document["evidence"][0]["name"] = _Activity.RAFT
    document["credentialSubject"]["achievement"]["tag"] = tuple(document["credentialSubject"]["achievement"]["tag"])
    assert sign(prepare(document), KEY, METHOD, NOW) == expected


@pytest.mark.parametrize("suite", sorted(SIGN_SUITES))
@pytest.mark.parametrize("method", ["", "key-1", "did:web:a b", "did:web:a#\ud800"])
def test_a_verification_method_that_nobody_could_look_up_is_refused_by_every_suite(suite: str, method: str) -> None:
    with pytest.raises(CredentialError) as refused:
        sign(prepare(badge()), KEY, method, NOW, cryptosuite=suite)
    assert refused.value.code == "iri_invalid"


def test_a_batch_is_signed_as_each_alone_would_be_and_not_at_all_with_a_used_token() -> None:
    documents = [badge(number) for number in range(5)]
    together = sign_all([prepare(one) for one in documents], KEY, METHOD, NOW)
    assert together == [sign(prepare(one), KEY, METHOD, NOW) for one in documents]
    assert sign_all([], KEY, METHOD, NOW) == []
    used, fresh = prepare(documents[0]), prepare(documents[1])
    sign(used, KEY, METHOD, NOW)
    with pytest.raises(CredentialError) as refused:
        sign_all([fresh, used], KEY, METHOD, NOW)
    assert refused.value.code == "already_signed"
    with pytest.raises(CredentialError):
        sign(fresh, KEY, METHOD, NOW)
