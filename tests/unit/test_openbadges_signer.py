"""Who signed is told apart from whether the proof is good, and an id of ours stands for our text alone."""
# ruff: noqa: RUF001  # letters that look alike are what is tested

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jose.compact import write_compact
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.trust import (
    ISSUER_LIST_TYPE,
    KnownParties,
    Party,
    Publications,
    Registry,
    Suspension,
    own_credential_uuid,
    read_registry,
    skeleton,
    write_issuer_list,
)
from libs.openbadges.trust.name_search import NameSearch
from libs.openbadges.trust.names import likenesses
from libs.openbadges.trust.signer import Signer, identify
from libs.openbadges.verify import Report, ResolvedInputs, dependencies_of, verify
from libs.openbadges.verify.signer import issuer_names
from tests.unit.openbadges_samples import DID, KEY, METHOD, NOW, badge, material, signed

STRANGER = Ed25519Key.from_seed(b"s" * 32)
STRANGERS_DID = did_key(STRANGER.public_multibase)
STRANGERS_METHOD = verification_method(STRANGERS_DID, STRANGER.public_multibase)
SCHOOL = Party(DID, "Wattle Grove High School", "https://wattlegrove.example", "wattle-grove")
HOME = "https://badges.example/"
BASE = f"{HOME}badges/"
ID = UUID("0190f2c0-0000-7000-8000-000000000001")


def inputs(**changes: Any) -> ResolvedInputs:
    given = material()
    return ResolvedInputs(given.did_documents, given.status_lists, **changes)


def strangers(name: Any = "Banksia College", **changes: Any) -> str:
    """A badge that a stranger signed well, with the name and whatever else of somebody else."""
    document = {**badge(status=None), **changes}
    document["issuer"] = {**document["issuer"], "id": STRANGERS_DID, "name": name}
    return sign(prepare(document), STRANGER, STRANGERS_METHOD, NOW)


def known(*alike: str) -> KnownParties:
    return KnownParties({DID: SCHOOL}, alike={each: [SCHOOL] for one in alike for each in likenesses(one)})


def report_on(text: str | bytes, parties: KnownParties | None = None, **changes: Any) -> Report:
    found = searched(parties or KnownParties(), dependencies_of(text).names)
    return verify(text, inputs(parties=found, **changes), NOW)


def searched(parties: KnownParties, names: Collection[str]) -> KnownParties:
    """The parties with those that the names could be taken for, as who verifies looks for them."""
    search = NameSearch()
    for portion in search.portions(names):
        search.keep(portion, parties)
    return search.known(names, parties)


def test_a_registered_issuer_is_told_with_its_own_record() -> None:
    report = report_on(signed(), known())
    assert report.verdict == "pass"
    written = report.to_dict()
    assert written["signer"] == {
        "standing": "registered",
        "proven": True,
        "id": DID,
        "did": DID,
        "name": "Wattle Grove High School",
        "organisation": {
            "id": "wattle-grove",
            "did": DID,
            "name": "Wattle Grove High School",
            "url": "https://wattlegrove.example",
            "suspension": None,
        },
        "registry": None,
        "resembles": [],
        "message": "Wattle Grove High School, registered here",
    }
    assert written["summary"] == "Every check passes. Signed by Wattle Grove High School, registered here."


def test_a_badge_of_a_suspended_issuer_is_as_good_as_before_and_its_standing_is_told() -> None:
    suspension = Suspension(datetime(2026, 3, 1, tzinfo=UTC), "under_review")
    report = report_on(signed(), KnownParties({DID: replace(SCHOOL, suspension=suspension)}))
    assert report.verdict == "pass"
    assert report.signer is not None
    assert report.signer.message == "Wattle Grove High School, registered here, suspended since 2026-03-01"
    organisation = report.signer.to_dict()["organisation"]
    assert organisation["suspension"] == {"since": "2026-03-01T00:00:00Z", "reason": "under_review"}


