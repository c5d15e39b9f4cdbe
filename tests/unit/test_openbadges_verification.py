"""Verification is three-valued: an error never becomes a verdict, and nothing hostile passes or hangs."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from libs.openbadges.crypto.did import did_document, did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import StatusList, list_document
from libs.openbadges.verify import ResolvedInputs, dependencies_of, verify
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge, material, signed, to_fetch

STRANGER = Ed25519Key.from_seed(b"s" * 32)


def outcome(document: Any, given: ResolvedInputs, name: str) -> tuple[str, str]:
    check = verify(document, given, NOW).check(name)
    return check.outcome, check.code


def test_a_good_credential_passes_every_check() -> None:
    report = verify(signed(), material(), NOW)
    assert report.verdict == "pass"
    assert [(check.name, check.outcome) for check in report.checks] == [
        (name, "pass")
        for name in (
            *("format", "context", "schema", "proof", "issuer", "refresh", "publication", "dates", "status"),
            "endorsement",
        )
    ]
    assert report.to_dict()["verdict"] == "pass"
    assert report.to_dict()["checks"][0]["at"] == "2026-03-06T09:30:00Z"


def test_a_did_key_issuer_needs_nothing_looked_up() -> None:
    did = did_key(KEY.public_multibase)
    document = badge(status=None)
    document["issuer"]["id"] = did
    text = sign(prepare(document), KEY, verification_method(did, KEY.public_multibase), NOW)
    assert to_fetch(dependencies_of(text)) == (set(), set(), set())
    assert verify(text, ResolvedInputs(), NOW).verdict == "pass"


def test_needs_names_what_to_look_up() -> None:
    assert to_fetch(dependencies_of(signed())) == ({DID}, {LIST}, set())
    assert to_fetch(dependencies_of("not json")) == (set(), set(), set())


def test_what_could_not_be_looked_up_is_unknown_and_no_verdict() -> None:
    report = verify(signed(), ResolvedInputs(), NOW)
    assert report.verdict == "unknown"
    assert report.check("proof").code == "key_unavailable"
    assert report.check("issuer").code == "issuer_unavailable"
    assert report.check("status").code == "STATUS_RETRIEVAL_ERROR"
    assert report.check("schema").outcome == "pass"


def test_a_revoked_credential_fails_and_says_as_of_when() -> None:
    check = verify(signed(), material(1), NOW + timedelta(days=1)).check("status")
    assert (check.outcome, check.code, check.at) == ("fail", "revoked", NOW)


def test_anothers_status_bit_changes_nothing() -> None:
    assert verify(signed(), material(0, 2, 3), NOW).verdict == "pass"


def test_a_status_list_by_a_stranger_is_unknown_and_neither_revokes_nor_clears() -> None:
    did = did_key(STRANGER.public_multibase)
    listing = list_document(LIST, did, StatusList(), valid_from=NOW)
    forged = sign(prepare(listing), STRANGER, verification_method(did, STRANGER.public_multibase), NOW)
    given = ResolvedInputs(material().did_documents, {LIST: forged})
    assert outcome(signed(), given, "status") == ("unknown", "STATUS_VERIFICATION_ERROR")
    claimed = sign(
        prepare(list_document(LIST, DID, StatusList(), valid_from=NOW)),
        STRANGER,
        verification_method(did, STRANGER.public_multibase),
        NOW,
    )
    given = ResolvedInputs(material().did_documents, {LIST: claimed})
    assert outcome(signed(), given, "status") == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_a_list_of_another_address_or_purpose_is_unknown() -> None:
    other = sign(prepare(list_document(LIST + "0", DID, StatusList(), valid_from=NOW)), KEY, METHOD, NOW)
    given = ResolvedInputs(material().did_documents, {LIST: other})
    assert outcome(signed(), given, "status") == ("unknown", "STATUS_VERIFICATION_ERROR")
    assert outcome(signed(), material(purpose="suspension"), "status") == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_an_expired_list_is_unknown() -> None:
    listing = list_document(LIST, DID, StatusList(), valid_from=NOW, valid_until=NOW + timedelta(hours=1))
    given = ResolvedInputs(material().did_documents, {LIST: sign(prepare(listing), KEY, METHOD, NOW)})
    late = verify(signed(), given, NOW + timedelta(hours=2)).check("status")
    assert (late.outcome, late.code) == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_a_key_of_another_controller_fails() -> None:
    did = did_key(STRANGER.public_multibase)
    text = sign(prepare(badge()), STRANGER, verification_method(did, STRANGER.public_multibase), NOW)
    assert outcome(text, material(), "proof") == ("pass", "proof_valid")
    assert outcome(text, material(), "issuer") == ("fail", "issuer_mismatch")
    assert verify(text, material(), NOW).verdict == "fail"


def test_a_strangers_good_proof_beside_the_issuers_unreadable_one_is_no_pass() -> None:
    did = did_key(STRANGER.public_multibase)
    text = sign(prepare(badge()), STRANGER, verification_method(did, STRANGER.public_multibase), NOW)
    document = json.loads(text)
    document["proof"] = [document["proof"], {"type": "FutureProof2030", "verificationMethod": METHOD}]
    assert verify(document, material(), NOW).verdict == "unknown"


def test_one_bad_proof_in_a_set_fails_the_credential() -> None:
    document = json.loads(signed())
    other = json.loads(signed(2))["proof"]
    assert verify({**document, "proof": [document["proof"]]}, material(), NOW).verdict == "pass"
    assert verify({**document, "proof": [document["proof"], other]}, material(), NOW).verdict == "fail"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"assertionMethod": []}, ("fail", "method_not_allowed")),
        ({"verificationMethod": [], "assertionMethod": [METHOD]}, ("fail", "method_missing")),
        ({"id": "did:web:elsewhere.example"}, ("unknown", "did_mismatch")),
        ({"verificationMethod": 5, "assertionMethod": {"a": []}}, ("fail", "method_missing")),
    ],
)
def test_the_issuers_document_must_allow_the_key(change: dict[str, Any], expected: tuple[str, str]) -> None:
    document = {**did_document(DID, KEY.public_multibase), **change}
    assert outcome(signed(), ResolvedInputs({DID: document}), "issuer") == expected


def test_a_key_controlled_by_somebody_else_fails() -> None:
    document = did_document(DID, KEY.public_multibase)
    document["verificationMethod"][0]["controller"] = "did:web:elsewhere.example"
    assert outcome(signed(), ResolvedInputs({DID: document}), "issuer") == ("fail", "method_controller")


def test_a_kind_of_key_that_is_not_read_is_unknown() -> None:
    document = did_document(DID, KEY.public_multibase)
    document["verificationMethod"][0].update(type="JsonWebKey", publicKeyJwk={"kty": "OKP"})
    del document["verificationMethod"][0]["publicKeyMultibase"]
    assert outcome(signed(), ResolvedInputs({DID: document}), "proof") == ("unknown", "key_kind")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"proofPurpose": "authentication"}, ("fail", "proof_purpose")),
        ({"cryptosuite": "future-2030"}, ("unknown", "cryptosuite_unknown")),
        ({"cryptosuite": ["eddsa-rdfc-2022"]}, ("fail", "proof_form")),
        ({"type": "Ed25519Signature2030"}, ("unknown", "cryptosuite_unknown")),
        ({"proofValue": "u" + "A" * 80}, ("fail", "multibase_form")),
        ({"proofValue": "z0OIl"}, ("fail", "multibase_form")),
        ({"proofValue": None}, ("fail", "proof_form")),
        ({"verificationMethod": 7}, ("fail", "proof_form")),
        ({"created": "2026-03-06"}, ("fail", "date_form")),
        ({"expires": "2026-03-06T09:30:00Z"}, ("fail", "proof_expired")),
        ({"nonsense": "x"}, ("fail", "term_undefined")),
        ({"nonce": "x"}, ("fail", "proof_invalid")),
        ({"@context": []}, ("fail", "proof_form")),
    ],
)
def test_a_proof_that_was_tampered_with_does_not_pass(change: dict[str, Any], expected: tuple[str, str]) -> None:
    document = json.loads(signed())
    document["proof"].update(change)
    assert outcome(document, material(), "proof") == expected


def test_no_proof_or_a_broken_list_of_proofs_fails() -> None:
    document = json.loads(signed())
    odd: tuple[object, ...] = (None, [], {}, "proof", [document["proof"], "x"])
    for proof in odd:
        assert verify({**document, "proof": proof}, material(), NOW).verdict == "fail"


def test_dates_are_judged_at_the_given_moment() -> None:
    text = signed(valid_until=NOW + timedelta(days=1))
    assert verify(text, material(), NOW).verdict == "pass"
    assert verify(text, material(), NOW + timedelta(days=1)).check("dates").code == "expired"
    assert verify(text, material(), NOW - timedelta(seconds=1)).check("dates").code == "not_yet_valid"


@pytest.mark.parametrize(("later", "code"), [(0, "in_force"), (60, "in_force"), (61, "not_yet_valid")])
def test_a_proof_that_says_that_it_was_made_in_the_future_is_not_in_force(later: int, code: str) -> None:
    text = sign(prepare(badge()), KEY, METHOD, NOW + timedelta(seconds=later))
    assert verify(text, material(), NOW).check("dates").code == code


def test_an_undefined_term_fails_even_where_the_key_could_not_be_had() -> None:
    text = signed().replace('"genre":"Observation"', '"ganre":"Observation"')
    check = verify(text, ResolvedInputs(), NOW).check("context")
    assert (check.outcome, check.code) == ("fail", "term_undefined")
    assert "ganre" in check.message


def test_an_undefined_term_is_found_also_under_a_proof_of_unknown_kind() -> None:
    document = {**json.loads(signed()), "proof": {"type": "FutureProof2030"}}
    assert outcome(document, material(), "context") == ("pass", "contexts_known")
    document["type"].append("GoldBadge")
    assert outcome(document, material(), "context") == ("fail", "type_undefined")


def test_a_context_written_into_the_document_is_unknown() -> None:
    document = json.loads(signed())
    document["@context"].append({"genre": "https://evil.example/other"})
    assert outcome(document, material(), "context") == ("unknown", "context_inline")
    assert verify(document, material(), NOW).verdict == "unknown"


def test_a_key_that_stands_twice_is_refused() -> None:
    text = signed()
    twice = text.replace('"name":"Resilience"', '"name":"Courage","name":"Resilience"', 1)
    check = verify(twice, material(), NOW).check("format")
    assert (check.outcome, check.code) == ("fail", "duplicate_key")
    assert verify(text.replace(",", ", "), material(), NOW).check("format").outcome == "pass"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "5",
        "{",
        '{"a":NaN}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        b'{"a":"\xff\xfe"}',
        "\ud800",
        '{"a":1' + "0" * 400 + "}",
    ],
)
def test_what_is_no_json_object_fails_as_a_format(text: str | bytes) -> None:
    report = verify(text, ResolvedInputs(), NOW)
    assert report.verdict == "fail"
    assert report.check("format").outcome == "fail"
    assert report.credential is None


@pytest.mark.parametrize(
    "text",
    ['{"a":"' + "x" * 300_000 + '"}', '{"a":' * 500 + "1" + "}" * 500, "[" * 100_000, '{"a":[' + "1," * 50_000 + "1]}"],
)
def test_what_is_too_much_ends_soon_and_never_passes(text: str) -> None:
    started = time.process_time()
    assert verify(text, ResolvedInputs(), NOW).verdict != "pass"
    assert time.process_time() - started < 1


CRED = "https://www.w3.org/2018/credentials#"


def hidden(document: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The credential with a property said otherwise, so that RDF and with it the proof stay the same."""
    rest = {key: value for key, value in document.items() if key != name}
    value = document[name]
    literal = {"@value": value, "@type": "http://www.w3.org/2001/XMLSchema#dateTime"}
    identifier = document["id"]
    inner = {"id": identifier, "type": document["type"], name: value}
    return {
        "under its address": {**rest, CRED + name: value if isinstance(value, dict) else literal},
        "in a set": {**rest, name: {"@set": [value]}},
        "in a list of one": {**rest, name: [value]},
        "in an included block": {**rest, "@included": [inner]},
        "in a graph": {**rest, "@graph": [inner]},
        "in a nest": {**rest, "@nest": {name: value}},
        "in a second object of the same id": {**rest, "endorsement": [inner]},
        "left out": rest,
        "with null in its place": {**rest, name: None},
    }


