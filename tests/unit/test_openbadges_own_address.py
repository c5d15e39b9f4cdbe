"""An id below the public address of an installation is one that it gave, or the check `publication` fails."""

from typing import Any

import orjson
import pytest

from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents import Profile
from libs.openbadges.status.bitstring import StatusList, list_document
from tests.unit.openbadges_samples import DID, KEY, METHOD, NOW, badge
from tests.unit.test_openbadges_signer import (
    BASE,
    HOME,
    ID,
    OWN,
    STRANGER,
    STRANGERS_DID,
    STRANGERS_METHOD,
    known,
    own,
    publication,
    published,
    report_on,
    resigned,
    strangers,
)

SOFT_HYPHEN = "\u00ad"


def strangers_signature(document: dict[str, Any]) -> str:
    return sign(prepare(document), STRANGER, STRANGERS_METHOD, NOW)


def of_issuer(issuer: str) -> str:
    document = {**badge(status=None), "id": "https://x.example/1"}
    document["issuer"] = {**document["issuer"], "id": issuer}
    return resigned(document)


@pytest.mark.parametrize(
    "place",
    [
        "https://badges.example/credentials/7",
        "https://badges.example",
        "HTTPS://Badges.Example:443/Status/1#7",
        "http://badges.example//badges/../x",
        "https:badges.example/achievements/wattle/teamwork/1",
        "did:web:badges.example:badges:7",
        "did:web:BADGES.example%3A443:7",
        f"https://{'a' * 3000}@badges.example/7",
        f"https://badges.example{SOFT_HYPHEN * 3000}/7",
        f"https://badges.example/7?{'a' * 3000}",
    ],
    ids=range(10),
)
def test_a_stranger_whose_id_stands_anywhere_below_our_address_fails(place: str) -> None:
    ours = published(OWN)
    assert publication(strangers(id=place), ours) == ("fail", "publication_foreign")
    assert publication(strangers(id=place), published(texts={}, available=False))[0] == "unknown"
    assert publication(resigned(own(id=place)), ours) == ("unknown", "publication_missing")


def test_a_strangers_status_list_below_our_address_fails() -> None:
    listing = list_document(f"{HOME}status/7", STRANGERS_DID, StatusList(), valid_from=NOW, purpose="revocation")
    assert publication(strangers_signature(listing), published(OWN)) == ("fail", "publication_foreign")


@pytest.mark.parametrize("place", ["credential", "issuer", "achievement"])
def test_a_strangers_endorsement_below_our_address_does_not_hold_up(place: str) -> None:
    document = orjson.loads(orjson.dumps(own()))
    achievement = document["credentialSubject"]["achievement"]
    on = {"credential": document, "issuer": document["issuer"], "achievement": achievement}[place]
    word = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": f"{HOME}words/7",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "A word for it",
        "issuer": {"id": STRANGERS_DID, "type": ["Profile"], "name": "Department of Education"},
        "validFrom": "2026-03-01T00:00:00Z",
        "credentialSubject": {"id": on["id"], "type": ["EndorsementSubject"]},
    }
    on["endorsement"] = [orjson.loads(strangers_signature(word))]
    text = sign(prepare(document), KEY, METHOD, NOW)
    report = report_on(text, known(), publications=published(text))
    assert (report.verdict, report.check("publication").code) == ("unknown", "published")
    assert report.check("endorsement").code == "endorsement_invalid"
    assert report.endorsements[0].report.check("publication").code == "publication_foreign"


def test_a_strangers_badge_below_our_address_fails_within_a_learner_record() -> None:
    document = record_document(
        record_id="urn:uuid:5b1f0b52-0000-4000-8000-000000000001",
        issuer=Profile(id=STRANGERS_DID, name="Banksia College"),
        subject_id="urn:uuid:7d2f8c51-11aa-4c39-8f0e-000000000001",
        name="All badges",
        valid_from=NOW,
        credentials=[strangers(id=f"{HOME}credentials/7")],
    )
    report = report_on(strangers_signature(document), known(), publications=published(OWN))
    assert report.check("publication").code == "publication_elsewhere"
    assert [one.check("publication").code for one in report.embedded] == ["publication_foreign"]
    assert report.verdict == "fail"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://badges.example/issuers/wattle",
        "https://BADGES.example:443/",
        "did:web:badges.example",
        "did:web:Badges.Example:issuers:wattle",
        "did:web:badges.example%3A443:issuers:wattle",
        "did:web:badges.example:schools:wattle",
    ],
)
def test_an_issuer_that_writes_itself_below_our_address_and_is_not_registered_fails(issuer: str) -> None:
    assert publication(of_issuer(issuer), published(OWN)) == ("fail", "issuer_foreign")


def test_an_issuer_that_may_have_been_registered_a_moment_ago_does_not_fail_for_its_id() -> None:
    found = publication(of_issuer("did:web:badges.example:issuers:new"), published(OWN))
    assert found == ("pass", "publication_elsewhere")


def test_a_registered_issuer_keeps_its_id_below_our_address() -> None:
    ours = "did:web:badges.example:issuers:wattle"
    found = publication(of_issuer(ours), published(OWN, issuers=frozenset({DID, ours})))
    assert found == ("unknown", "publication_missing")


def test_what_shares_only_the_host_of_an_installation_below_a_path_is_elsewhere() -> None:
    below = published(OWN, home="https://badges.example/state/")
    assert publication(strangers(id="https://badges.example/1"), below) == ("pass", "publication_elsewhere")
    assert publication(strangers(id="https://badges.example/state/1"), below) == ("fail", "publication_foreign")
    assert publication(strangers(id="did:web:badges.example:state:1"), below) == ("fail", "publication_foreign")
    assert publication(strangers(id=f"{BASE}{ID}"), below) == ("pass", "publication_elsewhere")
