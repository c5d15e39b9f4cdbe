"""A file that can hold no credential is said to be what it is, and is neither good nor bad."""

import io
import zipfile

import pytest

from libs.openbadges.baking import bake
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from libs.openbadges.verify import ResolvedInputs, open_document, verify
from libs.openbadges.verify.file_kinds import refuse_other_kinds
from tests.unit.openbadges_samples import NOW, signed

SVG = badge_svg(name="Resilience", issuer="Wattle Grove").encode()


def archive(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name in names:
            file.writestr(name, "application/vnd.oasis.opendocument.text" if name == "mimetype" else "<x/>")
    return written.getvalue()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a JPEG picture"),
        (b"\xff\xd8\xff\xe1\x1c\x45Exif\x00", "a JPEG picture"),
        (b"GIF89a\x01\x00", "a GIF picture"),
        (b"GIF87a\x01\x00", "a GIF picture"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a WebP picture"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "a HEIC picture"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00", "a HEIC picture"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00", "an AVIF picture"),
        (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36", "a BMP picture"),
        (b"II*\x00\x08\x00", "a TIFF picture"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00", "a video"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF"),
        (b"\r\n%PDF-1.4", "a PDF"),
        (archive("[Content_Types].xml", "word/document.xml"), "an office document"),
        (archive("mimetype", "content.xml"), "an office document or a book"),
        (archive("badge.json"), "a ZIP archive"),
        (archive(), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an office document"),
        (b"{\\rtf1\\ansi hello}", "RTF"),
        (b"\x1f\x8b\x08\x00\x00", "compressed by gzip"),
        (b"Rar!\x1a\x07", "a packed file"),
        (b"badge.json".ljust(257, b"\x00") + b"ustar\x0000", "a TAR archive"),
        (b"<!DOCTYPE html>\n<html lang=en>", "a web page"),
        (b"\xef\xbb\xbf <HTML><body>", "a web page"),
        ("<!doctype html><html>".encode("utf-16"), "a web page"),
        (b'<iframe src="https://badges.example/badges/1"></iframe>', "a piece of a web page"),
        (b'<?xml version="1.0"?><rss><channel/></rss>', "XML"),
        (b'<?xml version="1.0"?><plist version="1.0"><dict><key>URL</key></dict></plist>', "a link"),
        (b"[InternetShortcut]\r\nURL=https://badges.example/badges/1\r\n", "a link"),
        (b"https://badges.example/badges/1\n", "a link"),
        ("\ufeffhttps://badges.example/badges/1".encode(), "a link"),
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x00" * 4096, "empty"),
        (b"Received: from mail.example by school.example\r\nSubject: Your badge\r\n\r\n", "an e-mail"),
        (b"Subject: Your badge\n\nWell done", "an e-mail"),
        (b"data:image/png;base64,iVBORw0KGgo=", "written as a link"),
        (b"-----BEGIN PRIVATE KEY-----\nMC4CAQ", "a key or a certificate"),
        (b"Well done, Kim! Here is your badge.", "text and no credential"),
        ("Gl\u00fcckwunsch".encode("utf-16"), "text and no credential"),
        (("\u00e4" * 600).encode(), "text and no credential"),
        (b"source_id,learner_id,achievement\nL-1,S1,resilience\n", "text and no credential"),
        (b"\x00\x01\x02\x03hello\xff\xfe", "a kind that is not known here"),
        (b"\x89PNG\n\x1a\n\x00\x00", "a kind that is not known here"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_file_without_a_credential_is_named_and_is_neither_good_nor_bad(raw: bytes, kind: str) -> None:
    report = verify(raw, ResolvedInputs(), NOW)
    found = report.check("format")
    assert (report.verdict, found.code) in {("unknown", "file_kind"), ("unknown", "not_svg")}
    assert kind in found.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ['{"@context": []}', "eyJhbGciOiJFZERTQSJ9.e30.AA"])
def test_a_credential_in_another_encoding_is_said_to_be_in_it(encoding: str, text: str) -> None:
    found = verify(text.encode(encoding), ResolvedInputs(), NOW).check("format")
    assert (found.outcome, found.code) == ("unknown", "encoding_unread")


@pytest.mark.parametrize("raw", [b"{", b'{"a": 1', b'{ "%PDF-": 1', b"[]", b'"x"', b"eyJhbGciOi", b"a.b.c", b"<svg"])
def test_what_may_be_a_damaged_credential_is_read_as_one(raw: bytes) -> None:
    with pytest.raises(CredentialError) as refused:
        open_document(raw)
    assert refused.value.code not in {"file_kind", "not_svg"}
    assert refused.value.outcome == "fail"


def test_no_credential_is_taken_for_a_file_of_another_kind() -> None:
    text = signed()
    for picture in (SVG, badge_png(name="Resilience", issuer="Wattle", size=64)):
        refuse_other_kinds(bake(picture, text))
    svg = SVG.decode()
    for encoding in ("utf-16", "latin-1"):
        refuse_other_kinds(f'<?xml version="1.0" encoding="{encoding}"?>{svg}'.encode(encoding))
    for raw in (text.encode(), b"\xef\xbb\xbf" + text.encode(), b" \n" + text.encode(), text.encode()[:50]):
        refuse_other_kinds(raw)
