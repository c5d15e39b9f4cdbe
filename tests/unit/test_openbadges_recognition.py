"""A secured credential that is known by its text is taken for exactly what reading it would find, or is read."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.openbadges.integrity.recognition import Recognizer
from libs.openbadges.integrity.suites import Suites
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.specialised import FIRST_DUE, family_of
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.verify import open_document, verify, verify_all
from tests.unit.openbadges_samples import KEY, METHOD, NOW, badge, material, signed
from tests.unit.test_openbadges_templates import EXAMPLES, MUTANTS, property_of_templates

BYTES = [
    b'"', b"\\", b"\\u0041", b"\\/", b"\\n", b"\\\\", b"\x00", b"\x1f", b"\n", b"\x7f", b"\xff", b"\xc3",
    b"\xed\xa0\x80", "é".encode(), "\u2028".encode(), b"%", b"%b", b" ", b"{", b"}", b"]", b",", b":", b"null",
    b"1e3", b"NaN", b"x",
    b',"proof":{', b',"proofValue":"', b'"}}', b'"id":"', b',"id":"urn:x:1"', b"urn:uuid:", b"https://", b"//",
]  # fmt: skip


@cache
def warm() -> Suites:
    """Suites that know a specialised template of the sample's badges by text."""
    suites = Suites()
    for number in range(FIRST_DUE + 4):
        suites.canonical(badge(number))
    return suites


def recognizer() -> Recognizer:
    return Recognizer(warm().templates)


def text(number: int = 700, cryptosuite: str = "eddsa-rdfc-2022") -> bytes:
    return sign(prepare(badge(number)), KEY, METHOD, NOW, cryptosuite=cryptosuite).encode()


def check(raw: bytes) -> bool:
    """Whether a text is known; if it is, that reading it finds the same, and refuses nothing of it."""
    found = recognizer().recognize(raw)
    if found is None:
        return False
    unsecured, options, value = found
    document = parse(raw)
    assert orjson.dumps(document) == raw
    assert document.pop("proof") == {**options, "proofValue": value}
    assert unsecured.document == document
    assert unsecured.contexts == document["@context"]
    assert unsecured.rdf_hash() == hashlib.sha256(canonicalize(document).encode()).digest()
    Suites().canonical(document)
    return True


def changed(draw: Callable[..., Any], raw: bytes) -> bytes:
    """Change a text somewhere: a byte, a piece more, a piece less, a piece of it once more."""
    place: int = draw(st.integers(0, len(raw) - 1))
    end: int = place + draw(st.integers(1, 400))
    piece: bytes = draw(st.sampled_from(BYTES))
    byte: bytes = draw(st.binary(min_size=1, max_size=1))
    return draw(  # type: ignore[no-any-return]  # hypothesis says nothing of what it draws
        st.sampled_from(
            [
                raw[:place] + byte + raw[place + 1 :],
                raw[:place] + piece + raw[place:],
                raw[:place] + raw[end:],
                raw[:place] + piece + raw[end:],
                raw[:end] + raw[place:],
            ]
        )
    )


