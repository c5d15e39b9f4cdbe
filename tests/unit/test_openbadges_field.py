"""Badges as they are met in the field: earlier data models, contexts, statuses and pictures, and odd encodings."""

import base64
import gzip
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from libs.openbadges.baking.png import SIGNATURE
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.integrity.create import issued_suite, secure
from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jose.compact import write_compact
from libs.openbadges.jsonld.rdfc import serialize
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2, DATA_INTEGRITY_V2
from libs.openbadges.model.schema import ACHIEVEMENT_SCHEMA
from libs.openbadges.status.bitstring import StatusList
from libs.openbadges.verify import Recipient, Report, ResolvedInputs, dependencies_of, verify

FIELD = Path(__file__).parents[1] / "field"
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEY = Ed25519Key.from_seed(b"f" * 32)
DID = did_key(KEY.public_multibase)
METHOD = verification_method(DID, KEY.public_multibase)
OB = "https://purl.imsglobal.org/spec/ob/v3p0/"


def given(name: str) -> bytes:
    (path,) = FIELD.glob(f"{name}-*")
    return path.read_bytes()


def report(document: Any, recipient: Recipient | None = None, **lists: Any) -> Report:
    return verify(document, ResolvedInputs(status_lists=lists.get("lists", {})), NOW, recipient=recipient)


def badge(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(given("25").removeprefix(b"\xef\xbb\xbf"))
    del document["proof"]
    document["issuer"]["id"] = DID
    return {**document, **changes}


def signed(document: dict[str, Any], suite: str = "eddsa-rdfc-2022") -> str:
    return sign(prepare(document), KEY, METHOD, NOW, cryptosuite=suite)


@pytest.mark.parametrize("name", ["21", "22", "23", "25", "30"])
def test_a_good_badge_of_the_field_passes(name: str) -> None:
    found = report(given(name))
    assert found.verdict == "pass", [check for check in found.checks if check.outcome != "pass"]


def older(**changes: Any) -> dict[str, Any]:
    """A badge of VCDM 1.1."""
    document: dict[str, Any] = orjson.loads(given("21"))
    del document["proof"]
    document["issuer"]["id"] = DID
    return {**document, **changes}


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"issuanceDate": "2023-06-12T10:00:00"}, ("pass", "in_force")),
        ({"issuanceDate": "2023-06-12T10:00:00.25", "expirationDate": "2036-06-12T10:00:00"}, ("pass", "in_force")),
        ({"expirationDate": "2026-11-19T18:00:00"}, ("fail", "expired")),
        ({"expirationDate": "2026-11-20T18:00:00"}, ("unknown", "date_without_zone")),
        ({"expirationDate": "2026-11-20T01:00:00"}, ("unknown", "date_without_zone")),
        ({"expirationDate": "2026-11-20T01:00:00Z"}, ("fail", "expired")),
        ({"issuanceDate": "2026-11-21T00:00:00"}, ("fail", "not_yet_valid")),
    ],
)
def test_a_date_of_the_older_data_model_may_lack_its_zone(dates: dict[str, str], expected: tuple[str, str]) -> None:
    found = report(proven(older(**dates)))
    check = found.check("dates")
    assert ((check.outcome, check.code), found.verdict) == (expected, expected[0])


@pytest.mark.parametrize(
    ("dates", "code"),
    [
        ({"validFrom": "9999-12-31T23:59:59-14:00"}, "not_yet_valid"),
        ({"validUntil": "0001-01-01T00:00:00+14:00", "validFrom": "0001-01-01T00:00:00+14:00"}, "expired"),
        ({"validUntil": "9999-12-31T23:59:59-14:00"}, "in_force"),
    ],
)
def test_a_date_at_an_end_of_the_calendar_is_one_like_others(dates: dict[str, str], code: str) -> None:
    check = report(orjson.dumps(badge(**dates))).check("dates")
    assert check.code == code
    assert all(text in check.message for text in list(dates.values())[:1] if code != "in_force")


