"""Baking: what goes in comes out, the rest of the picture stays, and damaged or hostile files end in a clear error."""

import base64
import json
import struct
import time
import zlib
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.openbadges.baking import PICTURE_BYTES, bake, picture_format, unbake
from libs.openbadges.baking.png import MOST_CHUNKS, SIGNATURE
from libs.openbadges.baking.svg import (
    LONGEST_NAMESPACE,
    MOST_ATTRIBUTES,
    MOST_CREDENTIALS,
    MOST_ELEMENTS,
    MOST_NAMESPACES,
)
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.verify import dependencies_of, verify
from tests.unit.openbadges_samples import DID, LIST, NOW, material, signed, to_fetch

CREDENTIAL = signed()
RECORD = json.dumps({"type": ["VerifiableCredential", "ClrCredential"], "name": "Zeugnis für Änne 回復力 ]]> ok"})
OB = "https://purl.imsglobal.org/ob/v3p0"
CLR = "https://purl.imsglobal.org/clr/v2p0"
SVG = badge_svg(name="Resilience", issuer="Wattle Grove").encode()


def jws(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


TOKEN = jws({"type": ["VerifiableCredential", "OpenBadgeCredential"]})
RECORD_TOKEN = jws({"vc": {"type": ["VerifiableCredential", "ClrCredential"]}})


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
END = chunk(b"IEND")
PNG = SIGNATURE + HEADER + PIXELS + END


def text_chunk(keyword: bytes, text: bytes, flags: bytes = b"\0\0") -> bytes:
    return chunk(b"iTXt", keyword + b"\0" + flags + b"\0\0" + text)


def refused(picture: bytes) -> str:
    with pytest.raises(CredentialError) as raised:
        unbake(picture)
    return raised.value.code


@pytest.mark.parametrize("picture", [PNG, SVG], ids=["png", "svg"])
@pytest.mark.parametrize("credential", [CREDENTIAL, RECORD, TOKEN, RECORD_TOKEN])
def test_what_is_baked_reads_back(picture: bytes, credential: str) -> None:
    read = unbake(bake(picture, credential))
    assert read.content.text == credential
    assert read.content.is_jws == (credential in {TOKEN, RECORD_TOKEN})
    assert read.content.is_record == (credential in {RECORD, RECORD_TOKEN})
    assert read.format == picture_format(picture)


def test_a_png_carries_one_uncompressed_chunk_with_the_keyword_of_the_standard() -> None:
    baked = bake(PNG, CREDENTIAL)
    assert baked == SIGNATURE + HEADER + text_chunk(b"openbadgecredential", CREDENTIAL.encode()) + PIXELS + END
    assert text_chunk(b"clrcredential", RECORD.encode()) in bake(PNG, RECORD)


def test_an_svg_carries_the_element_of_the_standard_directly_behind_its_tag() -> None:
    root = ET.fromstring(bake(SVG, CREDENTIAL))  # noqa: S314  our own drawing
    assert root[0].tag == f"{{{OB}}}credential"
    assert root[0].text == CREDENTIAL
    assert bake(b'<svg xmlns="http://www.w3.org/2000/svg"/>', TOKEN).decode() == (
        f'<svg xmlns:openbadges="{OB}" xmlns="http://www.w3.org/2000/svg">'
        f'<openbadges:credential verify="{TOKEN}"></openbadges:credential></svg>'
    )
    record = ET.fromstring(bake(SVG, RECORD_TOKEN))[0]  # noqa: S314  our own drawing
    assert (record.tag, record.get("verify")) == (f"{{{CLR}}}credential", RECORD_TOKEN)


@pytest.mark.parametrize("picture", [PNG, SVG], ids=["png", "svg"])
def test_baking_again_replaces_the_credential_and_changes_nothing_else(picture: bytes) -> None:
    assert bake(bake(picture, CREDENTIAL), signed(2)) == bake(picture, signed(2))
    assert unbake(bake(bake(picture, CREDENTIAL), RECORD)).content.is_record
    assert bake(picture, CREDENTIAL) == bake(picture, CREDENTIAL)


def test_the_rest_of_an_svg_stays_byte_for_byte() -> None:
    before, root, after = (
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<!-- a > b -->\r\n<s:svg',
        b"\n  xmlns:s = 'http://www.w3.org/2000/svg' data-x='a>b'\t>",
        "<s:text>\r\n  Ä&#x41;&amp;<![CDATA[<]]></s:text>\n<?x y?></s:svg>\n<!-- ü -->\n".encode(),
    )
    declaration = f' xmlns:openbadges="{OB}"'.encode()
    element = f'<openbadges:credential verify="{TOKEN}"></openbadges:credential>'.encode()
    assert bake(before + root + after, TOKEN) == before + declaration + root + element + after


def test_an_old_element_is_found_under_any_prefix_and_place() -> None:
    old = f"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:ob='{OB}'><g><ob:credential verify='{TOKEN}' /></g></svg>"""
    assert unbake(old.encode()).content.text == TOKEN
    again = bake(old.encode(), CREDENTIAL)
    assert again.endswith(b"]]></openbadges:credential><g></g></svg>")
    assert unbake(again).content.text == CREDENTIAL


def test_a_png_in_which_another_wrote_the_credential_late_or_compressed_can_be_baked_anew() -> None:
    late = SIGNATURE + HEADER + PIXELS + text_chunk(b"openbadgecredential", b"x", b"\1\0") + END + b"behind"
    assert bake(late, CREDENTIAL) == bake(PNG, CREDENTIAL) + b"behind"


# Time says nothing on a machine that does other things too.
PROPERTY = settings(max_examples=60, deadline=None)
TEXT = st.text() | st.text("]>\\\ufffe<&")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@PROPERTY
@given(st.dictionaries(TEXT, JSON_VALUES, max_size=5), st.booleans())
def test_any_json_survives_both_kinds_of_picture(document: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(document, ensure_ascii=escaped)
    for picture in (PNG, SVG):
        assert json.loads(unbake(bake(picture, text)).content.text) == document


CHUNKS = st.lists(
    st.tuples(
        st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4)
        .map(str.encode)
        .filter(lambda kind: kind not in {b"IHDR", b"IEND", b"IDAT"}),
        st.binary(max_size=200),
    ),
    max_size=8,
)


@PROPERTY
@given(CHUNKS, CHUNKS, st.binary(max_size=40))
def test_any_png_with_valid_chunks_survives(
    first: list[tuple[bytes, bytes]], last: list[tuple[bytes, bytes]], behind: bytes
) -> None:
    rest = b"".join(chunk(*one) for one in first) + PIXELS + b"".join(chunk(*one) for one in last) + END + behind
    baked = bake(SIGNATURE + HEADER + rest, CREDENTIAL)
    assert baked == SIGNATURE + HEADER + text_chunk(b"openbadgecredential", CREDENTIAL.encode()) + rest
    assert unbake(baked).content.text == CREDENTIAL


@PROPERTY
@given(st.data())
def test_a_flipped_byte_in_a_baked_png_is_an_error_or_leaves_the_credential_as_it_was(data: st.DataObject) -> None:
    baked = bytearray(bake(PNG, CREDENTIAL))
    place = data.draw(st.integers(0, len(baked) - 1))
    baked[place] ^= data.draw(st.integers(1, 255))
    assert refused(bytes(baked)) in {"png_damaged", "png_crc", "picture_kind", "svg_damaged"}


@PROPERTY
@given(st.data())
def test_a_baked_file_cut_or_overwritten_anywhere_never_raises_anything_but_our_error(data: st.DataObject) -> None:
    for picture in (PNG, SVG):
        baked = bake(picture, CREDENTIAL)
        cut = data.draw(st.integers(0, len(baked) - 1))
        broken = baked[:cut] + data.draw(st.binary(max_size=12)) + baked[cut + data.draw(st.integers(0, 12)) :]
        for hostile in (baked[:cut], broken):
            # Each by itself: most of what cannot be read must not be written into either.
            with suppress(CredentialError):
                unbake(hostile)
            with suppress(CredentialError):
                bake(hostile, TOKEN)


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (PNG, "baked_none"),
        (b"", "picture_kind"),
        (b"GIF89a", "picture_kind"),
        (b"\x1f\x8b\x08", "picture_kind"),
        (SIGNATURE, "png_damaged"),
        (SIGNATURE + PIXELS + END, "png_damaged"),
        (SIGNATURE + HEADER + HEADER + PIXELS + END, "png_damaged"),
        (SIGNATURE + HEADER + END, "png_damaged"),
        (SIGNATURE + HEADER + PIXELS, "png_damaged"),
        (SIGNATURE + chunk(b"IHDR", b"short") + PIXELS + END, "png_damaged"),
        (SIGNATURE + HEADER + chunk(b"a\0bc") + PIXELS + END, "png_damaged"),
        (SIGNATURE + HEADER + b"\xff\xff\xff\xffIDAT" + PIXELS, "png_damaged"),
        (SIGNATURE + HEADER + b"\x00\x00\xff\xffIDAT" + PIXELS, "png_damaged"),
        (SIGNATURE + HEADER + PIXELS[:-1] + b"\0" + END, "png_crc"),
        (SIGNATURE + HEADER + chunk(b"iTXt", b"openbadgecredential\0\0") + PIXELS + END, "png_damaged"),
        (SIGNATURE + HEADER + chunk(b"tEXt", b"openbadgecredential\0{}") + PIXELS + END, "baked_form"),
        (SIGNATURE + HEADER + text_chunk(b"openbadgecredential", b"hello") + PIXELS + END, "baked_form"),
        (SIGNATURE + HEADER + text_chunk(b"openbadgecredential", b'{"\xff":1}') + PIXELS + END, "baked_form"),
        (SIGNATURE + HEADER + text_chunk(b"openbadgecredential", b'{"a":1,"a":2}') + PIXELS + END, "duplicate_key"),
        (
            SIGNATURE + HEADER + text_chunk(b"openbadgecredential", b"{}") * 2 + PIXELS + END,
            "baked_twice",
        ),
        (
            SIGNATURE
            + HEADER
            + text_chunk(b"openbadgecredential", b"{}")
            + PIXELS
            + text_chunk(b"clrcredential", b"{}")
            + END,
            "baked_twice",
        ),
    ],
)
def test_a_damaged_png_is_refused_with_what_is_wrong(picture: bytes, code: str) -> None:
    assert refused(picture) == code