@pytest.mark.parametrize("how", hidden(badge(), "credentialStatus"))
def test_a_revocation_cannot_be_hidden_behind_another_way_of_saying_the_same(how: str) -> None:
    changed = hidden(json.loads(signed()), "credentialStatus")[how]
    report = verify(changed, material(1), NOW)
    assert report.verdict != "pass"
    if how == "in a list of one":
        assert report.check("status").code == "revoked"


@pytest.mark.parametrize("how", hidden(badge(valid_until=NOW + timedelta(days=1)), "validUntil"))
def test_an_end_cannot_be_hidden_behind_another_way_of_saying_the_same(how: str) -> None:
    changed = hidden(json.loads(signed(valid_until=NOW + timedelta(days=1))), "validUntil")[how]
    assert verify(changed, material(), NOW + timedelta(days=2)).verdict != "pass"


def test_what_a_document_says_of_itself_it_says_at_its_top() -> None:
    document = badge()
    document["endorsement"] = [{"id": document["id"], "type": ["Evidence"], "name": "a second place"}]
    with pytest.raises(CredentialError, match="in a second object"):
        prepare({**document, "type": ["VerifiableCredential"]})


def test_a_status_list_cannot_name_itself_past_the_check_of_its_address() -> None:
    document = list_document(LIST + "0", DID, StatusList(), valid_from=NOW)
    text = sign(prepare(document), KEY, METHOD, NOW).replace('{"id"', '{"@id"', 1).replace(',"id":', ',"@id":', 1)
    assert '"@id":"https://badges.example/status/10"' in text
    given = ResolvedInputs(material().did_documents, {LIST: text})
    assert outcome(signed(), given, "status") == ("unknown", "STATUS_VERIFICATION_ERROR")


