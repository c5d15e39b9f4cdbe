"""`bowerbird verify` and `bowerbird inspect`: exit status, text and JSON, from files, standard input and addresses."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bowerbird import verifying
from bowerbird.cli import main
from libs.common.fetch import Fetcher, FetchError
from libs.openbadges.baking import bake
from libs.openbadges.crypto.did import did_document, did_key, did_web, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.building import CredentialTemplate
from libs.openbadges.issue.jwt import sign_vc_jwt
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.context_urls import OPEN_BADGES_EXTENSIONS
from libs.openbadges.model.documents import Achievement, Association, Criteria, Profile
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.trust import Party, write_issuer_list
from libs.openbadges.verify import verify as verify_credential
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, RESILIENCE, badge, material, signed
from tests.unit.openbadges_tokens import badge_jwt, kid_of, resigned
from tests.unit.openbadges_tokens import given as looked_up
from tests.unit.test_openbadges_endorsements import endorsed, endorsement

Run = Callable[..., tuple[int, str, str]]
KEY_DID = did_key(KEY.public_multibase)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def called(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bowerbird", *(str(one) for one in arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return called


def learner_record() -> str:
    document = record_document(
        record_id="urn:x:record",
        issuer=Profile(id=DID, name="Wattle Grove High School"),
        subject_id="urn:x:learner",
        name="Values Week",
        valid_from=NOW,
        credentials=[signed(1), signed(2)],
        associations=[Association(association_type="isPeerOf", source_id=RESILIENCE, target_id=RESILIENCE)],
    )
    return sign(prepare(document), KEY, METHOD, NOW)


@pytest.fixture(scope="module")
def contents() -> dict[str, str | bytes]:
    given, revoked = material(), material(1)
    return {
        "badge.json": signed(),
        "badge.svg": bake(badge_svg(name="Resilience", issuer="Wattle").encode(), signed()),
        "badge.png": bake(badge_png(name="Resilience", issuer="Wattle"), signed()),
        "tampered.json": signed().replace("Raft building", "Moon landing"),
        "hostile.json": json.dumps({"name": "\x1b[2J\u202egood\x07", "type": ["VerifiableCredential"], "issuer": []}),
        "plain.png": badge_png(name="Resilience", issuer="Wattle"),
        "did.json": json.dumps(given.did_documents[DID]),
        "list.json": str(given.status_lists[LIST]),
        "revoked.json": str(revoked.status_lists[LIST]),
        "nothing.json": "{}",
        "record.json": learner_record(),
    }


@pytest.fixture
def files(tmp_path: Path, contents: dict[str, str | bytes]) -> dict[str, Path]:
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return {name: tmp_path / name for name in contents}


def options(files: dict[str, Path], listing: str = "list.json") -> list[object]:
    return ["--did-document", files["did.json"], "--status-list", files[listing]]


@pytest.mark.parametrize("name", ["badge.json", "badge.svg", "badge.png"])
def test_a_good_credential_passes_with_status_0(run: Run, files: dict[str, Path], name: str) -> None:
    status, out, err = run("verify", files[name], *options(files), *trusting(files))
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "✓ Good: every check passes."
    assert "Resilience" in out
    assert "SOLO level: Relational" in out
    assert "Wattle Grove High School" in out


def test_what_was_changed_or_revoked_is_status_1_and_a_plain_picture_2(run: Run, files: dict[str, Path]) -> None:
    status, out, _ = run("verify", files["tampered.json"], *options(files))
    assert status == 1
    assert "Not good" in out
    status, out, _ = run("verify", files["badge.png"], *options(files, "revoked.json"))
    assert status == 1
    assert "revoked" in out
    assert run("verify", files["plain.png"])[0] == 2


def list_of(*revoked: int, at: datetime) -> str:
    statuses = StatusList()
    for index in revoked:
        statuses.set(index)
    return sign(prepare(list_document(LIST, DID, statuses, valid_from=at)), KEY, METHOD, at)


BEFORE, SINCE = NOW - timedelta(days=2), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        (list_of(at=BEFORE), list_of(1, at=SINCE), 1),
        (list_of(2, at=BEFORE), list_of(1, 2, at=SINCE), 1),
        (list_of(at=SINCE), list_of(1, at=SINCE), 1),
        (list_of(1, at=BEFORE), list_of(at=SINCE), 2),
        (list_of(2, at=SINCE), list_of(1, at=SINCE), 2),
        (list_of(2, at=BEFORE), list_of(2, 3, at=SINCE), 0),
        (list_of(at=SINCE), list_of(at=SINCE), 0),
    ],
    ids=["revoked since", "more", "of one moment", "taken back", "neither holds all", "another since", "the same"],
)
def test_of_two_copies_of_a_status_list_the_newest_counts_in_any_order_and_none_hides_a_revocation(
    run: Run, files: dict[str, Path], older: str, newer: str, expected: int
) -> None:
    one, other = files["list.json"], files["revoked.json"]
    one.write_text(older)
    other.write_text(newer)
    for first, second in ((one, other), (other, one)):
        status, out, _ = run(
            "verify", files["badge.json"], *options(files, first.name), "--status-list", second, *trusting(files)
        )
        assert status == expected
        assert ("disagree" in out) == (expected == 2)


def test_whether_it_is_about_somebody_is_checked_where_that_is_asked(run: Run, files: dict[str, Path]) -> None:
    learner = badge(1)["credentialSubject"]["id"]
    assert run("verify", files["badge.json"], *options(files), "--recipient", learner)[0] == 0
    status, out, _ = run("verify", files["badge.json"], *options(files), "--recipient", "urn:uuid:somebody-else")
    assert status == 1
    assert "about somebody else" in " ".join(out.split())
    asked = ("--recipient", "a@example.com", "--recipient-type", "emailAddress")
    assert run("verify", files["badge.json"], *options(files), *asked)[0] == 2


LIST_KEY = Ed25519Key.from_seed(b"l" * 32)
TRUSTED = did_key(LIST_KEY.public_multibase)


def issuers_list(key: Ed25519Key = LIST_KEY, ends: datetime = LATER, name: str = "badges.example") -> str:
    school = Party(DID, "Wattle Grove High School", begins=NOW)
    return write_issuer_list([school], name=name, key=key, at=NOW, ends=ends)


def trusting(files: dict[str, Path]) -> list[object]:
    """The options by which it is known who signed."""
    registry = files["badge.json"].with_name("issuers.jwt")
    registry.write_text(issuers_list())
    return ["--registry", registry, "--registry-signer", TRUSTED]


def test_nothing_that_an_unknown_party_signed_is_called_good_whatever_name_it_takes(
    run: Run, files: dict[str, Path]
) -> None:
    stranger = badge(status=None)
    stranger["issuer"] = {**stranger["issuer"], "id": KEY_DID, "name": "Banksia College"}
    files["badge.json"].write_text(
        sign(prepare(stranger), KEY, verification_method(KEY_DID, KEY.public_multibase), NOW)
    )
    status, out, _ = run("verify", files["badge.json"], *trusting(files))
    assert status == 0
    assert out.startswith("? Every check passes, but it is not known who signed it. Anybody can make such")
    assert 'an unknown party that calls itself "Banksia College"' in " ".join(out.split())
    assert "Good" not in out


def test_an_endorsement_that_fails_hides_not_that_nobody_knows_the_signer(run: Run, files: dict[str, Path]) -> None:
    files["badge.json"].write_text(endorsed(endorsement("urn:uuid:of-something-else")))
    unknown = " ".join(run("verify", files["badge.json"], *options(files))[1].split())
    assert unknown.startswith("? The credential itself passes every check;")
    assert "do not rely on that. It is not known who signed it." in unknown
    known = run("verify", files["badge.json"], *options(files), *trusting(files))[1]
    assert "It is not known who signed it." not in " ".join(known.split())


def test_what_was_compared_with_nothing_has_no_tick(run: Run, files: dict[str, Path]) -> None:
    out = run("verify", files["badge.json"], *options(files), *trusting(files))[1]
    marks = {line.split()[1]: line.split()[0] for line in out.splitlines() if "compared" in line or "proof" in line}
    assert (marks["publication"], marks["proof"]) == ("-", "✓")


def test_the_help_says_that_the_exit_status_is_not_about_who_signed(run: Run) -> None:
    said = " ".join(run("verify", "--help")[1].replace("│", " ").split())
    assert "exit status 0 every check passes, whoever signed; 1 one fails" in said


def test_a_signed_list_of_issuers_says_who_signed_and_a_stranger_of_the_same_name_stays_unknown(
    run: Run, files: dict[str, Path], tmp_path: Path
) -> None:
    other = did_key(LIST_KEY.public_multibase)
    stranger = badge(status=None)
    stranger["issuer"] = {**stranger["issuer"], "id": other}
    (tmp_path / "stranger.json").write_text(
        sign(prepare(stranger), LIST_KEY, verification_method(other, LIST_KEY.public_multibase), NOW)
    )
    listed = [*trusting(files), "--json"]
    status, out, _ = run("verify", files["badge.json"], *options(files), *listed)
    signer = json.loads(out)["signer"]
    assert (status, signer["standing"], signer["registry"]) == (0, "listed", "badges.example")
    status, out, _ = run("verify", tmp_path / "stranger.json", *listed)
    signer = json.loads(out)["signer"]
    assert (status, signer["standing"], signer["registry"]) == (0, "unknown", None)
    status, out, _ = run("verify", files["badge.json"], *options(files), *listed[:-1])
    assert "Signed by Wattle Grove High School, listed by badges.example when it was issued." in " ".join(out.split())


@pytest.mark.parametrize(
    ("text", "signers", "problem"),
    [
        (issuers_list()[:-8] + "AAAAAAAA", [TRUSTED], "The signature is not that of this registry"),
        (issuers_list(ends=NOW), [TRUSTED], "may be relied on until 2026-03-06T09:30:00Z"),
        (issuers_list(KEY), [TRUSTED], "signed by another than the one who is trusted"),
        (issuers_list(), [], "say whose signature is trusted"),
        ("<html>", [TRUSTED], "JSON"),
        (None, [TRUSTED], "cannot be read"),
    ],
)
def test_a_registry_that_does_not_hold_up_is_wrong_usage_with_the_reason(
    run: Run, files: dict[str, Path], text: str | None, signers: list[str], problem: str
) -> None:
    registry = files["badge.json"].with_name("issuers.jwt")
    if text is not None:
        registry.write_text(text)
    given = [part for each in signers for part in ("--registry-signer", each)]
    status, out, err = run("verify", files["badge.json"], *options(files), "--registry", registry, *given)
    assert (status, out) == (64, "")
    assert str(registry) in err
    assert problem in err


def test_a_list_of_thousands_of_issuers_is_read_whole(run: Run, files: dict[str, Path], tmp_path: Path) -> None:
    far = f"https://school.example/{'x' * 900}"
    many = [Party(f"did:web:badges.example:issuers:{number}", f"School {number}", far) for number in range(4000)]
    school = Party(DID, "Wattle Grove High School", begins=NOW)
    text = write_issuer_list([*many, school], name="badges.example", key=LIST_KEY, at=NOW, ends=LATER)
    assert len(text) > 4 * 1024 * 1024
    (tmp_path / "issuers.jwt").write_text(text)
    listed = ["--registry", tmp_path / "issuers.jwt", "--registry-signer", KEY_DID, "--registry-signer", TRUSTED]
    _, out, _ = run("verify", files["badge.json"], *options(files), *listed, "--json")
    assert json.loads(out)["signer"]["standing"] == "listed"


def test_what_could_not_be_checked_is_status_2(run: Run, files: dict[str, Path]) -> None:
    status, out, _ = run("verify", files["badge.json"])
    assert status == 2
    assert "neither yes nor no" in out
    token = files["badge.json"].with_suffix(".jwt")
    token.write_text(resigned(badge_jwt(KEY), KEY, {"typ": "vc+sd-jwt"}))
    status, out, _ = run("verify", token)
    assert status == 2
    assert "JSON Web Token" in out


def test_a_token_is_verified_and_shown_with_its_header_and_claims(run: Run, tmp_path: Path) -> None:
    (tmp_path / "did.json").write_text(json.dumps(looked_up(KEY).did_documents[DID]))
    (tmp_path / "badge.jwt").write_text(badge_jwt(KEY) + "\n")
    (tmp_path / "badge.svg").write_bytes(bake(badge_svg(name="Resilience", issuer="Wattle").encode(), badge_jwt(KEY)))
    for name in ("badge.jwt", "badge.svg"):
        status, out, _ = run("verify", tmp_path / name, "--did-document", tmp_path / "did.json")
        assert status == 0, out
        status, out, _ = run("inspect", tmp_path / name)
        assert status == 0
        assert "as a JSON Web Token" in out
        assert "header alg Ed25519" in " ".join(out.split())
        assert "claim iss" in out
        assert "proof" not in out
    shown = json.loads(run("inspect", tmp_path / "badge.jwt", "--json")[1])
    assert shown["token"]["header"]["typ"] == "JWT"
    assert shown["token"]["claims"]["iss"] == DID
    assert "iss" not in shown["credential"]


def test_a_status_list_may_be_a_token(run: Run, tmp_path: Path) -> None:
    statuses = StatusList()
    statuses.set(1)
    listing = prepare(list_document(LIST, DID, statuses, valid_from=NOW))
    (tmp_path / "did.json").write_text(json.dumps(looked_up(KEY).did_documents[DID]))
    (tmp_path / "list.jwt").write_text(sign_vc_jwt(listing, KEY, algorithm="Ed25519", kid=kid_of(KEY)))
    (tmp_path / "badge.jwt").write_text(
        sign_vc_jwt(prepare(badge(status=entry(LIST, 1))), KEY, algorithm="Ed25519", kid=kid_of(KEY))
    )
    status, out, _ = run(
        "verify",
        tmp_path / "badge.jwt",
        *("--did-document", tmp_path / "did.json", "--status-list", tmp_path / "list.jwt"),
    )
    assert status == 1
    assert "revoked" in out


def test_json_has_the_verdict_and_every_check(run: Run, files: dict[str, Path]) -> None:
    status, out, _ = run("verify", files["badge.svg"], *options(files), "--json")
    report = json.loads(out)
    assert status == 0
    assert report["verdict"] == "pass"
    assert report["checks"][0]["code"] == "credential_baked"
    assert report["problems"] == []


def test_a_dash_reads_standard_input(run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def given(name: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(files[name].read_bytes())))

    given("badge.png")
    assert run("verify", "-", *options(files))[0] == 0
    given("badge.png")
    assert "baked into a PNG" in run("inspect", "-")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", "badge.json", "--colour"],
        ["verify", "/nowhere/badge.json"],
        ["verify", "/"],
        ["inspect", "https://school.example/badge"],
        ["inspect", "--colour"],
    ],
)
def test_wrong_usage_is_status_64_and_no_verdict(run: Run, arguments: list[str]) -> None:
    status, _, err = run(*arguments)
    assert status == 64
    assert err


def test_a_material_file_that_cannot_be_used_is_named(run: Run, files: dict[str, Path]) -> None:
    status, _, err = run("verify", files["badge.json"], "--did-document", files["nothing.json"])
    assert status == 64
    assert "nothing.json has no id" in err


def test_inspecting_shows_what_is_said_and_says_that_it_was_not_verified(run: Run, files: dict[str, Path]) -> None:
    status, out, _ = run("inspect", files["badge.json"])
    assert status == 0
    for text in ("has not been verified", "Raft building", "eddsa-rdfc-2022", "Personal and Social", "revocation"):
        assert text in out
    assert json.loads(run("inspect", files["badge.svg"], "--json")[1]) == {
        "baked_into": "svg",
        "form": "follows the data model of AchievementCredential",
        "credential": json.loads(signed()),
    }
    status, _, err = run("inspect", files["plain.png"])
    assert status == 1
    assert "no credential in this picture" in err


def test_a_learner_record_is_shown_and_verified_with_the_credentials_in_it(run: Run, files: dict[str, Path]) -> None:
    status, out, _ = run("inspect", files["record.json"])
    assert status == 0
    assert out.count("Resilience, by Wattle Grove High School") == 2
    assert "isPeerOf" in out
    assert "follows the data model of ClrCredential" in out
    status, out, _ = run("verify", files["record.json"], *options(files))
    assert status == 0
    assert "? Credential 2 of 2: Resilience" in out
    assert out.count("Signed by an unknown party that calls itself") == 3
    status, out, _ = run("verify", files["record.json"], *options(files, "revoked.json"), *trusting(files))
    assert status == 1
    assert "✗ Credential 1 of 2" in out
    assert "✓ Credential 2 of 2" in out


def test_inspecting_says_where_a_document_departs_from_its_data_model(run: Run, files: dict[str, Path]) -> None:
    document = json.loads(files["badge.json"].read_text())
    del document["credentialSubject"]["achievement"]["criteria"]
    files["badge.json"].write_text(json.dumps(document))
    out = " ".join(run("inspect", files["badge.json"])[1].split())
    assert "departs from the data model of AchievementCredential: /credentialSubject/achievement/criteria" in out


def test_a_hostile_document_cannot_write_to_the_terminal(run: Run, files: dict[str, Path]) -> None:
    for command in ("inspect", "verify"):
        out = run(command, files["hostile.json"])[1]
        assert "good" in out
        assert not {"\x1b", "\x07", "\u202e"} & set(out)


@pytest.fixture
def school() -> Iterator[str]:
    """A stack under development on this machine: badges, DID document and status list over http."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page is not None else 404)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_port}"
    did = did_web(base, "issuers", "wattle")
    method = verification_method(did, KEY.public_multibase)

    def published(document: dict[str, Any]) -> bytes:
        return sign(prepare(document), KEY, method, NOW).encode()

    achievement = Achievement(id="urn:x:a", name="Resilience", description="d", criteria=Criteria(narrative="n"))
    badge = CredentialTemplate(Profile(id=did, name="Wattle"), achievement).document(
        credential_id="urn:x:1", subject_id="urn:x:s", valid_from=NOW, status=entry(f"{base}/status/1", 7)
    )
    pages["/badges/1"] = published(badge)
    refreshable = {
        **badge,
        "@context": [*badge["@context"], OPEN_BADGES_EXTENSIONS],
        "refreshService": {"id": f"{base}/refresh/1", "type": "1EdTechCredentialRefresh"},
    }
    pages["/badges/old"] = published({**refreshable, "validUntil": "2026-03-07T00:00:00Z"})
    pages["/refresh/1"] = published({**refreshable, "credentialStatus": entry(f"{base}/status/2", 7)})
    pages["/badges/lost"] = pages["/badges/old"].replace(b"/refresh/1", b"/refresh/9")
    pages["/status/2"] = published(list_document(f"{base}/status/2", did, StatusList(), valid_from=NOW))
    # Of the other, as here, the authority is the signer, whose document nothing but the list leads to.
    authority, key = did_web(base), Ed25519Key.from_seed(b"a" * 32)
    shared = prepare(list_document(f"{base}/status/1", authority, StatusList(), valid_from=NOW))
    pages["/status/1"] = sign(shared, key, verification_method(authority, key.public_multibase), NOW).encode()
    pages["/.well-known/did.json"] = json.dumps(did_document(authority, key.public_multibase)).encode()
    pages["/issuers/wattle/did.json"] = json.dumps(did_document(did, KEY.public_multibase)).encode()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield base
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_fetched_with_all_that_it_needs(run: Run, school: str, tmp_path: Path) -> None:
    status, out, err = run("verify", f"{school}/badges/1", "--allow-loopback")
    assert (status, err) == (0, ""), out
    status, out, _ = run("verify", f"{school}/badges/2", "--allow-loopback", "--json")
    assert status == 2
    told: dict[str, Any] = {"verdict": "unknown", "summary": "127.0.0.1 answered 404.", "signer": None, "checks": []}
    assert json.loads(out) == {**told, "problems": ["127.0.0.1 answered 404."]}