BAKED = {"png": bake(PNG, CREDENTIAL), "svg": bake(SVG, CREDENTIAL)}


@pytest.mark.parametrize(
    "other",
    [
        text_chunk(b"openbadges", b"https://evil.example/assertion.json"),
        text_chunk(b"OpenBadgeCredential", b"{}"),
        text_chunk(b"openbadgecredential ", b"{}"),
        text_chunk(b"CLRCredential", b"{}"),
        chunk(b"tEXt", b"OpenBadges\0{}"),
        chunk(b"zTXt", b"openbadges\0\0" + zlib.compress(b"{}")),
    ],
)
def test_a_credential_in_another_form_beside_that_of_a_png_makes_it_unknown_which_is_shown(other: bytes) -> None:
    for picture in (BAKED["png"].replace(PIXELS, other + PIXELS), BAKED["png"].replace(END, other + END)):
        assert refused(picture) == "baked_many"
    # Baked again, it is ours alone.
    assert unbake(bake(SIGNATURE + HEADER + other + PIXELS + END, TOKEN)).content.text == TOKEN


@pytest.mark.parametrize(
    "other",
    [
        '<x:assertion xmlns:x="http://openbadges.org" verify="https://evil.example/assertion.json"/>',
        f'<x:Credential xmlns:x="{OB}">{{}}</x:Credential>',
        f'<x:credential xmlns:x="{OB}/">{{}}</x:credential>',
        f'<x:credential xmlns:x="{OB.replace("https", "http")}">{{}}</x:credential>',
        '<x:credential xmlns:x="https://purl.imsglobal.org/ob/v3p1">{}</x:credential>',
    ],
)
def test_a_credential_in_another_form_beside_that_of_an_svg_makes_it_unknown_which_is_shown(other: str) -> None:
    assert refused(BAKED["svg"].replace(b"</svg>", f"{other}</svg>".encode())) == "baked_many"


