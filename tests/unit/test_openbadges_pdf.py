"""A credential attached to a PDF: found however the file was written, and never guessed at."""

import base64
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.openbadges.baking import bake, container_of, pdf
from libs.openbadges.model.budget import Budget, shared_budget
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from libs.openbadges.verify import Report, ResolvedInputs, verify

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
CREDENTIAL = (Path(__file__).parents[1] / "field" / "25-json-with-bom.json").read_bytes().removeprefix(b"\xef\xbb\xbf")

ANOTHER = CREDENTIAL.replace(b"Raft builder", b"Boat builder")


def stream(data: bytes, entries: bytes = b"", *, number: int = 5, length: bytes | None = None) -> bytes:
    said = b"%d" % len(data) if length is None else length
    return b"%d 0 obj\n<<%b /Length %b>>\nstream\n%b\nendstream\nendobj\n" % (number, entries, said, data)


def attached(data: bytes, entries: bytes = b"/Type /EmbeddedFile") -> bytes:
    return stream(data, entries)


def document(*objects: bytes, trailer: bytes = b"") -> bytes:
    page = stream(zlib.compress(b"BT (Well done) Tj ET"), b"/Filter /FlateDecode", number=4)
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + page + b"".join(objects) + b"trailer\n<<" + trailer + b">>\n%%EOF\n"


def report(raw: bytes) -> Report:
    return verify(raw, ResolvedInputs(), NOW)