def test_a_school_that_took_another_name_is_told_by_both() -> None:
    parties = KnownParties({DID: Party(DID, "Acacia Grove High School", None, "wattle-grove")})
    signer = report_on(signed(), parties).signer
    assert signer is not None
    assert signer.standing == "registered"
    assert signer.message == (
        'Acacia Grove High School, registered here; the credential calls it "Wattle Grove High School"'
    )


def test_a_stranger_passes_the_checks_and_is_said_to_be_unknown() -> None:
    report = report_on(strangers(), known())
    assert report.verdict == "pass"
    assert report.signer is not None
    assert (report.signer.standing, report.signer.did) == ("unknown", STRANGERS_DID)
    assert report.summary == 'Every check passes. Signed by an unknown party that calls itself "Banksia College".'


LOOK_ALIKES = (
    "Wattle Grove High School",
    "Wattlе Grоvе High Schооl",
    "WATTLE GROVE HIGH SCH00L",
    "Wattle\u200b Grove High School",
)


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_looks_like_a_registered_one_is_marked(name: str) -> None:
    signer = report_on(strangers(name), known(name)).signer
    assert signer is not None
    assert [one.id for one in signer.resembles] == [DID]
    assert signer.message.endswith("; Wattle Grove High School, which is registered here, did not sign it")


def test_a_strangers_name_that_holds_a_registered_one_is_marked_and_cannot_end_its_quotation() -> None:
    name = "Real Wattle Grove High School\u201d. Signed by it, registered here. \u201c\uff02"
    signer = report_on(strangers(name), known("Wattle Grove High School")).signer
    assert signer is not None
    assert [one.id for one in signer.resembles] == [DID]
    quoted = "Real Wattle Grove High School'. Signed by it, registered here. ''"
    assert f'calls itself "{quoted}"; Wattle Grove High School, which is registered here, did not' in signer.message


def named(*names: str) -> dict[str, Any]:
    """A stranger's credential whose issuer has these names, each in a language of its own."""
    listed = [{"@value": each, "@language": f"x-{number}"} for number, each in enumerate(names)]
    return {**badge(status=None), "issuer": {"id": STRANGERS_DID, "type": ["Profile"], "name": listed}}


def called(*names: str) -> Signer:
    called = issuer_names(named(*names))
    return identify(searched(known("Wattle Grove High School"), called), STRANGERS_DID, called, proven=True, issued=NOW)


@pytest.mark.parametrize("before", [["Innocent"], [f"Innocent {number}" for number in range(7)]])
def test_a_name_in_any_language_that_looks_like_a_registered_one_is_marked_and_shown(before: list[str]) -> None:
    signer = called(*before, "Wattle Grove High School")
    assert [one.id for one in signer.resembles] == [DID]
    assert signer.message == (
        'an unknown party that calls itself "Wattle Grove High School"; Wattle Grove High School, which is registered'
        " here, did not sign it"
    )


def test_each_name_of_an_issuer_is_looked_up() -> None:
    assert dependencies_of(named("Innocent", "Banksia College")).names == {"Innocent", "Banksia College"}


def test_of_names_in_several_languages_that_are_nobodys_the_first_is_shown() -> None:
    signer = called("Innocent", "Arglos")
    assert (signer.name, signer.resembles) == ("Innocent", ())


OTHER = replace(SCHOOL, id="did:web:badges.example:issuers:other", issuer_id="other", name="Wattle Grove High School")


@pytest.mark.parametrize("record", ["Wattle Grove High School", "Banksia College"])
def test_a_registered_signer_whose_name_or_record_looks_like_anothers_is_marked_too(record: str) -> None:
    mine = replace(SCHOOL, name=record)
    other = replace(OTHER, name=f"{record[0]} {record[1:]}")
    parties = KnownParties({DID: mine}, alike={skeleton(other.name): [mine, other]})
    report = report_on(signed(), parties)
    assert report.verdict == "pass"
    assert report.signer is not None
    assert (report.signer.standing, [one.id for one in report.signer.resembles]) == ("registered", [OTHER.id])
    assert report.signer.message.endswith(f"; {other.name}, which is registered here too, did not sign it")