def test_a_compressed_bomb_is_refused_unpacked_by_nobody() -> None:
    bomb = zlib.compress(b"{" + b" " * 20_000_000, 1)
    picture = SIGNATURE + HEADER + text_chunk(b"openbadgecredential", bomb, b"\1\0") + PIXELS + END
    begun = time.process_time()
    assert refused(picture) == "baked_compressed"
    assert time.process_time() - begun < 0.5


def svg(inside: str, root: str = "", before: str = "") -> bytes:
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:o="{OB}" {root}>{inside}</svg>'.encode()


BILLION = (
    "<!DOCTYPE svg [" + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10)) + "]>"
)


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (svg(""), "baked_none"),
        (svg("<o:credential/>" * 2), "baked_twice"),
        (svg(f'<o:credential verify="{TOKEN}">{{}}</o:credential>'), "baked_twice"),
        (svg("<o:credential>{}<b/></o:credential>"), "baked_form"),
        (svg("<o:credential/>"), "baked_form"),
        (svg(f"<o:credential>{TOKEN}</o:credential>"), "baked_form"),
        (svg('<o:credential verify="{}"/>'), "baked_form"),
        (svg('<o:credential verify="a.b.c"/>'), "baked_form"),
        (svg("&l9;", before=BILLION), "svg_doctype"),
        (svg("&x;", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "svg_doctype"),
        (
            svg("", before='<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.example/svg11.dtd">'),
            "baked_none",
        ),
        (svg("&undefined;"), "svg_damaged"),
        (svg("<g>"), "svg_damaged"),
        (svg("", root='a="1" a="2"'), "svg_damaged"),
        (svg("")[:-3], "svg_damaged"),
        (svg("") + svg(""), "svg_damaged"),
        (svg("\x01"), "svg_damaged"),
        (b"<html><svg/></html>", "not_svg"),
        (b"<svg/>", "not_svg"),
        (svg("\xe4").decode().encode("latin-1"), "svg_damaged"),
        (svg("", before='<?xml version="1.0" encoding="ISO-8859-1"?>'), "baked_none"),
        (svg("", before='<?xml version="1.0" encoding="UTF-7"?>'), "svg_encoding"),
        (svg("", before='<?xml version="1.0" encoding="unknown"?>'), "svg_encoding"),
        (svg("").decode().encode("utf-16"), "baked_none"),
        (svg("").decode().encode("utf-16-le"), "baked_none"),
        (svg("").decode().encode("utf-16") + b"x", "svg_damaged"),
    ],
)
def test_a_damaged_or_hostile_svg_is_refused_with_what_is_wrong(picture: bytes, code: str) -> None:
    begun = time.process_time()
    assert refused(picture) == code
    assert time.process_time() - begun < 0.5