def test_whatever_is_known_by_its_text_is_what_reading_it_finds() -> None:
    known = Counter[bool]()

    @settings(property_of_templates, max_examples=EXAMPLES // 4)
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        raw = text(data.draw(st.integers(0, 999)), data.draw(st.sampled_from(["eddsa-rdfc-2022", "eddsa-jcs-2022"])))
        assert check(raw)
        for _ in range(MUTANTS):
            known[check(changed(data.draw, raw))] += 1

    compare()
    assert known[True] > 0 < known[False], known


def test_a_text_between_quotes_may_be_anything_that_json_may_have_there() -> None:
    known = Counter[bool]()

    @property_of_templates
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        document = badge(data.draw(st.integers(0, 999)))
        document["credentialSubject"]["id"] = "urn:uuid:" + data.draw(st.text(max_size=8))
        document["evidence"][1]["narrative"] = data.draw(st.text(max_size=20))
        proof = {"type": "DataIntegrityProof", "created": data.draw(st.text(max_size=8)), "proofValue": "z1"}
        whole = {**document, "proof": proof}
        for raw in (
            orjson.dumps(whole),
            json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"),
            json.dumps(whole, separators=(",", ":")).encode(),
        ):
            known[check(raw)] += 1

    compare()
    assert known[True] > 0 < known[False], known


RAW = text()


def with_proof(proof: bytes) -> bytes:
    return RAW[: RAW.rfind(b',"proof":')] + b',"proof":' + proof + b"}"


PROOF = RAW[RAW.rfind(b',"proof":') + len(b',"proof":') : -1]
NARRATIVE = b"Wrote 700 pages about the week."


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(RAW + b" ", id="space behind it"),
        pytest.param(RAW + b"}", id="a bracket behind it"),
        pytest.param(b" " + RAW, id="space before it"),
        pytest.param(b"\xef\xbb\xbf" + RAW, id="a byte order mark before it"),
        pytest.param(RAW.replace(b'"proofPurpose"', b' "proofPurpose"'), id="space in its proof"),
        pytest.param(RAW[:-1] + b',"proof":' + PROOF + b"}", id="two proofs under one name"),
        pytest.param(with_proof(b"[" + PROOF + b"]"), id="a list of proofs"),
        pytest.param(with_proof(b"{}"), id="an empty proof"),
        pytest.param(with_proof(b'{"proofValue":"z1"}'), id="a proof that is only its value"),
        pytest.param(with_proof(b'{,"proofValue":"z1"}'), id="a comma before the value"),
        pytest.param(with_proof(PROOF.replace(b'{"type"', b'{"a":{"b":"c"},"type"')), id="an object in its proof"),
        pytest.param(with_proof(PROOF.replace(b'{"type"', b'{"type":"x","type"')), id="a name twice in its proof"),
        pytest.param(with_proof(PROOF.replace(b"{", b'{"proofValue":"z2",', 1)), id="two values in its proof"),
        pytest.param(with_proof(PROOF.replace(b'"proofValue":"z', b'"proofValue":"\\u007a')), id="an escaped value"),
        pytest.param(with_proof(PROOF.replace(b'"proofValue":"z', b'"proofValue":"z\\"')), id="a quote in its value"),
        pytest.param(with_proof(PROOF.replace(b'"proofValue":"', b'"proofValue":"\xc3\xa9')), id="a letter é there"),
        pytest.param(with_proof(PROOF.replace(b'{"type"', b'{"a":1e3,"type"')), id="a number written otherwise"),
        pytest.param(with_proof(PROOF.replace(b'{"type"', b'{"a":NaN,"type"')), id="no number"),
        pytest.param(
            with_proof(PROOF.replace(b'{"type"', b'{"a":' + b"[" * 3000 + b"]" * 3000 + b',"type"')), id="depth"
        ),
        pytest.param(RAW.replace(NARRATIVE, b"a\\u0062c"), id="an escape that needs none"),
        pytest.param(RAW.replace(NARRATIVE, b"a\\/c"), id="an escaped slash"),
        pytest.param(RAW.replace(NARRATIVE, b"a\nc"), id="a line feed as it is"),
        pytest.param(RAW.replace(NARRATIVE, b"a\x7fc"), id="a delete as it is"),
        pytest.param(RAW.replace(NARRATIVE, b"a\xffc"), id="no UTF-8"),
        pytest.param(RAW.replace(NARRATIVE, b"a\xed\xa0\x80c"), id="half a surrogate pair in UTF-8"),
        pytest.param(RAW.replace(NARRATIVE, b"a\\"), id="a backslash before the quote"),
        pytest.param(RAW.replace(NARRATIVE, b""), id="an empty text"),
        pytest.param(RAW.replace(NARRATIVE, b'a","b":"c'), id="a pair more"),
    ],
)
def test_what_another_reader_could_take_otherwise_is_not_known_by_its_text(raw: bytes) -> None:
    assert recognizer().recognize(RAW) is not None
    assert raw != RAW
    assert recognizer().recognize(raw) is None


def test_halves_of_a_character_in_two_values_make_no_whole_one() -> None:
    suites = Suites()
    for number in range(FIRST_DUE + 4):
        suites.canonical(two_texts(f"é {number}", f"é {number}"))
    whole = orjson.dumps({**two_texts("Reflexión", "é"), "proof": orjson.loads(PROOF)})
    halved = whole.replace("Reflexión".encode(), b"Reflexi\xc3").replace('"é"'.encode(), b'"\xb3"')
    assert Recognizer(suites.templates).recognize(whole) is not None
    assert Recognizer(suites.templates).recognize(halved) is None


def two_texts(name: str, narrative: str) -> dict[str, Any]:
    document = badge(1)
    document["evidence"][1] |= {"name": name, "narrative": narrative}
    return document


def test_an_envelope_is_no_credential_though_its_text_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def enveloped(number: int) -> dict[str, Any]:
        document = badge(number)
        return {**document, "type": [*document["type"], "EnvelopedVerifiableCredential"]}

    suites = Suites()
    for number in range(FIRST_DUE + 4):
        suites.canonical(enveloped(number))
    monkeypatch.setattr("libs.openbadges.verify.opening.RECOGNIZER", Recognizer(suites.templates))
    raw = orjson.dumps({**enveloped(700), "proof": orjson.loads(PROOF)})
    assert Recognizer(suites.templates).recognize(raw) is not None
    with pytest.raises(CredentialError):
        open_document(raw)


@pytest.mark.parametrize("place", ["subject", "constant"])
def test_a_document_that_says_something_of_itself_elsewhere_is_read_and_refused(place: str) -> None:
    document = badge(701)
    if place == "subject":
        document["credentialSubject"]["id"] = document["id"]
    else:
        document["id"] = document["credentialSubject"]["achievement"]["id"]
    raw = orjson.dumps({**document, "proof": orjson.loads(PROOF)})
    assert recognizer().recognize(raw) is None
    with pytest.raises(CredentialError, match="in a second object"):
        warm().canonical(document)