def test_a_date_of_the_newer_data_model_may_not() -> None:
    assert report(proven(badge(validFrom="2023-06-12T10:00:00"))).check("format").code == "date_without_zone"


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
@pytest.mark.parametrize("edition", ["context", "context-3.0.1", "context-3.0.2", "context-3.0.3"])
def test_every_edition_of_the_context_is_read(edition: str, suite: str) -> None:
    document = badge(**{"@context": [CREDENTIALS_V2, f"{OB}{edition}.json"]})
    assert report(signed(document, suite)).verdict == "pass"


@pytest.mark.parametrize(
    "context",
    [
        "https://www.w3.org/ns/credentials/status/v1",
        "https://w3id.org/vc/status-list/2021/v1",
        "https://purl.imsglobal.org/spec/clr/v2p0/context.json",
    ],
)
def test_contexts_that_badges_of_the_field_name_are_read(context: str) -> None:
    document = badge(**{"@context": [CREDENTIALS_V2, f"{OB}context-3.0.3.json", context]})
    assert report(signed(document)).verdict == "pass"


def test_the_context_of_the_digital_credentials_consortium_is_read() -> None:
    document = {
        "@context": [CREDENTIALS_V1, "https://w3id.org/dcc/v1", "https://w3id.org/security/data-integrity/v2"],
        "id": "urn:uuid:00000000-0000-4000-8000-0000000000dc",
        "type": ["VerifiableCredential", "LearningCredential"],
        "issuer": {"id": DID, "name": "A college", "url": "https://college.example"},
        "issuanceDate": "2023-06-12T10:00:00Z",
        "credentialSubject": {"type": "Person", "name": "Somebody"},
    }
    assert report(signed(document)).verdict == "pass"


def odd(**changes: Any) -> dict[str, Any]:
    """A badge whose issuer's picture is text, which the schema does not allow."""
    document = badge(**changes)
    document["issuer"]["image"] = "https://college.example/logo.png"
    return document


def proven(document: dict[str, Any]) -> bytes:
    """A badge as an issuer signs it who does not look at the schema."""
    (text,) = secure([VERIFY_SUITES.canonical(document)], issued_suite("eddsa-rdfc-2022"), KEY, METHOD, NOW)
    return text.encode()


def test_a_schema_that_is_not_named_does_not_make_a_badge_bad() -> None:
    found = report(proven(odd()))
    assert found.verdict == "pass"
    check = found.check("schema")
    assert (check.outcome, check.code) == ("pass", "schema_departs")
    assert "/issuer" in check.message


def test_a_schema_that_is_named_does() -> None:
    document = odd(
        credentialSchema=[{"id": ACHIEVEMENT_SCHEMA, "type": "1EdTechJsonSchemaValidator2019"}],
        **{"@context": [CREDENTIALS_V2, f"{OB}context-3.0.3.json", f"{OB}extensions.json"]},
    )
    assert report(proven(document)).check("schema").outcome == "fail"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


OB2 = {"@context": "https://w3id.org/openbadges/v2", "type": "Assertion", "id": "https://badges.example/a/1"}
OB1 = {
    "uid": "1",
    "recipient": {"type": "email", "hashed": False, "identity": "kim@school.example"},
    "badge": "https://badges.example/b/1",
    "verify": {"type": "hosted", "url": "https://badges.example/a/1"},
}
BLOCKCERT = {"@context": ["https://w3id.org/openbadges/v2", "https://w3id.org/blockcerts/v2"], "type": "Assertion"}


def png(*chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def ob2_svg(inside: str, verify: str = "") -> bytes:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg"><openbadges:assertion xmlns:openbadges="http://openbadges.org"'
        f"{verify}>{inside}</openbadges:assertion></svg>"
    ).encode()