def test_a_picture_that_uses_our_prefix_for_something_else_is_refused() -> None:
    other = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:openbadges="urn:other"/>'
    with pytest.raises(CredentialError, match="prefix openbadges"):
        bake(other, CREDENTIAL)


@pytest.mark.parametrize(
    "picture",
    [
        SIGNATURE + b"\0" * PICTURE_BYTES,
        SIGNATURE + HEADER + chunk(b"abCd") * MOST_CHUNKS + PIXELS + END,
        SIGNATURE + HEADER + text_chunk(b"openbadgecredential", b"{" + b" " * 1_100_000 + b"}") + PIXELS + END,
        svg("<g/>" * MOST_ELEMENTS),
        svg("<o:credential>" + " " * 2_200_000 + "</o:credential>"),
    ],
    ids=["bytes", "chunks", "credential", "elements", "text"],
)
def test_huge_pictures_end_in_a_limit(picture: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(LimitError):
        unbake(picture)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("text", ["", "hello", "[]", '"a"', "{", "a.b", '{"a":1}x', '{"a":"\ud800"}'])
def test_what_is_no_credential_is_not_baked(text: str) -> None:
    for picture in (PNG, SVG):
        with pytest.raises(CredentialError):
            bake(picture, text)


def test_characters_that_xml_cannot_hold_are_baked_as_escapes() -> None:
    text = '{"a":"\ufffe\uffff]]>]]]]>"}'
    assert json.loads(unbake(bake(SVG, text)).content.text) == json.loads(text)
    assert unbake(bake(PNG, text)).content.text == text


@pytest.mark.parametrize(("picture", "kind"), [(PNG, "PNG"), (SVG, "SVG")])
def test_a_baked_credential_verifies_as_it_would_outside(picture: bytes, kind: str) -> None:
    baked = bake(picture, CREDENTIAL)
    assert to_fetch(dependencies_of(baked)) == ({DID}, {LIST}, set())
    report = verify(baked, material(), NOW)
    assert report.verdict == "pass"
    assert report.check("format").message == f"It is a verifiable credential, baked into a {kind}."
    assert verify(baked, material(1), NOW).check("status").code == "revoked"


def test_a_picture_without_a_credential_is_unknown_and_a_token_that_is_none_fails() -> None:
    assert verify(PNG, material(), NOW).check("format").code == "baked_none"
    assert verify(PNG, material(), NOW).verdict == verify(SVG, material(), NOW).verdict == "unknown"
    for token in (TOKEN, TOKEN.encode(), bake(PNG, TOKEN), bake(SVG, TOKEN)):
        report = verify(token, material(), NOW)
        assert (report.verdict, report.check("format").code) == ("fail", "not_a_credential")


@PROPERTY
@given(st.integers(0, len(bake(SVG, CREDENTIAL)) - 1), st.integers(1, 255))
def test_a_flipped_byte_in_a_baked_picture_never_changes_what_verifies(place: int, change: int) -> None:
    for picture in (PNG, SVG):
        baked = bytearray(bake(picture, CREDENTIAL))
        baked[place % len(baked)] ^= change
        report = verify(bytes(baked), material(), NOW)
        # In the drawing a change may be harmless; in the credential it never is.
        assert report.verdict != "pass" or (report.credential == json.loads(CREDENTIAL) and picture is SVG)


def test_credentials_in_an_svg_beyond_the_limit_are_not_looked_for() -> None:
    for many in (MOST_CREDENTIALS + 1, MOST_ELEMENTS - 10):
        picture = SVG.replace(b"</svg>", f'<o:credential xmlns:o="{OB}"/>'.encode() * many + b"</svg>")[:PICTURE_BYTES]
        with pytest.raises(CredentialError, match="more than 16 credentials"):
            unbake(picture)


@pytest.mark.parametrize(
    "inside",
    [
        b'<g xmlns="' + b"u" * (LONGEST_NAMESPACE + 1) + b'">' + b"<a/>" * 1_000 + b"</g>",
        b'<a xmlns="N">' * (MOST_NAMESPACES + 1) + b"</a>" * (MOST_NAMESPACES + 1),
        b'<aN:b xmlns:aN="N"/>' * (MOST_NAMESPACES + 1),
    ],
    ids=["long", "nested", "many"],
)
def test_namespaces_that_cost_more_than_their_bytes_are_beyond_the_limits(inside: bytes) -> None:
    with pytest.raises(LimitError, match="namespaces"):
        unbake(b'<svg xmlns="http://www.w3.org/2000/svg">' + inside + b"</svg>")


def test_an_element_with_more_attributes_than_a_parser_should_hold_is_beyond_the_limits() -> None:
    many = b" ".join(b'a%d=">"' % number for number in range(MOST_ATTRIBUTES + 1))
    with pytest.raises(LimitError, match="attributes"):
        unbake(b'<svg xmlns="http://www.w3.org/2000/svg"><g ' + many + b"/></svg>")