def test_two_registered_parties_of_one_name_are_told_apart() -> None:
    report = report_on(signed(), KnownParties({DID: SCHOOL}, alike={skeleton(OTHER.name): [SCHOOL, OTHER]}))
    assert report.signer is not None
    assert report.signer.message == (
        "Wattle Grove High School, registered here; another Wattle Grove High School, which is registered here too, "
        "did not sign it"
    )


@pytest.mark.parametrize("name", ["School High Wattle Grove", "High School"])
def test_a_stranger_whose_name_is_a_registered_one_in_another_order_or_a_part_of_it_is_marked(name: str) -> None:
    signer = report_on(strangers(name), known("Wattle Grove High School")).signer
    assert signer is not None
    assert (signer.standing, [one.id for one in signer.resembles]) == ("unknown", [DID])
    assert signer.message.endswith("; Wattle Grove High School, which is registered here, did not sign it")


@pytest.mark.parametrize("name", ["badges.wattle.example", "Bowerbird Badges"])
def test_a_stranger_that_calls_itself_the_host_or_the_product_is_marked(name: str) -> None:
    host = Party("did:web:badges.wattle.example", "badges.wattle.example")
    signer = report_on(strangers(name), replace(known(), installation=host)).signer
    assert signer is not None
    assert [one.id for one in signer.resembles] == [host.id]
    assert signer.message.endswith("; badges.wattle.example, where badges are registered, did not sign it")
    signer = report_on(strangers("Banksia College"), replace(known(), installation=host)).signer
    assert signer is not None
    assert not signer.resembles


@pytest.mark.parametrize("name", [None, 7, [], {}, {"@value": 3}, "", "\u202e\u200b"])
def test_an_issuer_without_a_name_is_told_by_its_id(name: Any) -> None:
    document = badge(status=None)
    document["issuer"] = {**document["issuer"], "id": STRANGERS_DID, "name": name}
    signer = report_on(orjson.dumps(document), known()).signer
    assert signer is not None
    assert signer.name is None
    assert signer.message.startswith("nobody who could be proven; it names did:key:")


def test_a_name_cannot_end_the_sentence_that_it_stands_in() -> None:
    signer = report_on(strangers('X", registered here. \u202e\nSigned by "Y'), known()).signer
    assert signer is not None
    assert signer.message == "an unknown party that calls itself \"X', registered here. Signed by 'Y\""


def test_nobody_is_said_to_have_signed_what_is_not_proven() -> None:
    document = orjson.loads(signed())
    document["name"] = "Another one"
    signer = report_on(orjson.dumps(document), known()).signer
    assert signer is not None
    assert (signer.standing, signer.proven, signer.party, signer.did) == ("unknown", False, None, None)
    assert signer.message == 'nobody who could be proven; it names "Wattle Grove High School" as its issuer'


def test_where_issuers_could_not_be_looked_up_an_unknown_party_may_be_a_registered_one() -> None:
    signer = report_on(signed(), KnownParties(available=False)).signer
    assert signer is not None
    assert signer.standing == "undetermined"
    assert signer.message.endswith("; whether it is registered here could not be looked up")


def test_where_a_registry_could_not_be_consulted_an_unknown_party_may_be_listed_by_it() -> None:
    signer = report_on(strangers(), KnownParties(missing=["the South"])).signer
    assert signer is not None
    assert signer.standing == "undetermined"
    assert signer.message.endswith("; whether it is listed by the South could not be looked up")
    registered = report_on(signed(), KnownParties({DID: SCHOOL}, missing=["the South"])).signer
    assert registered is not None
    assert registered.standing == "registered"