PACKED = zlib.compress(CREDENTIAL)
WRITTEN = {
    "as it is": attached(CREDENTIAL),
    "with a byte order mark": attached(b"\xef\xbb\xbf" + CREDENTIAL),
    "packed": attached(PACKED, b"/Type/EmbeddedFile/Filter/FlateDecode/Subtype/application#2Fvc+ld+json"),
    "packed, the filter in an array": attached(PACKED, b"/Filter [ /FlateDecode ] /Type /EmbeddedFile"),
    "with parameters": attached(
        PACKED, b"/Type/EmbeddedFile/Params<</Size 4927/ModDate(D:2026)>>/DecodeParms<</Predictor 1>>/Filter/Fl"
    ),
    "a type in another spelling": attached(CREDENTIAL, b"/Type /Embedded#46ile"),
    "a type behind a remark": attached(CREDENTIAL, b"/Type%x\n/EmbeddedFile"),
    "without a type, which none must have": stream(CREDENTIAL),
    "packed and without a type": stream(PACKED, b"/Filter /FlateDecode"),
    "beside a drawing packed as text": attached(CREDENTIAL)
    + stream(base64.a85encode(zlib.compress(b"BT (x) Tj ET")) + b"~>", b"/Filter [/ASCII85Decode /FlateDecode]"),
    "beside a picture": attached(CREDENTIAL) + stream(b"\xff\xd8", b"/Subtype /Image /Filter /DCTDecode"),
    "its length elsewhere": stream(CREDENTIAL, b"/Type /EmbeddedFile", length=b"9 0 R"),
    "packed, its length elsewhere": stream(PACKED, b"/Type /EmbeddedFile /Filter /FlateDecode", length=b"9 0 R"),
    "a wrong length": stream(CREDENTIAL, b"/Type /EmbeddedFile", length=b"17"),
    "beside other files": attached(b"<x/>") + attached(b"{}") + attached(b"\xff\xd8") + attached(CREDENTIAL),
    "beside a large film": attached(b"\0" * 2_000_000) + attached(CREDENTIAL),
    "twice the same": attached(CREDENTIAL) + attached(PACKED, b"/Type/EmbeddedFile/Filter/FlateDecode"),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_the_attached_credential_is_verified_whatever_program_wrote_the_file(how: str) -> None:
    found = report(document(WRITTEN[how]))
    assert (found.verdict, found.check("format").code) == ("pass", "credential_attached")
    assert "whose pages were not checked" in found.check("format").message


def test_a_changed_credential_fails_however_good_its_pages_look() -> None:
    assert report(document(attached(CREDENTIAL.replace(b"Raft builder", b"Boat builder")))).verdict == "fail"


OTHER = {
    "none": (document(), "file_kind"),
    "no attached credential": (document(attached(b"{}"), attached(b"plain text")), "file_kind"),
    "nothing behind its first line": (b"%PDF-1.7\n", "file_kind"),
    "two": (
        document(attached(CREDENTIAL), attached(ANOTHER)),
        "attached_many",
    ),
    "two, one of them without a type": (document(attached(CREDENTIAL), stream(ANOTHER)), "attached_many"),
    "two, one of them packed, without a type": (
        document(attached(CREDENTIAL), stream(zlib.compress(ANOTHER), b"/Filter /FlateDecode")),
        "attached_many",
    ),
    "two, one of them packed as text, without a type": (
        document(attached(CREDENTIAL), stream(base64.a85encode(ANOTHER) + b"~>", b"/Filter /ASCII85Decode")),
        "baked_form",
    ),
    "two, one of them packed in a way not read": (
        document(attached(CREDENTIAL), stream(b"\x80\x0b", b"/Filter /LZWDecode")),
        "baked_form",
    ),
    "encrypted": (document(attached(b"\x80" * 99), trailer=b"/Encrypt 7 0 R"), "pdf_encrypted"),
    "packed another way": (document(attached(b"abc", b"/Type/EmbeddedFile/Filter/LZWDecode")), "baked_form"),
    "packed twice": (document(attached(b"a", b"/Type/EmbeddedFile/Filter[/ASCII85Decode/FlateDecode]")), "baked_form"),
    "too many": (document(attached(b"x") * 40), "too_many_attachments"),
    "a large one": (document(attached(b'{"@context": "' + b"a" * 1_100_000 + b'"}')), "too_large"),
}

PNG = bake(badge_png(name="Boat builder", issuer="Wattle"), ANOTHER.decode())
SVG = bake(badge_svg(name="Boat builder", issuer="Wattle").encode(), ANOTHER.decode())
HOLDERS = {
    "a PNG": PNG,
    "a large PNG": PNG + bytes(1_100_000),
    "an SVG": SVG,
    "an SVG behind a long remark": b"<!--" + b" " * 1_100_000 + b"-->" + SVG,
    "an SVG in UTF-16": SVG.decode().encode("utf-16"),
    "a list": b"[" + ANOTHER + b"]",
    "an object around it": b'{"credential": ' + ANOTHER.replace(b'"@context"', b'"\\u0040context"') + b"}",
    "JSON in UTF-16": ANOTHER.decode().encode("utf-16"),
    "JSON in UTF-16 without a mark": ANOTHER.decode().encode("utf-16-be"),
    "JSON in Latin-1": ANOTHER[:-2] + b', "x": "\xe9"}',
    "a web page": b"<!DOCTYPE html><html>" + ANOTHER,
    "a PDF": document(attached(ANOTHER)).replace(b"endstream", b"end"),
}


@pytest.mark.parametrize("entries", [b"/Type /EmbeddedFile", b""])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", HOLDERS)
def test_what_is_shown_as_attached_and_may_hold_another_credential_keeps_a_pass_away(
    kind: str, packed: bool, entries: bytes
) -> None:
    held = HOLDERS[kind]
    beside = stream(zlib.compress(held), entries + b"/Filter/FlateDecode") if packed else stream(held, entries)
    for raw in (document(stream(CREDENTIAL), beside), document(beside, attached(CREDENTIAL))):
        found = report(raw)
        assert (found.verdict, found.check("format").code) == ("unknown", "attached_many")


@pytest.mark.parametrize(
    "data",
    [
        b"<?xpacket?><x:xmpmeta>Micro-credential</x:xmpmeta>",
        b"{ 360 mul sin }",
        b"[3 3] 0 d",
        b"[(a)-3(b)]TJ",
        bytes(9),
    ],
)
def test_metadata_drawings_and_functions_are_no_attached_files(data: bytes) -> None:
    packed = stream(zlib.compress(data), b"/Filter/FlateDecode")
    assert report(document(stream(data), packed, attached(CREDENTIAL))).verdict == "pass"


@pytest.mark.parametrize("kind", OTHER)
def test_what_cannot_be_read_out_of_it_is_neither_good_nor_bad(kind: str) -> None:
    raw, code = OTHER[kind]
    found = report(raw)
    assert (found.verdict, found.check("format").code) == ("unknown", code)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(b'{"' + b"\0" * 5_000_000)
    found = report(document(attached(bomb, b"/Type/EmbeddedFile/Filter/FlateDecode")))
    assert (found.verdict, found.check("format").code) == ("unknown", "too_large")


@pytest.mark.parametrize(
    "piece", [b"obj<</Type/EmbeddedFile>>stream\n", b"stream\n", b"#41" * 1_300 + b"stream\nendstream"]
)
def test_work_is_counted_and_grows_with_the_file_alone(piece: bytes) -> None:
    with shared_budget(Budget()) as budget:
        found = report(document(piece * (4_000_000 // len(piece))))
    assert found.verdict == "unknown"
    assert budget.spent <= 300_000


@pytest.mark.parametrize("start", [b"%PDF-1.4", b"\r\n%PDF-1.4", b"\xef\xbb\xbf%PDF-2.0"])
def test_a_pdf_is_told_by_its_first_line(start: bytes) -> None:
    assert container_of(start) == "pdf"
    assert pdf.is_pdf(start)
