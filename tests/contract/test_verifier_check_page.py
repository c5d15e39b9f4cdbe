"""The page at / of the verifier: files, pictures and links by a plain form, with the verdicts in words."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx import AsyncClient, Response
from pymongo.errors import AutoReconnect

from libs.openbadges.baking import bake
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import Profile
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from services.verifier.verification.submission import MOST_PICTURE_BYTES
from tests.unit.test_openbadges_endorsements import endorsement
from tests.verifier_doubles import NOW, PUBLIC, MemoryRepository, School, application, client

ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")
SCHOOL = School()
STRANGER = Ed25519Key.from_seed(b"s" * 32)
FAR = School("Far Away College", base="https://elsewhere.example", slug="far-away")
TEXT = SCHOOL.badge(ID)
SVG = badge_svg(name="Resilience", issuer=SCHOOL.name).encode()
PNG = badge_png(name="Resilience", issuer=SCHOOL.name, size=64)


@pytest.fixture
def repository() -> MemoryRepository:
    known = MemoryRepository()
    known.learn(SCHOOL, revoked=[9])
    known.keep(ID, TEXT)
    return known


@pytest.fixture
async def http(repository: MemoryRepository) -> AsyncIterator[AsyncClient]:
    async with client(application(repository)) as connected:
        yield connected


async def sent(http: AsyncClient, content: bytes | str = b"", link: str = "", name: str = "badge") -> Response:
    return await http.post("/", files={"file": (name if content else "", content)}, data={"link": link})


async def test_the_form_needs_no_script_names_its_fields_and_is_sent_to_us_alone(http: AsyncClient) -> None:
    page = await http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'enctype="multipart/form-data"' in page.text
    for field in ("file", "link"):
        assert f'<label for="{field}">' in page.text
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (await http.head("/")).status_code == 200


@pytest.mark.parametrize(
    ("content", "headline"),
    [
        (TEXT, "This badge is real and still good"),
        (bake(PNG, TEXT), "This badge is real and still good"),
        (bake(SVG, TEXT), "This badge is real and still good"),
        (SCHOOL.badge(ID, index=9), "This badge does not hold up"),
        (TEXT.replace("sank twice", "never sank"), "This badge does not hold up"),
        (FAR.badge(ID), "This badge could not be checked in full"),
        (PNG, "There is no credential in this picture"),
        (SVG, "There is no credential in this picture"),
        (b"\xff\xd8\xff\xe0 JFIF", "There is no credential in this file"),
        (b"%PDF-1.7", "There is no credential in this file"),
        (b"hello", "There is no credential in this file"),
    ],
)
async def test_what_is_sent_gets_its_verdict_in_words(http: AsyncClient, content: bytes | str, headline: str) -> None:
    page = await sent(http, content)
    assert page.status_code == 200
    assert f'<h2 id="verdict">{headline}</h2>' in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_of_a_pdf_it_says_that_its_pages_were_not_checked(http: AsyncClient) -> None:
    pdf = b"%%PDF-1.7\n1 0 obj <</Type /EmbeddedFile>> stream\n%b\nendstream endobj" % TEXT.encode()
    assert "what its pages show was not checked" in (await sent(http, pdf)).text
    assert "what its pages show" not in (await sent(http, TEXT)).text


async def test_the_page_says_who_signed(http: AsyncClient) -> None:
    assert "Signed by Wattle Grove High School" in (await sent(http, TEXT)).text
    assert "registered" in (await sent(http, TEXT)).text


STRANGERS_DID = did_key(STRANGER.public_multibase)


def strangers(**changes: object) -> str:
    """A badge of one who is not known here, in the name of our school."""
    document = {**orjson.loads(TEXT), "id": "urn:uuid:0190f2c0-0000-7000-8000-000000000001", **changes}
    for name in ("proof", "credentialStatus", "image"):
        document.pop(name, None)
    document["issuer"]["id"] = STRANGERS_DID
    return by_stranger(document)


def by_stranger(document: dict[str, Any]) -> str:
    return sign(prepare(document), STRANGER, verification_method(STRANGERS_DID, STRANGER.public_multibase), NOW)


def marks(page: str) -> list[str]:
    """The marks on a page: of the verdict, of the three answers, of credentials in it, of every check."""
    return re.findall(r'<svg class="mark (\w+)"', page)


async def test_a_badge_that_a_stranger_signed_is_not_called_real_whatever_name_it_takes(http: AsyncClient) -> None:
    page = (await sent(http, strangers())).text
    assert "real and still good" not in page
    assert '<h2 id="verdict">This badge is as it was signed, but it is not known here who signed it</h2>' in page
    assert "Every check passed. Anybody can make such a badge" in page
    assert not {"Is it real?", "Is it still good?"} & set(re.findall(r"<dt>(.*?)</dt>", page))
    assert "Wattle Grove High School, which is registered here, did not sign it" in page


async def test_a_stranger_gets_no_tick_for_the_verdict_nor_for_who_signed(http: AsyncClient) -> None:
    page = (await sent(http, strangers())).text
    verdict, as_signed, who_signed, in_force = marks(page)[:4]
    assert (verdict, as_signed, who_signed, in_force) == ("unknown", "pass", "unknown", "pass")
    assert 'class="verdict unknown"' in page
    ours = (await sent(http, TEXT)).text
    assert marks(ours)[:4] == ["pass"] * 4
    assert 'class="verdict pass"' in ours


async def test_an_endorsement_that_is_bad_hides_not_that_anybody_can_take_any_name(http: AsyncClient) -> None:
    page = (await sent(http, strangers(endorsement=[endorsement("urn:uuid:of-something-else")]))).text
    assert "What somebody else says on it did not: do not rely on that. Anybody can make such a badge" in page
    assert marks(page)[0] == "unknown"
    assert "real and still good" not in page


async def test_what_a_stranger_signed_gets_no_tick_in_a_record(http: AsyncClient) -> None:
    document = record_document(
        record_id="urn:uuid:0190f2c0-0000-7000-8000-000000000002",
        issuer=Profile(id=STRANGERS_DID, name=SCHOOL.name),
        subject_id="urn:uuid:0190f2c0-0000-7000-8000-000000000003",
        name="Record",
        valid_from=NOW,
        credentials=[strangers(), TEXT],
    )
    held = (await sent(http, by_stranger(document))).text.partition("Credentials in it")[2]
    assert marks(held)[:2] == ["unknown", "pass"]


async def test_nothing_in_a_strangers_document_runs_loads_or_leads_anywhere(http: AsyncClient) -> None:
    hostile = '"><script>alert(1)</script><img src="https://evil.example/x">'
    document = orjson.loads(FAR.badge(ID, name=hostile))
    document["image"] = {"id": "https://evil.example/x.png", "type": "Image"}
    page = await sent(http, orjson.dumps(document), name=hostile)
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert 'href="http' not in page.text


async def test_a_link_of_ours_leads_to_its_badge_and_no_other_is_followed(http: AsyncClient) -> None:
    for part in ("", "/", "/credential.json", "/image.svg", "?from=mail"):
        answer = await sent(http, link=f" {PUBLIC}/badges/{ID}{part} ")
        assert (answer.status_code, answer.headers["location"]) == (303, f"badges/{ID}")
    for link in ("https://evil.example/badges/1", f"https://evil.example/badges/{ID}", "javascript:alert(1)", "hello"):
        answer = await sent(http, link=link)
        assert answer.status_code == 400
        assert "not the link of a badge that was issued here" in answer.text
        assert "evil" not in answer.text


async def test_a_form_that_is_none_of_ours_gets_the_form_again_with_what_is_wrong(http: AsyncClient) -> None:
    many = b"--b\r\n" * 20
    of_form = "multipart/form-data"
    odd = [(b"", ""), (b"{}", "application/json"), (b"x", of_form), (b"--b", f"{of_form}; boundary=b")]
    for content, kind in (*odd, (many, f"{of_form}; boundary=b")):
        answer = await http.post("/", content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store"), kind
        assert 'role="alert"' in answer.text
    assert (await sent(http)).status_code == 400
    assert (await sent(http, TEXT, f"{PUBLIC}/badges/{ID}")).status_code == 400
    too_large = await sent(http, b"x" * (MOST_PICTURE_BYTES + 100_000))
    assert too_large.status_code == 413
    assert 'role="alert"' in too_large.text


async def test_what_cannot_be_looked_up_is_unknown_and_never_no(
    http: AsyncClient, repository: MemoryRepository
) -> None:
    repository.away = AutoReconnect("away")
    page = await sent(http, TEXT)
    assert page.status_code in {200, 503}
    assert "neither a yes nor a no" in page.text
    assert "does not hold up" not in page.text