def test_the_newer_edition_is_fetched_with_what_it_needs_and_only_for_a_credential_that_is_proven(
    run: Run, school: str
) -> None:
    status, out, err = run("verify", f"{school}/badges/old", "--allow-loopback", "--json")
    report = json.loads(out)
    assert (status, err, report["problems"]) == (0, "", [])
    assert {check["name"]: check["code"] for check in report["checks"]}["refresh"] == "refreshed"
    status, out, _ = run("verify", f"{school}/badges/lost", "--allow-loopback", "--json")
    report = json.loads(out)
    assert (status, report["problems"]) == (1, [])
    assert {check["name"]: check["code"] for check in report["checks"]}["refresh"] == "refresh_not_tried"


def test_an_endorsement_that_does_not_hold_up_is_shown(run: Run, files: dict[str, Path]) -> None:
    document = {**json.loads(signed(1)), "endorsement": [json.loads(signed(2))]}
    files["badge.json"].write_text(json.dumps(document))
    out = " ".join(run("verify", files["badge.json"], *options(files))[1].split())
    assert "✗ Endorsement 1 of 1: Resilience, by Wattle Grove High School" in out
    assert "does not say of itself that it is an endorsement" in out
    out = " ".join(run("inspect", files["badge.json"])[1].split())
    assert "endorsement Resilience, by Wattle Grove High School" in out