JWS = write_compact({"alg": "Ed25519"}, orjson.dumps(OB2), KEY)
OLDER: dict[str, tuple[Any, str]] = {
    "PNG": (given("24"), "open_badges_2"),
    "PNG, a link": (png(chunk(b"tEXt", b"openbadges\0https://badges.example/a/1")), "open_badges_2"),
    "PNG, a JWS": (png(chunk(b"iTXt", b"openbadges\0\0\0\0\0" + JWS.encode())), "open_badges_2"),
    "PNG, compressed": (png(chunk(b"zTXt", b"openbadges\0\0" + zlib.compress(b"{}"))), "open_badges_2"),
    "PNG of the first edition": (
        png(chunk(b"iTXt", b"openbadges\0\0\0\0\0" + orjson.dumps(OB1))),
        "open_badges_1",
    ),
    "SVG": (ob2_svg(f"<![CDATA[{orjson.dumps(OB2).decode()}]]>"), "open_badges_2"),
    "SVG, a JWS": (ob2_svg("", f' verify="{JWS}"'), "open_badges_2"),
    "JSON": (orjson.dumps(OB2), "open_badges_2"),
    "JSON of its badge class": (orjson.dumps({**OB2, "type": "BadgeClass"}), "open_badges_2"),
    "JWS": (JWS, "open_badges_2"),
    "the first edition": (orjson.dumps(OB1), "open_badges_1"),
    "the first edition with a context": (
        orjson.dumps({**OB1, "@context": "https://w3id.org/openbadges/v1"}),
        "open_badges_1",
    ),
    "the beta": (
        orjson.dumps({"recipient": "kim@school.example", "badge": {"name": "Raft", "criteria": "/c"}}),
        "open_badges_1",
    ),
    "Blockcerts": (orjson.dumps(BLOCKCERT), "blockcerts"),
}


@pytest.mark.parametrize("kind", OLDER)
def test_an_earlier_edition_is_said_to_be_one_and_is_not_bad(kind: str) -> None:
    document, code = OLDER[kind]
    found = report(document)
    assert (found.verdict, found.check("format").code) == ("unknown", code)
    edition = {"open_badges_2": "Open Badges 2", "open_badges_1": "Open Badges 1", "blockcerts": "Blockcerts"}[code]
    assert f"This is {edition}" in found.check("format").message


def test_a_picture_with_a_badge_of_each_edition_is_unknown_since_others_show_the_older() -> None:
    old = chunk(b"iTXt", b"openbadges\0\0\0\0\0" + orjson.dumps(OB2))
    new = chunk(b"iTXt", b"openbadgecredential\0\0\0\0\0" + signed(badge()).encode())
    found = report(png(old, new))
    assert (found.verdict, found.check("format").code) == ("unknown", "baked_many")
    assert report(png(new)).verdict == "pass"


@pytest.mark.parametrize("text", [{"badge": 1}, {"recipient": "x"}, {"@context": "https://x.example"}, {}])
def test_what_is_no_badge_of_any_edition_fails(text: dict[str, Any]) -> None:
    assert report(orjson.dumps(text)).verdict == "fail"


SVG = (
    '<!DOCTYPE svg SYSTEM "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:openbadges="https://purl.imsglobal.org/ob/v3p0"><title>{title}</title>'
    "<openbadges:credential><![CDATA[{credential}]]></openbadges:credential></svg>"
)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("UTF-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16", "utf-16-be"),
        ("ISO-8859-1", "latin-1"),
        ("iso-8859-15", "iso8859-15"),
        ("windows-1252", "cp1252"),
        ("us-ascii", "ascii"),
    ],
)
def test_a_picture_is_read_in_the_encodings_that_drawing_programs_write(declared: str, encoding: str) -> None:
    title = "A raft" if encoding == "ascii" else "Ein Floß"
    credential = signed(badge(name="Raft builder" if encoding == "ascii" else "Floßbau"))
    picture = SVG.replace("{title}", title).replace("{credential}", credential)
    text = f'<?xml version="1.0" encoding="{declared}"?>\n{picture}'
    assert report(text.encode(encoding)).verdict == "pass"