def test_documents_with_proofs_in_them_have_no_specialised_template() -> None:
    """A chained proof signs the proofs before it: without one of its own, the document has a proof all the same."""
    templates = TemplateCache()
    proof = orjson.loads(PROOF)
    for number in range(2 * FIRST_DUE):
        document = {**badge(number), "proof": [{**proof, "id": f"urn:uuid:{number}"}]}
        templates.read(document, orjson.dumps(document))
    assert templates.specialised.find(orjson.dumps(document)) is None


def test_options_are_remembered_only_so_many_and_only_short_ones() -> None:
    suites = Suites()
    for number in range(FIRST_DUE + 4):
        suites.canonical(badge(number))
    recognizer = Recognizer(suites.templates)
    for number in range(2_000):
        assert recognizer.recognize(with_proof(PROOF.replace(b'{"type"', b'{"a":"%d","type"' % number))) is not None
    assert len(recognizer._options) <= 256
    assert recognizer.recognize(with_proof(PROOF.replace(b'{"type"', b'{"a":"%b","type"' % (b"x" * 5_000)))) is None


def test_what_is_done_to_an_opened_document_changes_nothing_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.openbadges.verify.opening.RECOGNIZER", recognizer())
    texts = [text(900, "eddsa-jcs-2022"), text(901, "eddsa-jcs-2022")]
    opened = open_document(texts[0])
    assert opened.canonical is not None
    opened.document["proof"]["proofPurpose"] = "authentication"
    opened.document["proof"]["@context"].append("https://hostile.example/")
    opened.document["@context"].append("https://hostile.example/")
    opened.document["credentialSubject"]["achievement"]["name"] = "Another"
    assert verify(texts[0], material(), NOW).verdict == "pass"
    assert verify(texts[1], material(), NOW).verdict == "pass"


def test_a_batch_is_judged_one_by_one() -> None:
    good = [signed(number) for number in range(4)]
    texts = [good[0], "no credential", good[1].replace("Reflection", "Reflexion"), good[2], good[0]]
    together = verify_all(texts, material(), NOW)
    assert [report.to_dict() for report in together] == [verify(one, material(), NOW).to_dict() for one in texts]
    assert [report.verdict for report in together] == ["pass", "fail", "fail", "pass", "pass"]
    assert verify_all([], material(), NOW) == []


def alike(value: str) -> dict[str, Any]:
    """A credential of two subjects with nine results each, which only their values tell apart."""
    subjects = [
        {
            "type": ["AchievementSubject"],
            "licenseNumber": value.format(subject),
            "result": [{"type": ["Result"], "value": value.format(f"{subject}.{number}")} for number in range(9)],
        }
        for subject in range(2)
    ]
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "urn:x:1",
        "type": ["VerifiableCredential"],
        "issuer": METHOD.partition("#")[0],
        "validFrom": "2026-03-06T09:30:00Z",
        "credentialSubject": subjects,
    }


def test_what_is_too_alike_for_rdf_is_judged_the_same_whether_its_template_is_known_or_not() -> None:
    symmetric = alike("one")
    cold, warmed = Suites(), Suites()
    for turn in range(4):
        warmed.canonical(alike(f"{{}} in turn {turn}"))
    for suites in (cold, warmed):
        taken = suites.canonical(symmetric)
        assert taken.json_hash() == hashlib.sha256(orjson.dumps(symmetric, option=orjson.OPT_SORT_KEYS)).digest()
        with pytest.raises(LimitError):
            taken.rdf_hash()
    for _ in range(3):
        with pytest.raises(LimitError):
            prepare(symmetric)
        prepare(alike("{}"))


@pytest.mark.parametrize(
    "document",
    [
        {"https://foo.example/p": "x"},
        {"@context": [CREDENTIALS_V2], "name": []},
        {"@context": [CREDENTIALS_V2], "https://a.example/p": []},
    ],
)
@pytest.mark.parametrize("cryptosuite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_documents_without_contexts_or_statements_are_no_credentials_however_often_they_come(
    document: dict[str, Any], cryptosuite: str
) -> None:
    raw = orjson.dumps({**document, "proof": {**orjson.loads(PROOF), "cryptosuite": cryptosuite}})
    reports = [verify(raw, material(), NOW).to_dict() for _ in range(FIRST_DUE + 4)]
    assert {report["verdict"] for report in reports} == {"fail"}
    assert reports == [reports[0]] * len(reports)


@pytest.mark.parametrize(
    ("written", "family"),
    [
        (b'{"achievement":{"id":"urn:x:1"}}', b"urn:x:1"),
        (b'{"achievement":{"creator":{"id":"urn:x:2"}}}', b"urn:x:2"),
        (b'{"achievement":{}}', b""),
        (b'{"id":"urn:x:1"}', b""),
        (b'{"achievement":"x","id":"urn:x:1"}', b""),
        (b"", b""),
    ],
)
def test_families_are_named_by_the_first_identifier_in_the_achievement(written: bytes, family: bytes) -> None:
    assert family_of(written) == family
