"""The pictures at a badge: baked ones that our own verifier passes, and the card that goes with a link."""

import asyncio
import struct
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from httpx import AsyncClient

from libs.openbadges.baking import unbake
from libs.openbadges.pictures.raster import badge_png
from tests.verifier_doubles import PUBLIC, REVOKED, MemoryRepository, School, application, client

ID, GONE = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001"), UUID("0f4ac6a1-59e9-4a3c-95ad-000000000002")
SCHOOL = School()
PAGE = {"Accept": "text/html"}


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    known = MemoryRepository()
    known.learn(SCHOOL)
    known.keep(ID, SCHOOL.badge(ID))
    known.keep(GONE, SCHOOL.badge(GONE), REVOKED)
    async with client(application(known)) as connected:
        yield connected


@pytest.mark.parametrize(("name", "kind"), [("image.png", "image/png"), ("image.svg", "image/svg+xml")])
async def test_a_picture_holds_the_signed_badge_byte_for_byte_and_passes_here(
    http: AsyncClient, name: str, kind: str
) -> None:
    picture = await http.get(f"/badges/{ID}/{name}")
    assert picture.headers["content-type"] == kind
    assert unbake(picture.content).content.text == (await http.get(f"/badges/{ID}/credential.json")).text
    report = await http.post("/v1/verify", content=picture.content, headers={"Content-Type": kind})
    assert report.json()["verdict"] == "pass"
    again = await http.get(f"/badges/{ID}/{name}", headers={"If-None-Match": picture.headers["etag"]})
    assert again.status_code == 304


async def test_a_picture_is_drawn_once_however_many_ask_and_for_all_badges_that_look_alike(
    http: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def counted(*, name: str, issuer: str, level: str | None, level_name: str, size: int) -> bytes:
        drawn.append(name)
        return badge_png(name=name, issuer=issuer, level=level, level_name=level_name, size=size)

    monkeypatch.setattr("services.verifier.pages.pictures.badge_png", counted)
    answers = await asyncio.gather(*(http.get(f"/badges/{ID}/image.png") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(drawn) == 1
    other = await http.get(f"/badges/{GONE}/image.png")
    assert unbake(other.content).content.text == SCHOOL.badge(GONE), "it looks the same and holds its own badge"
    assert len(drawn) == 1


async def test_the_page_names_a_card_of_the_size_that_previews_take_and_a_revoked_one_differs(
    http: AsyncClient,
) -> None:
    cards = []
    for badge, verdict in ((ID, "pass"), (GONE, "revoked")):
        page = (await http.get(f"/badges/{badge}", headers=PAGE)).text
        assert f'<meta property="og:image" content="{PUBLIC}/badges/{badge}/card.png?v={verdict}">' in page
        card = (await http.get(f"/badges/{badge}/card.png")).content
        assert struct.unpack_from(">II", card, 16) == (1200, 630)
        assert len(card) < 1_000_000
        cards.append(card)
    assert cards[0] != cards[1]


async def test_linkedin_gets_the_fields_of_its_form_and_a_revoked_badge_is_not_offered(http: AsyncClient) -> None:
    page = (await http.get(f"/badges/{ID}", headers=PAGE)).text
    link = unescape(page.partition('href="https://www.linkedin.com')[2].partition('"')[0])
    fields = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert fields == {
        "startTask": "CERTIFICATION_NAME",
        "name": "Resilience (Relational)",
        "organizationName": SCHOOL.name,
        "issueYear": "2026",
        "issueMonth": "3",
        "certUrl": f"{PUBLIC}/badges/{ID}",
        "certId": str(ID),
    }
    revoked = (await http.get(f"/badges/{GONE}", headers=PAGE)).text
    assert "linkedin" not in revoked
    assert 'class="button"' not in revoked