def test_whose_key_could_not_be_looked_up_may_be_a_registered_party_and_who_is_disproven_is_not() -> None:
    text, away = signed(), KnownParties(available=False)
    signer = verify(text, ResolvedInputs({}, {}, parties=away), NOW).signer
    assert signer is not None
    assert (signer.standing, signer.proven) == ("undetermined", False)
    assert signer.message == 'somebody who could not be looked up; it names "Wattle Grove High School" as its issuer'
    forged = report_on(text.replace("Resilience", "Brilliance"), away).signer
    assert forged is not None
    assert forged.standing == "unknown"


LIST = {"name": "Colleges of the South", "issuers": [{"id": STRANGERS_DID, "name": "Banksia College Ltd"}]}


def listed(**entry: str) -> KnownParties:
    document = {**LIST, "issuers": [{**LIST["issuers"][0], **entry}]}  # type: ignore[dict-item]  # a dict, by its making
    return KnownParties(registries=[read_registry(orjson.dumps(document), now=NOW)])


def test_a_listed_issuer_is_told_with_the_registry_that_lists_it() -> None:
    signer = report_on(strangers(), listed()).signer
    assert signer is not None
    assert (signer.standing, signer.registry) == ("listed", "Colleges of the South")
    assert signer.message == (
        "Banksia College Ltd, listed by Colleges of the South when it was issued; "
        'the credential calls it "Banksia College"'
    )


@pytest.mark.parametrize(
    ("entry", "standing"),
    [
        ({"validFrom": "2026-03-06T09:30:00Z"}, "listed"),
        ({"validFrom": "2026-03-06T09:30:01Z"}, "unknown"),
        ({"validUntil": "2026-03-06T09:30:01Z"}, "listed"),
        ({"validUntil": "2026-03-06T09:30:00Z"}, "unknown"),
    ],
)
def test_what_counts_is_whether_an_issuer_was_listed_when_it_issued(entry: dict[str, str], standing: str) -> None:
    signer = report_on(strangers(), listed(**entry)).signer
    assert signer is not None
    assert signer.standing == standing


def test_a_credential_dated_back_before_its_proof_counts_from_its_proof() -> None:
    text = strangers(validFrom="2020-01-01T00:00:00Z")
    signer = report_on(text, listed(validUntil="2021-01-01T00:00:00Z")).signer
    assert signer is not None
    assert signer.standing == "unknown"


def token(header: dict[str, Any] | None = None, payload: dict[str, Any] | None = None) -> str:
    method = verification_method(STRANGERS_DID, STRANGER.public_multibase)
    given = {"alg": "Ed25519", "typ": ISSUER_LIST_TYPE, "kid": method, **(header or {})}
    return write_compact(given, orjson.dumps(payload or LIST), STRANGER)


def test_a_signed_registry_counts_by_the_signature_that_the_operator_trusts() -> None:
    assert STRANGERS_DID in read_registry(token(), signers=[STRANGERS_DID], now=NOW).parties
    tampered = token().replace(token().split(".")[1], write_compact({"alg": "Ed25519"}, b"{}", STRANGER).split(".")[1])
    for text, signer, code in (
        (token(), None, "registry_signer"),
        (token(), DID, "registry_signer"),
        (orjson.dumps(LIST).decode(), STRANGERS_DID, "registry_unsigned"),
        (token({"typ": "vc+jwt"}), STRANGERS_DID, "registry_form"),
        (tampered, STRANGERS_DID, "registry_proof"),
        (token(payload={**LIST, "validUntil": "2026-03-06T09:30:00Z"}), STRANGERS_DID, "registry_expired"),
    ):
        with pytest.raises(CredentialError) as refused:
            read_registry(text, signers=[signer] if signer else (), now=NOW)
        assert refused.value.code == code


LATER = NOW + timedelta(days=7)


def own_list(at: datetime = NOW, until: datetime = LATER, **changes: Any) -> str:
    given: dict[str, Any] = {"begins": NOW - timedelta(days=30)}
    party = Party(STRANGERS_DID, "Banksia College", "https://banksia.example", "banksia", **{**given, **changes})
    return write_issuer_list([party], name="badges.example", key=KEY, at=at, ends=until)