def test_without_the_flag_nothing_is_fetched_from_this_machine(run: Run, school: str) -> None:
    status, _, err = run("verify", f"{school}/badges/1")
    assert status == 2
    assert "only https" in err


def test_what_could_not_be_looked_up_online_is_told(run: Run, files: dict[str, Path]) -> None:
    document = files["badge.json"]
    local = document.read_text().replace("badges.example", "127.0.0.1%3A9")
    document.write_text(local)
    status, out, _ = run("verify", document, "--online")
    assert status != 0
    assert "could not be looked up" in " ".join(out.split())


def test_a_did_of_another_method_than_web_is_not_fetched_and_stays_unknown(run: Run, files: dict[str, Path]) -> None:
    document = json.loads(files["badge.json"].read_text())
    document["issuer"]["id"] = "did:ion:abc"
    document["proof"]["verificationMethod"] = METHOD.replace(DID, "did:ion:abc")
    del document["credentialStatus"]
    files["badge.json"].write_text(json.dumps(document))
    status, out, _ = run("verify", files["badge.json"], "--online", "--json")
    assert status == 2
    assert "did:web" in json.loads(out)["problems"][0]


ELSEWHERE = "https://stranger.example/x"


@pytest.fixture
def strangers(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What stands at URLs that a badge of a stranger names: its controller document and its status list at one."""
    pages: dict[str, bytes] = {}

    async def fetch(_: object, url: str, accept: str = "") -> bytes:
        if url not in pages:
            raise FetchError("not_found", f"{url} is not there.")
        return pages[url]

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    document = json.loads(files["badge.json"].read_text())
    document["issuer"]["id"] = ELSEWHERE
    document["credentialStatus"] = entry(ELSEWHERE, 1)
    del document["proof"]
    method = f"{ELSEWHERE}#{KEY.public_multibase}"
    files["badge.json"].write_text(sign(prepare(document), KEY, method, NOW))
    return pages


def controller(**members: object) -> dict[str, Any]:
    document = json.loads(json.dumps(did_document(DID, KEY.public_multibase)).replace(DID, ELSEWHERE))
    return {**document, **members}


ODD: list[Any] = [None, 5, "x", "\x00", [], [[]], {}, {"id": []}, [{"id": ELSEWHERE}], [None, 5, {}], {"@value": "x"}]
DOCUMENTS = [
    *(json.dumps(each) for each in ODD),
    *(json.dumps(controller(**{name: each})) for name in controller() for each in ODD),
    *(
        json.dumps(controller(verificationMethod=[{**controller()["verificationMethod"][0], name: each}]))
        for name in controller()["verificationMethod"][0]
        for each in ODD
    ),
    *("", "{", "[" * 10_000, '{"id": 1e999}', '{"a": 1, "a": 2}', "\ufeff{}", "eyJhbGciOiJFZERTQSJ9.e30.AA"),
]


def test_one_url_may_be_asked_for_as_controller_document_and_as_status_list(
    run: Run, files: dict[str, Path], strangers: dict[str, bytes]
) -> None:
    strangers[ELSEWHERE] = json.dumps(controller()).encode()
    status, out, err = run("verify", files["badge.json"], files["record.json"], "--online", "--json")
    (report, other) = map(json.loads, out.splitlines())
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert (outcomes["proof"], outcomes["status"], other["verdict"]) == ("pass", "unknown", "unknown")
    assert (status, err) == (2, "")


def test_whatever_a_fetched_document_holds_is_no_verdict_and_no_fault(
    run: Run, files: dict[str, Path], strangers: dict[str, bytes]
) -> None:
    for document in DOCUMENTS:
        strangers[ELSEWHERE] = document.encode()
        _, out, err = run("verify", files["badge.json"], "--online", "--json")
        report = json.loads(out)
        assert report["checks"], document
        assert (report["verdict"] == "pass", err) == (False, ""), document


def test_a_fault_of_ours_is_no_verdict_and_keeps_no_other_file_from_its_answer(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(document: bytes, *given: Any, **named: Any) -> Any:
        if document == files["badge.json"].read_bytes():
            raise AttributeError("no such member")
        return verify_credential(document, *given, **named)

    monkeypatch.setattr(verifying, "verify_credential", faulty)
    sources = (files["badge.json"], files["badge.png"])
    status, out, _ = run("verify", *sources, *options(files), "--json")
    (unknown, answered) = map(json.loads, out.splitlines())
    assert (status, unknown["verdict"], answered["verdict"]) == (2, "unknown", "pass")
    assert "fault of this program" in unknown["problems"][0]
    status, out, err = run("verify", *sources, *options(files))
    assert (status, "Every check passes" in out, "fault of this program" in err) == (2, True, True)


def test_many_files_are_answered_in_order_and_the_worst_is_the_exit_status(run: Run, tmp_path: Path) -> None:
    picture, text = tmp_path / "plain.svg", tmp_path / "text.json"
    picture.write_bytes(badge_svg(name="Resilience", issuer="Wattle").encode())
    text.write_text("{hello")
    status, out, _ = run("verify", picture, picture)
    assert (status, out.count("plain.svg:")) == (2, 2)
    status, out, _ = run("verify", picture, text, "--json")
    assert status == 1
    assert out.index('"baked_none"') < out.index('"not_json"')
    assert run("verify", picture, tmp_path / "missing.json")[0] == 64


def test_of_many_files_each_line_of_json_is_the_answer_on_one(run: Run, files: dict[str, Path], tmp_path: Path) -> None:
    odd = tmp_path / "photo.jpg"
    odd.write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    sources = [files["badge.json"], odd, tmp_path, tmp_path / "missing.json", files["tampered.json"]]
    status, out, _ = run("verify", *sources, *options(files), "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [each["source"] for each in answers] == [str(each) for each in sources]
    assert [each.get("verdict") for each in answers] == ["pass", "unknown", None, None, "fail"]
    assert "JPEG" in answers[1]["checks"][0]["message"]
    assert "is a folder" in answers[2]["problem"]
    assert status == 64
