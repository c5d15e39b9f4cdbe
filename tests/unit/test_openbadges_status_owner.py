"""Whose status list may say that a credential was not taken back: its issuer's, or that of its URL's owner."""

import json
from typing import Any
from uuid import uuid4

import pytest

from libs.openbadges.crypto.did import did_document, did_web, stands_below, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.status.bitstring import StatusList, list_document
from libs.openbadges.trust import Publications
from libs.openbadges.verify import Check, ResolvedInputs, status_list_signers, verify
from tests.verifier_doubles import AUTHORITY_KEY, ISSUED, NOW, PUBLIC, School

SCHOOL, OTHER = School(), School("Banksia College", slug="banksia")
OTHER.key = Ed25519Key.from_seed(b"o" * 32)
STRANGER, STRANGER_KEY = "did:web:stranger.example", Ed25519Key.from_seed(b"s" * 32)
AUTHORITY = SCHOOL.authority
BADGE_ID = uuid4()
BADGE = SCHOOL.badge(BADGE_ID, index=7)

KEYS = {
    SCHOOL.did: did_document(SCHOOL.did, SCHOOL.key.public_multibase),
    OTHER.did: did_document(OTHER.did, OTHER.key.public_multibase),
    STRANGER: did_document(STRANGER, STRANGER_KEY.public_multibase),
    AUTHORITY: did_document(AUTHORITY, AUTHORITY_KEY.public_multibase),
}


def listed(signer: str, key: Ed25519Key, *revoked: int, url: str = SCHOOL.list_url, **changes: Any) -> str:
    statuses = StatusList()
    for index in revoked:
        statuses.set(index)
    document = list_document(url, signer, statuses, valid_from=ISSUED, **changes)
    return sign(prepare(document), key, verification_method(signer, key.public_multibase), ISSUED)


def status(text: str, badge: str = BADGE, url: str = SCHOOL.list_url) -> Check:
    return verify(badge, ResolvedInputs(KEYS, {url: text}), NOW).check("status")


def test_the_list_of_the_authority_whose_address_it_stands_at_tells_of_the_badges_of_its_schools() -> None:
    assert status(listed(AUTHORITY, AUTHORITY_KEY)).code == "not_set"
    assert status(listed(AUTHORITY, AUTHORITY_KEY, 7)).code == "revoked"
    assert status(listed(AUTHORITY, AUTHORITY_KEY, 8)).code == "not_set"


def test_an_issuers_own_list_tells_of_its_badges_as_before() -> None:
    assert status(listed(SCHOOL.did, SCHOOL.key)).code == "not_set"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(listed(STRANGER, STRANGER_KEY), id="a stranger's list under our URL"),
        pytest.param(listed(OTHER.did, OTHER.key), id="a school's list for another school's badges"),
        pytest.param(listed(AUTHORITY, STRANGER_KEY), id="a stranger's list that names the authority"),
        pytest.param(listed(AUTHORITY, OTHER.key), id="another school's key in the authority's name"),
        pytest.param(
            listed(AUTHORITY, AUTHORITY_KEY, url=f"{PUBLIC}/status/1790000000-9"),
            id="the authority's list of another URL",
        ),
        pytest.param(
            listed(AUTHORITY, AUTHORITY_KEY, purpose="suspension"), id="the authority's list for another purpose"
        ),
        pytest.param(listed(AUTHORITY, AUTHORITY_KEY, valid_until=ISSUED), id="the authority's list that has ended"),
    ],
)
def test_nobody_else_hides_a_revocation(text: str) -> None:
    found = status(text)
    assert (found.outcome, found.code) == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_a_badge_that_names_a_list_elsewhere_is_told_of_by_the_owner_of_that_address_alone() -> None:
    url = "https://stranger.example/lists/1"
    entry = {
        "id": f"{url}#7",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": url,
    }
    badge = SCHOOL.badge(BADGE_ID, status=entry)
    assert status(listed(STRANGER, STRANGER_KEY, url=url), badge, url).code == "not_set"
    for signer, key in ((AUTHORITY, AUTHORITY_KEY), (OTHER.did, OTHER.key)):
        assert status(listed(signer, key, url=url), badge, url).outcome == "unknown"


def test_where_it_is_known_who_issues_here_our_list_tells_of_no_strangers_badge() -> None:
    strangers = json.dumps({**json.loads(BADGE), "issuer": {"id": STRANGER, "type": ["Profile"]}})
    ours = Publications(f"{PUBLIC}/", frozenset({AUTHORITY, SCHOOL.did}))
    for revoked, told in (((), ["unknown", "pass"]), ((7,), ["fail", "fail"])):
        lists = {SCHOOL.list_url: listed(AUTHORITY, AUTHORITY_KEY, *revoked)}
        inputs = ResolvedInputs(KEYS, lists, publications=ours)
        assert [verify(each, inputs, NOW).check("status").outcome for each in (strangers, BADGE)] == told