OWN_SIGNER = did_key(KEY.public_multibase)


def test_a_list_that_an_installation_writes_is_read_as_it_was_meant() -> None:
    since = NOW - timedelta(days=3)
    period: dict[str, Any] = {"begins": NOW - timedelta(days=30), "ends": since}
    period["suspension"] = Suspension(since, "under_review")
    found = read_registry(own_list(**period), signers=[OWN_SIGNER], now=NOW)
    party = Party(STRANGERS_DID, "Banksia College", "https://banksia.example", **period)
    assert found == Registry("badges.example", {STRANGERS_DID: [party]}, LATER, NOW)


@pytest.mark.parametrize("later", [timedelta(), timedelta(days=1)])
def test_what_a_party_issued_before_its_suspension_stands_and_no_more(later: timedelta) -> None:
    since = NOW + later
    text = own_list(ends=since, suspension=Suspension(since, "security"))
    signer = report_on(
        strangers(), KnownParties(registries=[read_registry(text, signers=[OWN_SIGNER], now=NOW)])
    ).signer
    assert signer is not None
    assert signer.standing == ("listed" if later else "unknown")
    if later:
        assert "listed by badges.example when it was issued, suspended since 2026-03-07" in signer.message


@pytest.mark.parametrize("held", [7, {}, {"since": "2026-03-06T09:30:00Z"}, {"since": "x", "reason": "closed"}])
def test_a_suspension_that_cannot_be_read_makes_the_registry_unreadable(held: Any) -> None:
    entry = {**LIST["issuers"][0], "suspension": held}  # type: ignore[dict-item]  # a dict, by its making
    with pytest.raises(CredentialError):
        read_registry(orjson.dumps({**LIST, "issuers": [entry]}), now=NOW)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (own_list(at=NOW - timedelta(seconds=2)), "registry_rolled_back"),
        (token(payload={**LIST, "iat": "yesterday"}), "registry_form"),
        (token(payload={**LIST, "iat": int(NOW.timestamp()), "exp": True}), "registry_form"),
        (token(), "registry_rolled_back"),
        (own_list(at=NOW + timedelta(minutes=6)), "registry_in_future"),
        (own_list(until=NOW), "registry_expired"),
        (token(payload={**LIST, "iss": OWN_SIGNER}), "registry_signer"),
    ],
)
def test_a_list_that_is_over_or_older_than_what_is_held_is_refused(text: str, code: str) -> None:
    held = NOW - timedelta(seconds=1)
    with pytest.raises(CredentialError) as refused:
        read_registry(text, signers=[STRANGERS_DID, OWN_SIGNER], not_before=held, now=NOW)
    assert refused.value.code == code


def test_a_registry_in_the_form_of_the_digital_credentials_consortium_is_read() -> None:
    document = {"meta": {}, "registry": {STRANGERS_DID: {"name": "Banksia College", "url": "https://b.example"}}}
    found = read_registry(orjson.dumps(document), name="DCC", now=NOW)
    assert (found.name, found.parties[STRANGERS_DID][0].name) == ("DCC", "Banksia College")


@pytest.mark.parametrize(
    "document",
    [{}, {"name": "X"}, {"name": "X", "issuers": {}}, {"name": "X", "issuers": [3]}, {"name": "X", "issuers": [{}]}],
)
def test_a_registry_of_another_form_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(CredentialError, match=r"registry|issuer"):
        read_registry(orjson.dumps(document), now=NOW)