def hostile_documents() -> dict[str, dict[str, Any]]:
    base = json.loads(signed())
    achievement = base["credentialSubject"]["achievement"]
    described = {"id": "urn:r", "type": ["ResultDescription"], "name": "x", "resultType": "Status"}

    def with_achievement(**parts: Any) -> dict[str, Any]:
        return {**base, "credentialSubject": {**base["credentialSubject"], "achievement": {**achievement, **parts}}}

    parents: Any = {"id": "urn:x:0", "type": ["Profile"]}
    for number in range(32):
        parents = {"id": f"urn:x:{number}", "type": ["Profile"], "parentOrg": parents}
    ring = [
        {"id": f"_:b{number}", "type": ["Evidence"], "endorsement": [{"id": f"_:b{(number + 1) % 60}"}]}
        for number in range(60)
    ]
    kinds = ("Achievement", "Profile", "Result", "Alignment", "Evidence", "VerifiablePresentation")
    return {
        "many values of one property": with_achievement(tag=[f"t{number}" for number in range(9000)]),
        "a long list of the same": with_achievement(resultDescription=[{**described, "allowedValue": ["a"] * 3000}]),
        "many that look alike": {**base, "evidence": [{"type": ["Evidence"], "name": "a"}] * 2000},
        "a ring of unnamed things": {**base, "endorsement": ring},
        "contexts without end": {**base, "@context": base["@context"] * 2000},
        "types without end": {**base, "type": base["type"] + list(kinds) * 1000},
        "things of many types": {
            **base,
            "endorsement": [
                {"id": f"urn:x:{number}", "type": [kinds[number * step % 6] for step in (1, 2, 3)]}
                for number in range(1500)
            ],
        },
        "parents of parents": {**base, "issuer": parents},
    }