PATH = f"/{SCHOOL.list_url.split('/', 3)[3]}"
HOST = PUBLIC.removeprefix("https://")


@pytest.mark.parametrize(
    "url",
    [
        f"HTTPS://{HOST.upper()}{PATH}",
        f"https://{HOST}:443{PATH}",
        f"https://{HOST}.{PATH}",
        f"https://{HOST}/x/..{PATH}",
        f"https://{HOST}/.{PATH}",
        f"https://{HOST}/%73{PATH[2:]}",
        f"https://%{ord(HOST[0]):x}{HOST[1:]}{PATH}",
        f"http://{HOST}{PATH}",
        f"https:/{HOST}{PATH}",
        f"https://nobody@{HOST}{PATH}",
        f"https://{HOST}/{PATH}",
        f"https://{HOST}{PATH}?",
        f"https://{HOST}{PATH}#7",
    ],
)
@pytest.mark.parametrize("issuer", [STRANGER, SCHOOL.did])
@pytest.mark.parametrize("kind", ["BitstringStatusListEntry", "1EdTechRevocationList"])
def test_a_list_of_ours_that_is_named_in_another_spelling_fails(url: str, issuer: str, kind: str) -> None:
    badge = json.loads(BADGE)
    entry = {**badge["credentialStatus"], "id": url, "type": kind, "statusListCredential": url}
    signed = json.dumps({**badge, "issuer": {"id": issuer, "type": ["Profile"]}, "credentialStatus": [entry]})
    ours = Publications(f"{PUBLIC}/", frozenset({AUTHORITY, SCHOOL.did}))
    inputs = ResolvedInputs(KEYS, {SCHOOL.list_url: listed(AUTHORITY, AUTHORITY_KEY)}, publications=ours)
    found = verify(signed, inputs, NOW).check("status")
    assert (found.outcome, found.code) == ("fail", "status_foreign")


def test_a_list_that_only_resembles_our_address_is_somebody_elses() -> None:
    ours = Publications(f"{PUBLIC}/", frozenset({AUTHORITY}))
    for url in (SCHOOL.list_url, f"https://{HOST}.evil.example{PATH}", f"https://evil.example/{PUBLIC}{PATH}", "urn:x"):
        assert not ours.misspells(url)


@pytest.mark.parametrize(
    ("url", "did", "expected"),
    [
        ("https://state.example/status/1", "did:web:state.example", True),
        ("https://state.example/badges/status/1", "did:web:state.example:badges", True),
        ("http://127.0.0.1:8103/status/1", "did:web:127.0.0.1%3A8103", True),
        ("https://state.example/status/1", "did:web:state.example:issuers:wattle", False),
        ("https://state.example/badges-of-mine/1", "did:web:state.example:badges", False),
        ("https://state.example.evil/status/1", "did:web:state.example", False),
        ("https://state.example@evil.example/status/1", "did:web:state.example", False),
        ("https://state.example:8443/status/1", "did:web:state.example", False),
        ("https://state.example/issuers/wattle/../../status/1", "did:web:state.example:issuers:wattle", False),
        ("https://state.example/issuers%2Fwattle/1", "did:web:state.example:issuers%2Fwattle", False),
        ("https://state.example\\@evil.example/1", "did:web:state.example", False),
        ("https://evil.example/https://state.example/1", "did:web:state.example", False),
        ("https://state.example/status/1", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", False),
        ("https://state.example/status/1", "did:web:", False),
        ("https://state.example/issuers/wattle/.\t./status/1", "did:web:state.example:issuers:wattle", False),
        ("https://[::1/status/1", "did:web:state.example", False),
        ("urn:uuid:1", "did:web:state.example", False),
    ],
)
def test_a_did_web_owns_what_lies_below_its_address_and_nothing_else(url: str, did: str, expected: bool) -> None:
    assert stands_below(url, did) == expected


def test_whose_keys_are_needed_for_lists_is_told_of_owners_alone() -> None:
    lists = {
        SCHOOL.list_url: listed(AUTHORITY, AUTHORITY_KEY),
        f"{PUBLIC}/status/2": listed(STRANGER, STRANGER_KEY),
        f"{PUBLIC}/status/3": "not a list",
        "https://stranger.example/1": listed(STRANGER, STRANGER_KEY, url="https://stranger.example/1"),
    }
    assert status_list_signers(lists) == {AUTHORITY, STRANGER}
    assert did_web(PUBLIC) == AUTHORITY