SAME = {
    "in capitals": "HTTPS://BADGES.EXAMPLE/badges/0190F2C0-0000-7000-8000-000000000001",
    "with a port": "https://badges.example:443/badges/0190f2c0-0000-7000-8000-000000000001",
    "over http": "http://badges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "with a fragment": "https://badges.example/badges/0190f2c0-0000-7000-8000-000000000001#a",
    "with a query": "https://badges.example/badges/0190f2c0-0000-7000-8000-000000000001?a=b",
    "as a download": "https://badges.example/badges/0190f2c0-0000-7000-8000-000000000001/credential.json",
    "with one slash": "https:/badges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "without a slash": "https:badges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "with many slashes": "https:////badges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "in full width": "https://\uff42adges\uff0eexample/badges/0190f2c0-0000-7000-8000-000000000001",
    "in full width and encoded": "https://%EF%BD%82adges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "with another dot": "https://badges\u3002example/badges/0190f2c0-0000-7000-8000-000000000001",
    "with what is not seen": "https://bad\u00adges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "encoded": "https://badges.example/%62adges/%30190f2c0-0000-7000-8000-000000000001",
    "by a detour": "https://badges.example/x/..//badges/./0190f2c0-0000-7000-8000-000000000001",
    "with a user": "https://somebody@badges.example/badges/0190f2c0-0000-7000-8000-000000000001",
    "with a dot": "https://badges.example./badges/0190f2c0-0000-7000-8000-000000000001",
    "as a URN": "urn:uuid:0190f2c0-0000-7000-8000-000000000001",
    "as a URN in capitals": "URN:UUID:0190F2C0-0000-7000-8000-000000000001",
    "as a URN with a fragment": "urn:uuid:0190f2c0-0000-7000-8000-000000000001#x",
    "as a URN with a long fragment": "urn:uuid:0190f2c0-0000-7000-8000-000000000001#" + "x" * 200,
    "as a URN with a query": "urn:uuid:0190f2c0-0000-7000-8000-000000000001?=a",
    "as a URN with a resolution": "urn:uuid:0190f2c0-0000-7000-8000-000000000001?+a?=b#c",
    "as a URN with a path": "urn:uuid:0190f2c0-0000-7000-8000-000000000001/credential.json",
    "as a URN, encoded": "urn:uuid:%30190f2c0%2D0000-7000-8000-000000000001",
}


@pytest.mark.parametrize("written", SAME)
def test_an_id_of_ours_is_known_however_it_is_written(written: str) -> None:
    assert own_credential_uuid(SAME[written], BASE) == ID


@pytest.mark.parametrize(
    "host",
    ["127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "%31%32%37.1", "127.1.",
     "\uff11\uff12\uff17.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]"],
)  # fmt: skip
def test_an_id_of_ours_is_known_by_each_spelling_of_its_address(host: str) -> None:
    assert own_credential_uuid(f"http://{host}:8103/badges/{ID}", "http://127.0.0.1:8103/badges/") == ID
    assert own_credential_uuid(f"http://{host}:8103/badges/{ID}", "http://[::ffff:127.0.0.1]:8103/badges/") == ID
    for other in ("http://127.0.0.2:8103/badges/", "http://[::1]:8103/badges/", BASE):
        assert own_credential_uuid(f"http://{host}:8103/badges/{ID}", other) is None


@pytest.mark.parametrize(
    "other",
    [
        "https://badges.example.evil.example/badges/0190f2c0-0000-7000-8000-000000000001",
        "https://evil.example/badges/0190f2c0-0000-7000-8000-000000000001",
        "https://badges.example/achievements/0190f2c0-0000-7000-8000-000000000001",
        "https://badges.example:8443/badges/0190f2c0-0000-7000-8000-000000000001",
        "https://[::1/badges/x",
        "did:web:badges.example",
        "urn:uuid:0190f2c0-0000-7000-8000-0000000000012",
        "urn:uuid:0190f2c0-0000-7000-8000-00000000000",
        "urn:oid:1.2.3#urn:uuid:0190f2c0-0000-7000-8000-000000000001",
        "",
    ],
)
def test_an_id_of_others_is_not_ours(other: str) -> None:
    assert own_credential_uuid(other, BASE) is None


def published(text: str | bytes = b"", **changes: Any) -> Publications:
    shown = text or signed()
    texts = {ID: shown.decode() if isinstance(shown, bytes) else shown}
    return Publications(**{"home": HOME, "issuers": frozenset({DID}), "texts": texts, **changes})


