"""A credential is refreshed once, after it is proven; what its refresh service answers wrongly never passes for it."""

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given as example_data
from hypothesis import settings
from hypothesis import strategies as st

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.context_urls import OPEN_BADGES_EXTENSIONS
from libs.openbadges.status.bitstring import entry
from libs.openbadges.verify import Recipient, Report, ResolvedInputs, dependencies_of, verify
from libs.openbadges.verify.refresh import KIND, refresh_url
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge, material, signed, to_fetch
from tests.unit.test_openbadges_endorsements import CREDENTIAL, endorsed, endorsement
from tests.unit.test_openbadges_records import issued, record

SERVICE = "https://badges.example/refresh/1"
LATER = NOW + timedelta(days=1)


def refreshable(service: Any = None, *, number: int = 1, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(orjson.dumps(badge(number, **changes)))
    document["@context"].append(OPEN_BADGES_EXTENSIONS)
    return {**document, "refreshService": service or {"id": SERVICE, "type": KIND}}


def text_of(document: dict[str, Any]) -> str:
    return sign(prepare(document), KEY, METHOD, NOW)


FIRST = text_of(refreshable())
NEWER = text_of(refreshable(narrative="Now with honours.", valid_from=LATER))


def given(newer: Any, *revoked: int, address: str = SERVICE) -> ResolvedInputs:
    known = material(*revoked)
    return ResolvedInputs(known.did_documents, known.status_lists, {address: newer})


def found(report: Report) -> tuple[str, str, str]:
    check = report.check("refresh")
    return report.verdict, check.outcome, check.code


def test_a_credential_that_names_no_refresh_service_says_so() -> None:
    assert found(verify(signed(), material(), NOW)) == ("pass", "pass", "refresh_none")
    assert dependencies_of(signed()).refreshed == frozenset()


def test_the_newer_edition_is_asked_for_and_is_what_is_verified() -> None:
    assert to_fetch(dependencies_of(FIRST)) == ({DID}, {LIST}, {SERVICE})
    report = verify(FIRST, given(NEWER), LATER)
    assert found(report) == ("pass", "pass", "refreshed"), report.to_dict()
    assert report.credential is not None
    assert report.credential["credentialSubject"]["narrative"] == "Now with honours."


def test_without_its_newer_edition_the_credential_counts_as_it_is() -> None:
    # Open Badges 3.0: "If the refresh is not successful, continue the verification process using the original".
    report = verify(FIRST, material(), NOW)
    assert found(report) == ("pass", "pass", "refresh_unavailable")
    assert SERVICE in report.check("refresh").message


def test_dates_and_status_are_those_of_the_newer_edition() -> None:
    ended = text_of(refreshable(valid_until=LATER))
    assert verify(ended, material(), LATER).check("dates").code == "expired"
    assert found(verify(ended, given(NEWER), LATER)) == ("pass", "pass", "refreshed")
    assert verify(FIRST, given(NEWER), NOW).check("dates").code == "not_yet_valid"
    moved = text_of(refreshable(status=entry(LIST, 55), valid_from=LATER))
    assert verify(FIRST, given(moved, 1), LATER).verdict == "pass"
    assert verify(FIRST, given(moved, 55), LATER).check("status").code == "revoked"


def test_a_newer_edition_may_have_needs_of_its_own() -> None:
    other = "https://badges.example/status/2"
    moved = text_of(refreshable(status=entry(other, 5), valid_from=LATER))
    assert dependencies_of(FIRST, {SERVICE: moved}).status_lists == {LIST, other}
    assert found(verify(FIRST, given(moved), LATER)) == ("unknown", "pass", "refreshed")


def test_it_is_refreshed_once_and_never_in_a_chain() -> None:
    second = "https://badges.example/refresh/2"
    middle = text_of(refreshable({"id": second, "type": KIND}, valid_from=LATER))
    last = text_of(refreshable(narrative="The last one.", valid_from=LATER))
    lists = material()
    assert dependencies_of(FIRST, {SERVICE: middle}).refreshed == {SERVICE}
    chain = ResolvedInputs(lists.did_documents, lists.status_lists, {SERVICE: middle, second: last})
    report = verify(FIRST, chain, LATER)
    assert found(report) == ("pass", "pass", "refreshed")
    assert report.credential is not None
    assert "narrative" not in report.credential["credentialSubject"]


def stranger(document: dict[str, Any]) -> str:
    key = Ed25519Key.from_seed(b"s" * 32)
    document["issuer"]["id"] = did_key(key.public_multibase)
    return sign(prepare(document), key, verification_method(document["issuer"]["id"], key.public_multibase), NOW)


@pytest.mark.parametrize(
    ("answered", "code"),
    [
        (stranger(refreshable(valid_from=LATER)), "refresh_issuer"),
        (text_of(refreshable(number=2, valid_from=LATER)), "refresh_id"),
        (text_of(refreshable(subject_id="urn:x:somebody-else", valid_from=LATER)), "refresh_subject"),
        (text_of(refreshable(valid_from=NOW - timedelta(days=1))), "refresh_older"),
        (NEWER.replace("honours", "fanfare"), "refresh_unproven"),
        (json.dumps(refreshable()), "refresh_unproven"),
        ("<html>sorry</html>", "refresh_unread"),
        (b"\x89PNG\r\n\x1a\nxxxx", "refresh_unread"),
        ("{}", "refresh_id"),
        ("[]", "refresh_unread"),
        ('{"x":' * 5_000, "refresh_unread"),
        ("x" * 3_000_000, "refresh_unread"),
    ],
    ids=lambda one: one if isinstance(one, str) and one.startswith("refresh_") else "",
)
def test_an_answer_that_is_no_newer_edition_leaves_the_credential_as_it_is_and_is_no_pass(
    answered: Any, code: str
) -> None:
    report = verify(FIRST, given(answered), LATER)
    assert found(report) == ("unknown", "unknown", code)
    assert report.credential == json.loads(FIRST)
    assert {check.name for check in report.checks if check.outcome != "pass"} == {"refresh"}


def test_a_credential_that_is_not_proven_leads_nowhere() -> None:
    forged = FIRST.replace("Raft building", "Moon landing")
    assert found(verify(forged, given(NEWER), LATER)) == ("fail", "unknown", "refresh_not_tried")
    unheard = ResolvedInputs({}, {}, {SERVICE: NEWER})
    assert found(verify(FIRST, unheard, LATER)) == ("unknown", "unknown", "refresh_not_tried")


def test_a_service_of_another_kind_is_not_used() -> None:
    other = {"id": SERVICE, "type": "ManualRefreshService2018"}
    assert refresh_url({"refreshService": other}) is None
    several = {"refreshService": [other, {"id": "https://x.example/2", "type": ["x", KIND]}]}
    assert refresh_url(several) == "https://x.example/2"


@pytest.mark.parametrize("service", [None, 5, "x", [], [None], [[]], {"type": KIND}, {"id": 5, "type": KIND}])
def test_nonsense_for_a_refresh_service_raises_nothing(service: Any) -> None:
    document = json.dumps({**json.loads(FIRST), "refreshService": service})
    assert dependencies_of(document).refreshed == frozenset()
    assert verify(document, given(NEWER), LATER).verdict != "pass"


def test_a_credential_does_not_become_a_record_around_itself() -> None:
    around = record(record_id=badge()["id"], subject_id=badge()["credentialSubject"]["id"], credentials=[FIRST])
    text = issued(record(credentials=[FIRST]))
    answers = given(json.dumps(around))
    assert dependencies_of(text, answers.refreshed).refreshed == {SERVICE}
    report = verify(text, answers, LATER)
    assert found(report.embedded[0]) == ("unknown", "unknown", "refresh_type")
    assert found(verify(FIRST, answers, LATER)) == ("unknown", "unknown", "refresh_type")


def test_whom_it_is_about_is_asked_of_the_newer_edition() -> None:
    learner = badge()["credentialSubject"]["id"]
    assert verify(FIRST, given(NEWER), LATER, recipient=Recipient(learner)).verdict == "pass"


def test_credentials_in_a_record_and_endorsements_are_refreshed_too() -> None:
    text = issued(record(credentials=[FIRST]))
    assert dependencies_of(text).refreshed == {SERVICE}
    report = verify(text, given(NEWER), LATER)
    assert found(report.embedded[0]) == ("pass", "pass", "refreshed")
    held = endorsement(refreshService={"id": SERVICE, "type": KIND}, **{"@context": refreshable()["@context"]})
    newer = endorsement(validFrom="2026-03-06T00:00:00Z")
    text = endorsed(held)
    assert dependencies_of(text).refreshed == {SERVICE}
    report = verify(text, given(json.dumps(newer)), NOW)
    assert found(report.endorsements[0].report) == ("pass", "pass", "refreshed")
    other = endorsement(id="urn:x:other")
    report = verify(text, given(json.dumps(other)), NOW)
    assert found(report.endorsements[0].report) == ("unknown", "unknown", "refresh_id")
    assert CREDENTIAL in text


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for key, value in below for found in places(value, (*path, key)))]


