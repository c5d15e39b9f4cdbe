"""The pictures at a badge: baked ones that our own verifier passes, and the card that goes with a link."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from html import unescape
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from httpx import AsyncClient

from libs.common.client_address import CLIENT
from libs.common.errors import UnavailableError
from libs.common.workers.jobs import Answer, Job, JobEndedError
from libs.common.workers.threads import Threads
from libs.contracts.reasons import RevocationReason
from libs.openbadges.baking import unbake
from services.verifier.material.records import Organisation
from services.verifier.pages.pictures import Pictures
from services.verifier.service import picture_workers
from tests.verifier_doubles import PUBLIC, REVOKED, MemoryRepository, School, application, client

ID, GONE = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001"), UUID("0f4ac6a1-59e9-4a3c-95ad-000000000002")
SCHOOL = School()
T = TypeVar("T")
PAGE = {"Accept": "text/html"}


@pytest.fixture
def known() -> MemoryRepository:
    known = MemoryRepository()
    known.learn(SCHOOL)
    known.keep(ID, SCHOOL.badge(ID))
    known.keep(GONE, SCHOOL.badge(GONE), REVOKED, RevocationReason.WRONG_LEARNER)
    return known


@pytest.fixture
async def http(known: MemoryRepository) -> AsyncIterator[AsyncClient]:
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


class Runs:
    """Runs jobs in a thread, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self._threads = Threads(1, waiting=8, seconds=30)

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        self.count += 1
        return await self._threads.run(job, *arguments, answer=answer)


class Ended:
    """Ends every job at a limit."""

    async def run(self, job: Callable[..., Job[T]], *arguments: Any, answer: Answer) -> T:
        raise JobEndedError("took_too_long")


async def test_a_picture_is_drawn_once_however_many_ask_and_for_all_badges_that_look_alike(
    known: MemoryRepository,
) -> None:
    runs = Runs()
    async with client(application(known, pictures=runs)) as http:
        answers = await asyncio.gather(*(http.get(f"/badges/{ID}/image.png") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert runs.count == 1
        other = await http.get(f"/badges/{GONE}/image.png")
    assert unbake(other.content).content.text == SCHOOL.badge(GONE), "it looks the same and holds its own badge"
    assert runs.count == 1


async def test_pictures_are_drawn_in_another_process_for_drawing_keeps_all_threads_of_its_own_waiting(
    known: MemoryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    badges = [UUID(int=number) for number in range(5)]
    for number, badge in enumerate(badges):
        known.keep(badge, SCHOOL.badge(badge, name=f"Resilience {number}"))
    drawn_here: list[str] = []

    def drawn(*, svg_string: str, **_: Any) -> bytes:
        drawn_here.append(svg_string)
        return b""

    monkeypatch.setattr("libs.openbadges.pictures.raster.resvg_py.svg_to_bytes", drawn)
    pool = picture_workers()
    async with client(application(known, pictures=pool)) as http:
        cards = await asyncio.gather(*(http.get(f"/badges/{badge}/card.png") for badge in badges))
        image = await http.get(f"/badges/{ID}/image.png")
    await pool.close()
    assert {struct.unpack_from(">II", card.content, 16) for card in cards} == {(1200, 630)}
    assert len({card.content for card in cards}) == len(badges)
    assert unbake(image.content).content.text == SCHOOL.badge(ID)
    assert drawn_here == []


async def test_who_asks_for_very_many_pictures_waits_for_their_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(url: str) -> bytes:
        drawn.append(url)
        return b""

    monkeypatch.setattr("services.verifier.pages.pictures._qr_code", draw)
    pictures = Pictures(Ended())

    async def ask(address: str, url: str) -> bool:
        CLIENT.set(address)
        try:
            return await pictures.qr_code(url) == b""
        except UnavailableError:
            return False

    many = [asyncio.create_task(ask("one", f"one {number}")) for number in range(100)]
    other = asyncio.create_task(ask("other", "other"))
    assert (sum(await asyncio.gather(*many)), await other) == (64, True)
    assert drawn.index("other") < 3


async def test_a_picture_that_was_not_drawn_in_time_is_to_be_asked_for_again(known: MemoryRepository) -> None:
    async with client(application(known, pictures=Ended())) as http:
        for name in ("card.png", "image.png"):
            answer = await http.get(f"/badges/{ID}/{name}")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert (await http.get(f"/badges/{ID}/image.svg")).status_code == 200


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


async def test_linkedin_gets_the_fields_of_its_form_and_a_revoked_badge_is_not_offered(
    known: MemoryRepository, http: AsyncClient
) -> None:
    known.organisations[SCHOOL.slug] = Organisation("did:web:s", "School", None, None, learners_from_16=True)
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
    assert "reason: It was issued to another learner than the one who earned it." in revoked
    assert 'class="button"' not in revoked


async def test_no_linkedin_is_offered_unless_the_school_itself_says_that_its_learners_are_16_or_older(
    known: MemoryRepository, http: AsyncClient
) -> None:
    for slug, parent in ((SCHOOL.slug, "department"), ("department", None)):
        known.organisations[slug] = Organisation(
            f"did:web:{slug}", slug, None, None, parent=parent, learners_from_16=slug == "department"
        )
    assert "linkedin" not in (await http.get(f"/badges/{ID}", headers=PAGE)).text.lower()