def own(**changes: Any) -> dict[str, Any]:
    return {**badge(), "id": f"{BASE}{ID}", **changes}


def resigned(document: dict[str, Any], suite: str = "eddsa-rdfc-2022") -> str:
    return sign(prepare(document), KEY, METHOD, NOW + timedelta(seconds=1), cryptosuite=suite)


OWN = sign(prepare(own()), KEY, METHOD, NOW)


def publication(text: str | bytes, publications: Publications) -> tuple[str, str]:
    check = report_on(text, known(), publications=publications).check("publication")
    return check.outcome, check.code


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        orjson.dumps(orjson.loads(OWN), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
        resigned(own()),
        resigned(own(), "eddsa-jcs-2022"),
        resigned(own(type=["OpenBadgeCredential", "VerifiableCredential"])),
    ],
    ids=["byte for byte", "written otherwise", "with another proof", "with another suite", "in another order"],
)
def test_what_says_the_same_as_was_published_is_published(text: str | bytes) -> None:
    assert publication(text, published(OWN)) == ("pass", "published")


def test_another_text_under_a_published_id_fails_even_if_its_issuer_signed_it() -> None:
    assert publication(resigned(own(name="Another one")), published(OWN)) == ("fail", "publication_differs")


def test_what_was_taken_down_is_said_to_be_so_and_a_strangers_text_under_its_id_to_be_foreign() -> None:
    gone = published(texts={}, taken_down={ID: "personal_data"})
    assert publication(OWN, gone) == ("fail", "taken_down")
    assert publication(strangers(id=f"{BASE}{ID}"), gone) == ("fail", "publication_foreign")


def test_what_was_taken_down_is_revoked_whatever_an_older_list_says() -> None:
    gone = published(texts={}, taken_down={ID: "personal_data"})
    listed = badge()
    assert "credentialStatus" in listed
    for document in (own(), {**listed, "id": f"{BASE}{ID}"}):
        report = report_on(resigned(document), known(), publications=gone)
        assert (report.check("publication").code, report.check("status").code) == ("taken_down", "revoked")
    report = report_on(strangers(id=f"{BASE}{ID}"), known(), publications=gone)
    assert report.check("status").code == "status_none"


@pytest.mark.parametrize("written", SAME)
def test_a_stranger_who_takes_an_id_of_ours_fails(written: str) -> None:
    report = report_on(strangers(id=SAME[written]), known(), publications=published(OWN))
    assert report.check("publication").code == "publication_differs"
    assert report.verdict == "fail"


def test_a_stranger_who_makes_up_an_id_of_ours_fails() -> None:
    for place in (UUID(int=7), "nothing", ""):
        text = strangers(id=f"{BASE}{place}")
        assert publication(text, published(OWN)) == ("fail", "publication_foreign")


def test_what_a_registered_issuer_signed_and_nobody_published_is_unknown() -> None:
    for identifier in (f"{BASE}{UUID(int=7)}", "urn:uuid:00000000-0000-4000-8000-000000000007", "https://x.example/1"):
        found = publication(resigned(own(id=identifier)), published(OWN))
        assert found == ("unknown", "publication_missing")


def test_without_our_records_an_id_of_ours_is_unknown() -> None:
    assert publication(OWN, published(texts={}, available=False)) == ("unknown", "publication_unavailable")


def test_what_stands_elsewhere_is_no_publication_of_ours() -> None:
    assert publication(strangers(id="https://x.example/1"), published(OWN)) == ("pass", "publication_elsewhere")


def test_nothing_is_compared_where_nobody_publishes() -> None:
    assert report_on(OWN).check("publication").code == "publication_not_asked"


def test_an_older_version_of_a_status_list_of_ours_is_no_forgery() -> None:
    (text,) = material().status_lists.values()
    assert isinstance(text, str | bytes)
    assert publication(text, published(OWN)) == ("pass", "publication_elsewhere")