ALL_OF_IT = json.loads(
    text_of(
        {
            **refreshable(),
            "endorsement": [
                endorsement(refreshService={"id": SERVICE, "type": KIND}, **{"@context": refreshable()["@context"]}),
                endorsement(id="urn:x:2"),
            ],
        }
    )
)
NONSENSE: tuple[Any, ...] = (
    None,
    5,
    1e300,
    "",
    "x",
    "\ud800",
    [],
    {},
    [None],
    {"id": []},
    {"type": ["EndorsementCredential"]},
)


@settings(max_examples=60, deadline=None)
@example_data(st.data(), st.sampled_from(NONSENSE))
def test_nonsense_anywhere_in_an_endorsed_and_refreshed_credential_raises_nothing(
    data: st.DataObject, nonsense: Any
) -> None:
    document = orjson.loads(orjson.dumps(ALL_OF_IT))
    *way, last = data.draw(st.sampled_from([path for path in places(document) if path]))
    node = document
    for step in way:
        node = node[step]
    node[last] = nonsense
    answers = {SERVICE: json.dumps(document)}
    dependencies_of(document, answers)
    for given_document, newer in ((document, NEWER), (json.loads(FIRST), answers[SERVICE])):
        # An empty list says nothing: what stands twice is still said, and RDF is signed as a set of statements.
        assert verify(given_document, given(newer), LATER).verdict != "pass" or nonsense == []
    report = verify(document, given(NEWER), LATER, recipient=Recipient("a@example.com"))
    assert json.dumps(report.to_dict())
