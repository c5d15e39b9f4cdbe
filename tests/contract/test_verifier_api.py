"""What the verifier promises over HTTP: three-valued reports, nothing fetched, the same bytes, safe headers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from httpx import AsyncClient, Response
from prometheus_client import REGISTRY
from pydantic import AnyHttpUrl
from pymongo.errors import AutoReconnect

from libs.contracts.reasons import TakeDownReason
from libs.openbadges.crypto.did import did_key, did_web_url, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.verify import CHECKS, RECIPIENT, Report
from services.verifier.material.cache import ShortMemory
from services.verifier.material.records import TakenDown
from services.verifier.published.badges import REPRESENTATIONS
from services.verifier.verification.models import ReportView
from tests.verifier_doubles import (
    AUTHORITY_KEY,
    ISSUED,
    LEARNER,
    NOW,
    PUBLIC,
    REVOKED,
    MemoryRepository,
    School,
    application,
    client,
)

ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")
JSON = {"Content-Type": "application/json"}
SCHOOL = School()
FAR = School("Far Away College", base="https://elsewhere.example", slug="far-away")


@pytest.fixture
def repository() -> MemoryRepository:
    known = MemoryRepository()
    known.learn(SCHOOL, revoked=[9])
    known.keep(ID, SCHOOL.badge(ID))
    return known


@pytest.fixture
async def http(repository: MemoryRepository) -> AsyncIterator[AsyncClient]:
    async with client(application(repository)) as connected:
        yield connected


async def verified(http: AsyncClient, text: str | bytes) -> dict[str, Any]:
    response = await http.post("/v1/verify", content=text, headers=JSON)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    ReportView.model_validate(report)
    assert [check["name"] for check in report["checks"]] == list(CHECKS)
    for check in report["checks"]:
        assert set(check) == {"name", "outcome", "code", "message", "at"}
    return report


def outcome(report: dict[str, Any], name: str) -> tuple[str, str]:
    return next((check["outcome"], check["code"]) for check in report["checks"] if check["name"] == name)


async def test_a_good_credential_passes_every_check(http: AsyncClient) -> None:
    report = await verified(http, SCHOOL.badge(ID))
    assert report["verdict"] == "pass"
    assert {check["outcome"] for check in report["checks"]} == {"pass"}


async def test_the_status_check_speaks_of_the_moment_that_the_list_speaks_of(http: AsyncClient) -> None:
    report = await verified(http, SCHOOL.badge(ID))
    moments = {check["name"]: check["at"] for check in report["checks"]}
    assert moments["status"] == "2026-03-06T09:30:00Z"
    assert moments["dates"] == "2026-11-23T16:20:11Z"


@pytest.mark.parametrize("shape", ["by itself", "in an envelope", "by address"])
async def test_each_way_of_asking_gives_the_same_report(http: AsyncClient, shape: str) -> None:
    text = SCHOOL.badge(ID)
    body = {
        "by itself": text,
        "in an envelope": f'{{"credential": {text}}}',
        "by address": json.dumps({"url": f"{PUBLIC}/badges/{ID}"}),
    }[shape]
    assert await verified(http, body) == await verified(http, text)


@pytest.mark.parametrize("shape", ["credential", "url"])
async def test_whether_it_is_about_somebody_is_checked_where_that_is_asked(http: AsyncClient, shape: str) -> None:
    given = {"credential": orjson.loads(SCHOOL.badge(ID)), "url": f"{PUBLIC}/badges/{ID}"}[shape]
    for recipient, expected in ((LEARNER, "pass"), ("urn:uuid:somebody-else", "fail"), ("a@example.com", "unknown")):
        response = await http.post("/v1/verify", json={shape: given, "recipient": recipient})
        report = response.json()
        assert [check["name"] for check in report["checks"]] == [*CHECKS, RECIPIENT]
        assert report["verdict"] == report["checks"][-1]["outcome"] == expected
        assert "a@example.com" not in response.text


def endorsed(comment: str = "Well taught.") -> dict[str, Any]:
    """A badge with an endorsement by somebody whose key needs nobody; signed with another comment than it then has."""
    key = Ed25519Key.from_seed(b"e" * 32)
    did = did_key(key.public_multibase)
    said = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "urn:uuid:c5b1f0b5-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "A word for it",
        "issuer": {"id": did, "type": ["Profile"]},
        "validFrom": "2026-03-01T00:00:00Z",
        "credentialSubject": {"id": SCHOOL.did, "type": ["EndorsementSubject"], "endorsementComment": "Well taught."},
    }
    held = orjson.loads(sign(prepare(said), key, verification_method(did, key.public_multibase), ISSUED))
    held["credentialSubject"]["endorsementComment"] = comment
    document = orjson.loads(SCHOOL.badge(ID))
    del document["proof"]
    document["issuer"]["endorsement"] = [held]
    read: dict[str, Any] = orjson.loads(SCHOOL.sign(document))
    return read


async def test_endorsements_are_verified_and_each_is_reported(http: AsyncClient, repository: MemoryRepository) -> None:
    repository.keep(ID, orjson.dumps(endorsed()).decode())
    report = await verified(http, orjson.dumps(endorsed()))
    assert (report["verdict"], outcome(report, "endorsement")) == ("pass", ("pass", "endorsed"))
    assert [one["verdict"] for one in report["endorsements"]] == ["pass"]


async def test_a_bad_endorsement_is_told_in_the_report_and_on_the_page(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    text = orjson.dumps(endorsed("The best in the world."))
    repository.keep(ID, text.decode())
    report = await verified(http, text)
    assert (report["verdict"], outcome(report, "endorsement")) == ("unknown", ("fail", "endorsement_invalid"))
    assert [one["verdict"] for one in report["endorsements"]] == ["fail"]
    page = await http.get(f"/badges/{ID}", headers={"Accept": "text/html"})
    assert "real and still good; an endorsement on it is not confirmed" in page.text


async def test_a_tampered_credential_fails(http: AsyncClient) -> None:
    text = SCHOOL.badge(ID).replace("#relational", "#extended-abstract")
    assert outcome(await verified(http, text), "proof") == ("fail", "proof_invalid")


async def test_an_expired_credential_fails(http: AsyncClient) -> None:
    report = await verified(http, SCHOOL.badge(ID, valid_until=NOW - timedelta(seconds=1)))
    assert (report["verdict"], outcome(report, "dates")) == ("fail", ("fail", "expired"))


async def test_a_credential_that_is_not_valid_yet_fails(http: AsyncClient) -> None:
    report = await verified(http, SCHOOL.badge(ID, valid_from=NOW + timedelta(days=1)))
    assert (report["verdict"], outcome(report, "dates")) == ("fail", ("fail", "not_yet_valid"))


async def test_a_credential_that_its_list_says_is_revoked_fails(http: AsyncClient) -> None:
    report = await verified(http, SCHOOL.badge(ID, index=9))
    assert (report["verdict"], outcome(report, "status")) == ("fail", ("fail", "revoked"))


async def test_a_revocation_that_was_announced_rules_before_the_list_has_arrived(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.keep(ID, SCHOOL.badge(ID), revoked_at=REVOKED)
    report = await verified(http, json.dumps({"url": f"{PUBLIC}/badges/{ID}"}))
    assert (report["verdict"], outcome(report, "status")) == ("fail", ("fail", "revoked"))


async def test_an_issuer_that_is_not_on_record_is_unknown_and_never_failed(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.dids.clear()
    report = await verified(http, SCHOOL.badge(ID))
    assert report["verdict"] == "unknown"
    assert outcome(report, "issuer")[0] == outcome(report, "proof")[0] == "unknown"
    assert outcome(report, "status")[0] == "pass", "whose list is signed by the authority"


async def test_a_status_list_that_has_not_arrived_is_unknown_and_never_passed(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.lists.clear()
    report = await verified(http, SCHOOL.badge(ID))
    assert (report["verdict"], outcome(report, "status")) == ("unknown", ("unknown", "STATUS_RETRIEVAL_ERROR"))


async def test_a_foreign_credential_is_unknown_with_a_message_and_nothing_is_asked_of_its_address(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    report = await verified(http, FAR.badge(ID))
    assert report["verdict"] == "unknown"
    sentences = {check["name"]: check["message"] for check in report["checks"]}
    assert "fetches it from no other place" in sentences["issuer"]
    assert "fetches from no other place" in sentences["status"]
    # To our own database: the issuer and its name; none for the list, which can only stand elsewhere.
    assert repository.lookups == 2


async def test_a_did_key_needs_nobody(http: AsyncClient) -> None:
    did = did_key(SCHOOL.key.public_multibase)
    read = orjson.loads(FAR.badge(ID))
    del read["proof"], read["credentialStatus"]
    read["issuer"]["id"] = did
    text = sign(prepare(read), SCHOOL.key, verification_method(did, SCHOOL.key.public_multibase), ISSUED)
    assert (await verified(http, text))["verdict"] == "pass"


# Cyrillic letters, digits for letters, an invisible character, another order of reading, fullwidth letters, accents.
LOOK_ALIKES = (
    "W\u0430ttl\u0435 Gr\u043ev\u0435 High Sch\u043e\u043el",
    "WATTLE GR0VE H1GH SCHOOL",
    "Wattle\u200b-Grove \u2066High\u2069 School",
    "\uff37\uff41\uff54\uff54\uff4c\uff45 Grove High School",
    "W\u00e1ttle Grov\u0435 High School",
)


@pytest.mark.parametrize("name", LOOK_ALIKES)
@pytest.mark.parametrize("call", ["/v1/verify", "/credentials/verify"])
async def test_a_stranger_whose_name_looks_like_a_registered_one_is_marked(
    http: AsyncClient, call: str, name: str
) -> None:
    stranger = Ed25519Key.from_seed(b"s" * 32)
    did = did_key(stranger.public_multibase)
    read = orjson.loads(FAR.badge(ID))
    del read["proof"], read["credentialStatus"]
    read["issuer"] |= {"id": did, "name": name}
    text = sign(prepare(read), stranger, verification_method(did, stranger.public_multibase), ISSUED)
    body = text if call == "/v1/verify" else f'{{"verifiableCredential": {text}}}'
    signer = (await http.post(call, content=body, headers=JSON)).json()["signer"]
    assert (signer["standing"], signer["organisation"]) == ("unknown", None)
    assert [one["id"] for one in signer["resembles"]] == [SCHOOL.slug]
    assert signer["message"].endswith("; Wattle Grove High School, which is registered here, did not sign it")


async def test_a_database_that_is_away_makes_checks_unknown(http: AsyncClient, repository: MemoryRepository) -> None:
    repository.away = AutoReconnect("away")
    report = await verified(http, SCHOOL.badge(ID))
    assert report["verdict"] == "unknown"
    assert outcome(report, "dates")[0] == outcome(report, "schema")[0] == "pass"
    assert any("could not be reached" in check["message"] for check in report["checks"])
    repository.away = None
    assert (await verified(http, SCHOOL.badge(ID)))["verdict"] == "pass"


async def test_a_key_that_stands_twice_is_seen_through_the_envelope(http: AsyncClient) -> None:
    text = '{"name": "Other", ' + SCHOOL.badge(ID)[1:]
    assert outcome(await verified(http, text), "format") == ("fail", "duplicate_key")
    assert outcome(await verified(http, f'{{"credential": {text}}}'), "format") == ("fail", "duplicate_key")


async def test_a_credential_slightly_too_large_is_unknown_and_one_far_too_large_is_refused(http: AsyncClient) -> None:
    filler = "x" * 300_000
    assert outcome(await verified(http, f'{{"@context": "{filler}"}}'), "format") == ("unknown", "too_large")
    response = await http.post("/v1/verify", content=f'{{"@context": "{filler}{filler}"}}', headers=JSON)
    assert response.status_code == 413


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '{"url": "https://elsewhere.example/badges/1"}'])
async def test_a_malformed_request_is_a_problem_document_that_says_what_to_send(http: AsyncClient, body: str) -> None:
    response = await http.post("/v1/verify", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert '{"credential": {…}}' in response.json()["detail"]


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/html"}, {**JSON, "Content-Encoding": "gzip"}, {"Content-Type": "json"}]
)
async def test_a_body_of_another_kind_or_compressed_is_415(http: AsyncClient, headers: dict[str, str]) -> None:
    assert (await http.post("/v1/verify", content=b"{}", headers=headers)).status_code == 415


@pytest.mark.parametrize("parameters", ["", "; charset=utf-8", ';profile="https://www.w3.org/ns/json-ld#compacted"'])
async def test_every_kind_that_a_badge_is_served_with_is_taken_for_verifying(
    http: AsyncClient, parameters: str
) -> None:
    for kind in REPRESENTATIONS[1:]:
        served = await http.get(f"/badges/{ID}", headers={"Accept": kind})
        assert served.headers["content-type"] == kind
        headers = {"Content-Type": kind + parameters}
        answer = await http.post("/v1/verify", content=served.content, headers=headers)
        assert (answer.status_code, answer.json().get("verdict")) == (200, "pass"), kind
        asked = b'{"verifiableCredential": ' + served.content + b"}"
        answer = await http.post("/credentials/verify", content=asked, headers=headers)
        assert answer.status_code == 200, (kind, answer.text)


@pytest.mark.parametrize("path", ["/v1/verify", "/credentials/verify", "/presentations/verify"])
async def test_a_kind_that_is_not_taken_is_answered_with_those_that_are(http: AsyncClient, path: str) -> None:
    answer = await http.post(path, content=b"{}", headers={"Content-Type": "application/xml"})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:bowerbird:problem:unsupported-media-type")
    taken = answer.headers["accept"].split(", ")
    assert {"application/json", "application/ld+json"} < set(taken)
    assert all(kind in answer.json()["detail"] for kind in taken)
    for kind in taken:
        assert (await http.post(path, content=b"", headers={"Content-Type": kind})).status_code == 400


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "path", ["/badges/", f"/badges/{ID}/", f"/badges/{ID}/credential", "/verify", "/achievements/x"]
)
async def test_whoever_follows_a_wrong_link_gets_a_page_and_a_program_a_problem_document(
    http: AsyncClient, path: str
) -> None:
    page = await http.get(path, headers={"Accept": BROWSER})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (page.headers["cache-control"], page.headers["vary"]) == ("no-store", "Accept")
    assert "<h1" in page.text
    for accept in ("application/json, text/plain, */*", "*/*", "application/vc+ld+json", "image/png"):
        problem = await http.get(path, headers={"Accept": accept})
        assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")


async def test_an_address_of_ours_without_a_badge_is_404(http: AsyncClient) -> None:
    response = await http.post("/v1/verify", json={"url": f"{PUBLIC}/badges/{uuid4()}"})
    assert response.status_code == 404


async def test_a_check_that_takes_too_long_is_unknown(
    repository: MemoryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, **__: object) -> Report:
        time.sleep(0.3)
        raise AssertionError("nobody waits for this")

    monkeypatch.setattr("services.verifier.verification.jobs.verify", slow)
    async with client(application(repository, verify_seconds=0.05)) as http:
        report = await verified(http, SCHOOL.badge(ID))
    assert report["verdict"] == "unknown"
    assert {check["code"] for check in report["checks"]} == {"took_too_long"}


async def test_more_than_can_wait_is_answered_503_at_once(repository: MemoryRepository) -> None:
    async with client(application(repository, verify_waiting=1)) as http:
        answers = await asyncio.gather(
            *(http.post("/v1/verify", content=SCHOOL.badge(ID), headers=JSON) for _ in range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503]


async def test_lookups_are_remembered_for_a_moment_and_never_for_longer_than_a_revocation_may_take(
    repository: MemoryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    defaults = ShortMemory.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", lambda: seconds)
    async with client(application(repository)) as http:
        await asyncio.gather(*(verified(http, SCHOOL.badge(ID)) for _ in range(5)))
        # The issuer with its keys, the list, the authority's keys and who has a name like its own, once; what was
        # published each time.
        assert repository.lookups == 4 + 5
        repository.learn(SCHOOL, revoked=[7])
        seconds = 1.1
        assert (await verified(http, SCHOOL.badge(ID)))["verdict"] == "fail"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_verdicts_and_outcomes_are_counted(http: AsyncClient) -> None:
    before = counted("bowerbird_verifications_total", verdict="fail")
    checks = counted("bowerbird_verification_checks_total", check="status", outcome="fail")
    await verified(http, SCHOOL.badge(ID, index=9))
    assert counted("bowerbird_verifications_total", verdict="fail") == before + 1
    assert counted("bowerbird_verification_checks_total", check="status", outcome="fail") == checks + 1


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/ld+json", "application/vc+ld+json", "application/vc"]
)
async def test_the_signed_document_is_answered_byte_for_byte(
    http: AsyncClient, repository: MemoryRepository, media_type: str
) -> None:
    response = await http.get(f"/badges/{ID}", headers={"Accept": media_type})
    assert response.content == repository.credentials[ID].text.encode()
    assert response.headers["content-type"] == media_type
    assert response.headers["vary"] == "Accept"


async def test_the_download_is_the_same_bytes_as_a_file(http: AsyncClient, repository: MemoryRepository) -> None:
    response = await http.get(f"/badges/{ID}/credential.json")
    assert response.content == repository.credentials[ID].text.encode()
    assert response.headers["content-disposition"] == f'attachment; filename="badge-{ID}.json"'


async def test_the_picture_shows_the_badge(http: AsyncClient) -> None:
    response = await http.get(f"/badges/{ID}/image.svg")
    assert response.headers["content-type"] == "image/svg+xml"
    assert "Resilience, Relational" in response.text


async def test_a_browser_gets_a_page_that_no_script_can_run_in(http: AsyncClient) -> None:
    response = await http.get(f"/badges/{ID}", headers={"Accept": "text/html"})
    assert response.headers["vary"] == "Accept"
    assert LEARNER in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "max-age=2" in response.headers["cache-control"]


@pytest.mark.parametrize("name", [str(uuid4()), "nonsense", "0f4ac6a159e94a3c95ad000000000001", "%00", "a" * 5000])
async def test_an_unknown_badge_is_a_friendly_page_or_a_problem_document(http: AsyncClient, name: str) -> None:
    page = await http.get(f"/badges/{name}", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no badge here" in page.text
    problem = await http.get(f"/badges/{name}", headers={"Accept": "application/json"})
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    for response in (page, problem):
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("part", ["", "/credential.json", "/image.svg", "/image.png", "/card.png"])
async def test_nothing_of_a_badge_that_was_taken_down_is_answered_but_that_it_was_and_why(
    http: AsyncClient, repository: MemoryRepository, part: str
) -> None:
    repository.taken_down[ID] = TakenDown(ID, REVOKED, TakeDownReason.PERSONAL_DATA)
    for accept in ("text/html", "application/vc", "*/*"):
        answer = await http.get(f"/badges/{ID}{part}", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
        assert "personal_data" in answer.text
        assert "Raft building" not in answer.text
        assert LEARNER not in answer.text


async def test_verifying_a_badge_that_was_taken_down_by_its_address_is_gone_and_by_its_text_revoked(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    text = SCHOOL.badge(ID, index=9)
    repository.taken_down[ID] = TakenDown(ID, REVOKED, TakeDownReason.SAFETY)
    by_address = await http.post("/v1/verify", json={"url": f"{PUBLIC}/badges/{ID}"})
    assert (by_address.status_code, by_address.json()["type"]) == (410, "urn:bowerbird:problem:gone")
    report = await verified(http, text)
    assert outcome(report, "status") == ("fail", "revoked")
    assert outcome(report, "publication") == ("fail", "taken_down")
    assert "the reason is safety" in next(one["message"] for one in report["checks"] if one["name"] == "publication")
    page = await http.post("/", files={"file": ("badge.json", text)})
    assert "This badge has been revoked" in page.text
    assert "taken down for good" in page.text


async def test_a_page_without_its_database_says_that_nothing_could_be_checked(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.away = AutoReconnect("away")
    page = await http.get(f"/badges/{ID}", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "neither a yes nor a no" in page.text
    assert (await http.get(f"/badges/{ID}", headers={"Accept": "application/json"})).status_code == 503


async def test_a_client_that_accepts_neither_is_told_so(http: AsyncClient) -> None:
    assert (await http.get(f"/badges/{ID}", headers={"Accept": "image/png"})).status_code == 406


async def test_did_documents_and_status_lists_are_public_and_readable_from_any_site(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    did = await http.get(f"/issuers/{SCHOOL.slug}/did.json")
    assert (did.text, did.headers["content-type"]) == (SCHOOL.did_document, "application/did+json")
    listed = await http.get(f"/status/{SCHOOL.list_id}")
    assert listed.text == repository.lists[SCHOOL.list_id].text
    assert listed.headers["content-type"] == "application/vc+ld+json"
    authority = await http.get("/.well-known/did.json")
    assert (authority.text, authority.headers["content-type"]) == (SCHOOL.authority_document, "application/did+json")
    for response in (did, listed, authority):
        assert response.headers["access-control-allow-origin"] == "*"
    repository.authority = None
    for path in ("/issuers/nobody/did.json", "/status/nothing", "/.well-known/did.json"):
        assert (await http.get(path)).status_code == 404


async def test_below_a_path_the_authoritys_document_stands_where_its_did_says(repository: MemoryRepository) -> None:
    base = "https://state.example/badges"
    school = School(base=base)
    repository.learn(school)
    async with client(application(repository, public_url=AnyHttpUrl(base))) as http:
        assert school.authority == "did:web:state.example:badges"
        assert did_web_url(school.authority) == f"{base}/did.json"
        # As whatever stands before the service hands it on.
        assert (await http.get("/did.json")).text == school.authority_document
        report = await verified(http, school.badge(uuid4()))
        assert outcome(report, "status") == ("pass", "not_set")


async def test_a_badge_of_ours_that_names_a_list_elsewhere_never_passes(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    badge = SCHOOL.badge(ID, status=entry(FAR.list_url, 7))
    repository.keep(ID, badge)
    report = await verified(http, badge)
    assert (report["verdict"], outcome(report, "publication")[1]) == ("unknown", "published")
    assert outcome(report, "status") == ("unknown", "STATUS_RETRIEVAL_ERROR")


async def test_a_list_of_ours_that_another_school_signed_tells_nothing_good(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    other = School("Banksia College", slug="banksia")
    repository.learn(other)
    text = other.sign(list_document(SCHOOL.list_url, other.did, StatusList(), valid_from=ISSUED))
    repository.lists[SCHOOL.list_id] = replace(repository.lists[SCHOOL.list_id], text=text)
    report = await verified(http, SCHOOL.badge(ID))
    assert (report["verdict"], outcome(report, "status")) == ("unknown", ("unknown", "STATUS_VERIFICATION_ERROR"))


async def test_a_badge_that_the_authoritys_own_key_signed_never_passes(http: AsyncClient) -> None:
    document = orjson.loads(SCHOOL.badge(uuid4()))
    del document["proof"]
    document["issuer"]["id"] = SCHOOL.authority
    method = verification_method(SCHOOL.authority, AUTHORITY_KEY.public_multibase)
    for identifier in (f"{PUBLIC}/badges/{uuid4()}", "urn:uuid:7d2f8c51-11aa-4c39-8f0e-0242ac120099"):
        report = await verified(http, sign(prepare({**document, "id": identifier}), AUTHORITY_KEY, method, ISSUED))
        assert (report["verdict"], outcome(report, "publication")[1]) == ("unknown", "publication_missing")
        assert report["signer"]["standing"] == "unknown"


@pytest.mark.parametrize("accept", ["application/vc", "application/vc+jwt, application/vc", "application/json"])
async def test_a_status_list_comes_under_the_media_type_that_was_asked_for(http: AsyncClient, accept: str) -> None:
    answer = await http.get(f"/status/{SCHOOL.list_id}", headers={"Accept": accept})
    assert answer.headers["content-type"] == accept.rpartition(" ")[2]
    assert answer.headers["vary"] == "Accept"


async def test_a_status_list_is_not_offered_as_a_jwt(http: AsyncClient) -> None:
    answer = await http.get(f"/status/{SCHOOL.list_id}", headers={"Accept": "application/vc+jwt"})
    assert answer.status_code == 406


@pytest.mark.parametrize(
    ("ttl", "valid_for", "seconds"), [(60.0, 3600, 60), (60.0, 30, 30), (60.0, -1, 0), (None, None, 2)]
)
async def test_a_status_list_may_be_kept_for_its_time_to_live_and_not_beyond_its_end(
    http: AsyncClient, repository: MemoryRepository, ttl: float | None, valid_for: int | None, seconds: int
) -> None:
    end = None if valid_for is None else NOW + timedelta(seconds=valid_for)
    held = repository.lists[SCHOOL.list_id]
    repository.lists[SCHOOL.list_id] = replace(held, ttl_seconds=ttl, valid_until=end)
    answer = await http.get(f"/status/{SCHOOL.list_id}")
    assert answer.headers["cache-control"] == f"public, max-age={seconds}"


async def test_what_the_client_has_already_is_not_sent_again(http: AsyncClient) -> None:
    first = await http.get(f"/status/{SCHOOL.list_id}")
    again = await http.get(f"/status/{SCHOOL.list_id}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_page_of_any_site_may_ask_us_to_verify_and_read_the_refusal_too(http: AsyncClient) -> None:
    preflight = await http.options("/v1/verify", headers={"Origin": "https://jobs.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    refused = await http.post("/v1/verify", content=b"", headers=JSON)
    assert refused.headers["access-control-allow-origin"] == "*"


async def test_what_only_operators_read_is_not_opened_to_other_sites(http: AsyncClient) -> None:
    response: Response = await http.get("/health/ready", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/badges", "/badges/", "/issuers", "/status", "/v1/verify"])
async def test_nothing_is_ever_listed(http: AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code in {404, 405}