def test_a_picture_is_read_whose_declaration_is_misplaced_or_untrue() -> None:
    picture = SVG.replace("{title}", "Ein Floß").replace("{credential}", signed(badge(name="Floßbau")))
    for head in ('<?xml version="1.0" encoding="utf-16"?>\n', '\n<?xml version="1.0" encoding="UTF-8"?>\n'):
        assert report(f"{head}{picture}".encode()).verdict == "pass"
    assert report(f'<?xml version="1.0" encoding="utf-8"?>{picture}'.encode("utf-16")).verdict == "pass"


def test_what_a_picture_would_fetch_or_define_is_neither_read_nor_held_against_it() -> None:
    picture = SVG.replace("{title}", "").replace("{credential}", signed(badge()))
    for declared in (
        picture.replace('svg11.dtd">', 'svg11.dtd" [<!ENTITY x "y">]>'),
        picture.replace("<![CDATA[", "&unknown;<![CDATA["),
    ):
        assert report(declared.encode()).verdict == "unknown"


def test_a_credential_in_a_form_that_is_not_read_is_unknown_and_said_to_be_it() -> None:
    text, token = signed(badge()), write_compact({"alg": "Ed25519"}, orjson.dumps(badge()), KEY)
    compressed = png(chunk(b"iTXt", b"openbadgecredential\0\1\0\0\0" + zlib.compress(text.encode())))
    other_chunk = png(chunk(b"tEXt", b"openbadgecredential\0" + text.encode()))
    presentation = {"@context": [CREDENTIALS_V2], "type": "VerifiablePresentation", "verifiableCredential": [badge()]}
    for given, code in (
        (compressed, "baked_compressed"),
        (other_chunk, "baked_form"),
        (f"{token}~WyJhIl0~", "sd_jwt"),
        (f" {token}~\n".encode(), "sd_jwt"),
        (f"{token}.c2Vj.cmV0", "jwe"),
        (orjson.dumps(presentation), "not_a_credential"),
        (presentation, "not_a_credential"),
    ):
        found = report(given)
        assert (found.verdict, found.check("format").outcome, found.check("format").code) == (
            "unknown",
            "unknown",
            code,
        )


def test_a_byte_order_mark_is_ignored_and_another_encoding_of_json_is_unknown() -> None:
    text = signed(badge())
    assert report(b"\xef\xbb\xbf" + text.encode()).verdict == report("\ufeff" + text).verdict == "pass"
    for encoding in ("utf-16", "cp1252"):
        found = report(signed(badge(name="Floßbau")).encode(encoding))
        assert (found.verdict, found.check("format").code) == ("unknown", "encoding_unread")


@pytest.mark.parametrize(
    "around", ["[{}]", "[{}, {}]", ' {{"credential": {}}}', '{{"verifiableCredential": [{}]}}', '{{"vc": {}, "n": 1}}']
)
def test_what_holds_a_credential_and_is_none_is_not_bad(around: str) -> None:
    text = signed(badge())
    for given in (
        around.format(text, text),
        around.format(text, text).encode(),
        b"\xef\xbb\xbf" + around.format(text, text).encode(),
    ):
        found = report(given)
        assert (found.verdict, found.check("format").code) == ("unknown", "wrapped")


@pytest.mark.parametrize(
    ("asked", "stated"),
    [
        ("Kim.Lee@School.example", None),
        ("KIM.LEE@SCHOOL.EXAMPLE", None),
        ("kim.lee@school.example", None),
        (" kim.lee@School.EXAMPLE ", None),
        ("kim.lee@school.example", "Kim.Lee@School.example"),
        ("kim.lee@school.example", "KIM.LEE@school.example"),
    ],
)
@pytest.mark.parametrize("kind", [None, "emailAddress"])
def test_an_address_in_other_capitals_is_the_same(asked: str, stated: str | None, kind: str | None) -> None:
    document: Any = given("30")
    if stated is not None:
        identifier = {"type": "IdentityObject", "hashed": False, "identityHash": stated, "identityType": "emailAddress"}
        document = badge()
        document["credentialSubject"]["identifier"] = [identifier]
        document = signed(document)
    assert report(document, Recipient(asked, kind)).check("recipient").outcome == "pass"