@pytest.mark.parametrize("name", hostile_documents())
def test_what_is_costly_by_design_ends_soon_and_never_passes(name: str) -> None:
    started = time.process_time()
    assert verify(json.dumps(hostile_documents()[name]), material(), NOW).verdict != "pass"
    assert time.process_time() - started < 5


def test_a_poison_graph_ends_soon_as_unknown() -> None:
    # A clique of unnamed nodes that look alike from everywhere (RDF Dataset Canonicalization, section 7.1).
    names = [f"_:n{number}" for number in range(10)]
    clique = [
        {"id": name, "type": "Evidence", "endorsement": [{"id": other} for other in names if other != name]}
        for name in names
    ]
    document = {**json.loads(signed()), "evidence": clique}
    started = time.process_time()
    check = verify(document, material(), NOW).check("proof")
    assert time.process_time() - started < 10
    assert (check.outcome, check.code) == ("unknown", "too_symmetric")


@pytest.mark.parametrize(
    "name", ["@context", "type", "issuer", "credentialSubject", "credentialStatus", "proof", "id", "validFrom"]
)
@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        True,
        "",
        "x",
        [],
        {},
        [[]],
        [None],
        {"id": 5},
        {"@id": []},
        {"type": {}},
        {"@value": 1},
        ["@id"],
        "@type",
    ],
)
def test_nonsense_in_any_place_neither_passes_nor_raises(name: str, value: Any) -> None:
    assert verify({**json.loads(signed()), name: value}, material(), NOW).verdict != "pass"


def test_a_flipped_bit_anywhere_does_not_pass() -> None:
    text = signed().encode()
    given = material()
    # Every byte once, with a different bit each time; the property tests flip more.
    for place in range(0, len(text), 23):
        flipped = bytearray(text)
        flipped[place] ^= 1 << place % 7
        assert verify(bytes(flipped), given, NOW).verdict != "pass", place