@pytest.mark.parametrize(
    "asked",
    [
        "mailto:kim.lee@school.example",
        "mailto:Kim.Lee@school.example?subject=Your%20badge",
        "Kim Lee <kim.lee@school.example>",
        "<kim.lee@school.example>",
        "kim.lee@school.example\u200b",
        "\u202akim.lee@school.example\u202c",
        "\uff4bim.lee\uff20school.example",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("hashed", [True, False])
def test_an_address_is_the_same_with_what_surrounds_it_where_it_was_copied(asked: str, hashed: bool) -> None:
    document: Any = given("30")
    if not hashed:
        document = badge()
        document["credentialSubject"]["identifier"] = [
            {
                "type": "IdentityObject",
                "hashed": False,
                "identityHash": "kim.lee@school.example",
                "identityType": "emailAddress",
            }
        ]
        document = signed(document)
    assert report(document, Recipient(asked)).check("recipient").outcome == "pass"


def test_another_address_is_somebody_else() -> None:
    other = ("kim.leo@school.example", "kim.lee@school.example.au", "kimlee@school.example")
    for asked in (*other, "kim.lee@school.example <leo@school.example>", "mailto:leo@school.example"):
        assert report(given("30"), Recipient(asked)).check("recipient").outcome == "fail"


REVOKED = "https://badges.example/revoked.json"


def listing(**changes: Any) -> dict[str, Any]:
    issuer = orjson.loads(given("27"))["issuer"]["id"]
    return {"id": REVOKED, "issuer": issuer, "revokedCredential": [], **changes}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("pass", "not_set")),
        ({"revokedCredential": [{"id": "urn:uuid:other"}]}, ("pass", "not_set")),
        ({"revokedCredential": [{"id": "urn:uuid:00000000-0000-4000-8000-000000000056"}]}, ("fail", "revoked")),
        ({"revokedCredential": ["urn:uuid:00000000-0000-4000-8000-000000000056"]}, ("fail", "revoked")),
        ({"revokedCredential": ["urn:uuid:other", {"id": "urn:uuid:another"}]}, ("pass", "not_set")),
        (
            {"revokedCredential": {"id": "urn:uuid:00000000-0000-4000-8000-000000000056", "revoked": True}},
            ("fail", "revoked"),
        ),
        (
            {"revokedCredential": [{"id": "urn:uuid:00000000-0000-4000-8000-000000000056", "revoked": False}]},
            ("pass", "not_set"),
        ),
        (
            {"revokedCredential": [{"id": "urn:uuid:00000000-0000-4000-8000-000000000056", "revoked": "false"}]},
            ("unknown", "MALFORMED_VALUE_ERROR"),
        ),
        (
            {"revokedCredential": [{"id": "urn:uuid:00000000-0000-4000-8000-000000000056", "revoked": None}]},
            ("unknown", "MALFORMED_VALUE_ERROR"),
        ),
        ({"revokedCredential": [{"id": "URN:UUID:00000000-0000-4000-8000-000000000056"}]}, ("fail", "revoked")),
        ({"type": "1EdTechRevocationList"}, ("pass", "not_set")),
        ({"type": ["VerifiableCredential"]}, ("unknown", "STATUS_VERIFICATION_ERROR")),
        ({"issuer": "did:example:other"}, ("unknown", "STATUS_VERIFICATION_ERROR")),
        ({"id": "https://badges.example/other.json"}, ("unknown", "STATUS_VERIFICATION_ERROR")),
        ({"revokedCredential": "all"}, ("unknown", "STATUS_VERIFICATION_ERROR")),
    ],
)
def test_a_revocation_list_of_1edtech_tells(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    check = report(given("27"), lists={REVOKED: orjson.dumps(listing(**changes))}).check("status")
    assert (check.outcome, check.code) == expected


def test_the_revocation_list_is_asked_for_and_unknown_without_it() -> None:
    assert dependencies_of(given("27")).status_lists == {REVOKED}
    assert report(given("27")).check("status").code == "STATUS_RETRIEVAL_ERROR"


LIST = "https://badges.example/status/1"


def encoded(*indexes: int) -> str:
    statuses = StatusList()
    for index in indexes:
        statuses.set(index)
    return base64.urlsafe_b64encode(gzip.compress(statuses.to_bytes(), mtime=0)).decode()


def status_list(*indexes: int, **changes: Any) -> str:
    subject = {"type": "StatusList2021", "statusPurpose": "revocation", "encodedList": encoded(*indexes)}
    document = {
        "@context": [CREDENTIALS_V1, "https://w3id.org/vc/status-list/2021/v1", DATA_INTEGRITY_V2],
        "id": LIST,
        "type": ["VerifiableCredential", "StatusList2021Credential"],
        "issuer": DID,
        "issuanceDate": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": f"{LIST}#list", **subject},
    }
    return signed({**document, **changes})


def listed_badge(**entry: Any) -> str:
    document = orjson.loads(given("27b"))
    del document["proof"]
    document["issuer"]["id"] = DID
    document["credentialStatus"].update(entry)
    return signed(document)


@pytest.mark.parametrize(("indexes", "expected"), [((), ("pass", "not_set")), ((7,), ("fail", "revoked"))])
def test_a_status_list_of_2021_tells(indexes: tuple[int, ...], expected: tuple[str, str]) -> None:
    check = report(listed_badge(), lists={LIST: status_list(*indexes)}).check("status")
    assert (check.outcome, check.code) == expected


@pytest.mark.parametrize(("indexes", "expected"), [((), ("pass", "not_set")), ((7,), ("fail", "revoked"))])
def test_a_status_list_of_2021_tells_however_it_was_written(
    indexes: tuple[int, ...], expected: tuple[str, str]
) -> None:
    packed = base64.urlsafe_b64decode(encoded(*indexes))
    hundred_thousand = gzip.compress(gzip.decompress(packed)[:12_500])
    for text in (
        base64.urlsafe_b64encode(hundred_thousand).decode(),
        base64.b64encode(packed).decode(),
        encoded(*indexes).rstrip("="),
        "u" + encoded(*indexes).rstrip("="),
    ):
        subject = {"id": f"{LIST}#list", "type": ["StatusList2021"], "statusPurpose": "revocation", "encodedList": text}
        found = status_list(credentialSubject=subject)
        check = report(listed_badge(), lists={LIST: found}).check("status")
        assert (check.outcome, check.code) == expected
    check = report(listed_badge(statusListIndex=7), lists={LIST: status_list(*indexes)}).check("status")
    assert (check.outcome, check.code) == expected


@pytest.mark.parametrize(("bits", "expected"), [(b"\0", "unknown"), (b"\1", "fail")])
def test_a_bitstring_list_that_is_too_short_takes_back_and_tells_nothing_else(bits: bytes, expected: str) -> None:
    entry = {"type": "BitstringStatusListEntry", "id": f"{LIST}#7", "statusPurpose": "revocation"}
    document = badge(credentialStatus={**entry, "statusListIndex": "7", "statusListCredential": LIST})
    text = "u" + base64.urlsafe_b64encode(gzip.compress(bits + bytes(12_499))).decode().rstrip("=")
    listing = {
        "@context": [CREDENTIALS_V2],
        "id": LIST,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": DID,
        "credentialSubject": {"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": text},
    }
    check = report(signed(document), lists={LIST: signed(listing)}).check("status")
    assert check.outcome == expected
    assert check.code == ("revoked" if expected == "fail" else "STATUS_LIST_LENGTH_ERROR")


OTHER_LISTS: dict[str, dict[str, Any]] = {
    "of another URL": {"id": "https://badges.example/status/2"},
    "of another issuer": {"issuer": did_key(Ed25519Key.from_seed(b"o" * 32).public_multibase)},
}


def other_list(kind: str, *indexes: int) -> str:
    if kind == "of another URL":
        return status_list(*indexes, **OTHER_LISTS[kind])
    other = Ed25519Key.from_seed(b"o" * 32)
    did = did_key(other.public_multibase)
    document = orjson.loads(status_list(*indexes))
    del document["proof"]
    return sign(prepare({**document, "issuer": did}), other, verification_method(did, other.public_multibase), NOW)


@pytest.mark.parametrize("kind", OTHER_LISTS)
def test_a_set_bit_of_another_proven_list_takes_back_and_an_unset_one_says_nothing(kind: str) -> None:
    revoked = report(listed_badge(), lists={LIST: other_list(kind, 7)}).check("status")
    assert (revoked.outcome, revoked.code) == ("fail", "revoked")
    unset = report(listed_badge(), lists={LIST: other_list(kind)}).check("status")
    assert (unset.outcome, unset.code) == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_a_list_that_is_not_proven_or_is_none_counts_for_nothing() -> None:
    tampered = orjson.loads(status_list())
    tampered["credentialSubject"]["encodedList"] = encoded(7)
    for text in (orjson.dumps(tampered), signed(badge(id=LIST)), status_list(7, type=["VerifiableCredential"])):
        check = report(listed_badge(), lists={LIST: text}).check("status")
        assert (check.outcome, check.code) == ("unknown", "STATUS_VERIFICATION_ERROR")


def test_a_key_at_an_https_url_has_one_answer_in_a_proof_and_in_a_token() -> None:
    document = orjson.loads(given("40"))
    embedded = report(given("40"))
    del document["proof"]
    header = {"alg": "Ed25519", "typ": "vc+jwt", "kid": "https://school.example/issuers/1/key"}
    token = report(write_compact(header, orjson.dumps(document), KEY))
    for found in (embedded, token):
        assert found.verdict == "unknown"
        assert (found.check("proof").code, found.check("issuer").code) == ("key_unavailable", "key_owner_unknown")


def test_a_refresh_service_may_stand_at_the_credentials_own_url() -> None:
    service: dict[str, Any] = {"id": badge()["id"], "type": "1EdTechCredentialRefresh"}
    contexts = {"@context": [CREDENTIALS_V2, f"{OB}context-3.0.3.json", f"{OB}extensions.json"]}
    assert report(signed(badge(refreshService=service, **contexts))).verdict == "pass"
    hidden = badge(refreshService={**service, "name": "Another"}, **contexts)
    assert report(orjson.dumps(hidden)).check("context").code == "duplicate_id"


@pytest.mark.parametrize("proof", ["text", 5, ["text"], [[]], True])
def test_a_proof_that_is_no_map_is_told_from_one_that_is_wrong(proof: Any) -> None:
    check = report(orjson.dumps(badge(proof=proof))).check("proof")
    assert (check.outcome, check.code) == ("fail", "proof_not_map")


def canonical(text: str, twins: int) -> str:
    """The canonical N-Quads of literals; two alike blank nodes take the way through the library's algorithm."""
    literal = {"type": "literal", "value": text, "datatype": "http://www.w3.org/2001/XMLSchema#string"}
    statements = [
        {
            "subject": {"type": "blank node", "value": f"_:b{number}"},
            "predicate": {"type": "IRI", "value": "urn:p"},
            "object": literal,
        }
        for number in range(twins)
    ]
    return serialize({"@default": statements}).text


@pytest.mark.parametrize("twins", [1, 2])
def test_literals_are_escaped_as_canonical_n_quads_have_it(twins: int) -> None:
    # RDFC-1.0, section 5, and test060 of the W3C's suite: every control has one form, and all else stands as it is.
    short = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}
    for code in (*range(0x100), 0x2028, 0xFFFE, 0x1F600):
        sign = chr(code)
        control = code < 0x20 or code == 0x7F
        expected = "\\" + short[sign] if sign in short else f"\\u{code:04X}" if control else sign
        assert canonical(f"a{sign}b", twins) == "".join(
            f'_:c14n{number} <urn:p> "a{expected}b" .\n' for number in range(twins)
        )
