"""What a credential names as its achievement can be looked up: the same object, or a page to which fragments lead."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import html5lib
import pytest
from httpx import AsyncClient
from pymongo.errors import AutoReconnect

from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from tests.issuer_doubles import achievement, evidence
from tests.unit.test_issuer_credentials import BASE, DEPARTMENT, issued
from tests.verifier_doubles import PUBLIC, MemoryRepository, application, client

OWNER = DEPARTMENT.model_copy(update={"url": "https://department.example", "email": "office@department.example"})
OWN_WORDS = [AchievementLevel(level=level, name=f"Stage {level.rank}", description="<b>…</b>") for level in SoloLevel]
VERSIONS = {
    "resilience": achievement(owner="department", shared=True),
    "own-words": achievement("own-words", owner="department", shared=True, levels=OWN_WORDS),
    "no-words": achievement("no-words", owner="department", shared=True, levels=[]),
    "score": achievement("score", owner="department", shared=True, required_level=None, required_score=62.5),
    "anything": achievement("anything", owner="department", shared=True, version=12, required_level=None),
}
PAGE, JSON = {"Accept": "text/html"}, {"Accept": "application/json"}


@pytest.fixture
def repository() -> MemoryRepository:
    known = MemoryRepository()
    for version in VERSIONS.values():
        known.list_achievement(version, DEPARTMENT)
    return known


@pytest.fixture
async def http(repository: MemoryRepository) -> AsyncIterator[AsyncClient]:
    async with client(application(repository)) as connected:
        yield connected


def fragments(value: Any) -> Iterator[str]:
    """Every fragment that stands as an id in a document."""
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list):
            yield from fragments(one)
        elif isinstance(one, str) and "/achievements/" in one and "#" in one:
            yield one.partition("#")[2]


async def named(version: AchievementPublished) -> dict[str, Any]:
    """The achievement of a credential that the issuer signed."""
    assert BASE == PUBLIC
    score = version.required_score is not None
    _, document = await issued(
        evidence(level=None, score=87, achievement=version.achievement_id)
        if score
        else evidence(achievement=version.achievement_id),
        version,
    )
    read: dict[str, Any] = document["credentialSubject"]["achievement"]
    return read


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
async def test_the_address_in_a_credential_answers_the_achievement_exactly_as_it_stands_there(
    http: AsyncClient, version: AchievementPublished
) -> None:
    expected = await named(version)
    response = await http.get(expected["id"], headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == expected
    linked = await http.get(expected["id"], headers={"Accept": "application/ld+json"})
    assert linked.headers["content-type"] == "application/ld+json"
    assert linked.json() == {"@context": [CREDENTIALS_V2, OPEN_BADGES_V3], **expected}


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
async def test_every_fragment_that_a_credential_names_leads_to_a_place_on_the_page(
    http: AsyncClient, version: AchievementPublished
) -> None:
    expected = await named(version)
    page = await http.get(expected["id"], headers=PAGE)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.text)
    anchors = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(anchors) == len(set(anchors)), "an id stands once"
    assert set(fragments(expected)) <= set(anchors)
    assert "solo" in anchors or version.required_score is not None


async def test_search_engines_may_list_what_can_be_earned_and_nobodys_badge(http: AsyncClient) -> None:
    page = await http.get("/achievements/department/resilience/1", headers=PAGE)
    assert "x-robots-tag" not in page.headers
    assert "noindex" not in page.text
    badge = await http.get("/badges/0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11", headers=PAGE)
    assert badge.headers["x-robots-tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in badge.text


async def test_the_page_says_what_it_takes_and_which_level_is_needed(http: AsyncClient) -> None:
    text = (await http.get("/achievements/department/resilience/1", headers=PAGE)).text
    for said in ("Resilience", "Goes on when it gets hard.", "Was seen to go on in three situations.", "Department"):
        assert said in text
    assert "It is earned from <strong>Multistructural</strong> upwards" in text
    for level in SoloLevel:
        assert f"Is seen at {level.label}." in text
    score = (await http.get("/achievements/department/score/1", headers=PAGE)).text
    assert "From 0 to 100 percent. It is earned from <strong>62.5</strong> upwards." in score


async def test_levels_named_by_their_author_keep_the_taxonomys_name_beside_and_cannot_become_markup(
    http: AsyncClient,
) -> None:
    text = (await http.get("/achievements/department/own-words/1", headers=PAGE)).text
    assert "Stage 3" in text
    assert "Relational" in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


async def test_a_hostile_name_is_a_name_in_the_picture_too(repository: MemoryRepository) -> None:
    hostile = achievement(owner="department", name='<script>alert("x")</script>', criteria="<img src=x>")
    repository.list_achievement(hostile, OWNER)
    async with client(application(repository)) as http:
        response = await http.get("/achievements/department/resilience/1", headers=PAGE)
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(response.text)
    assert not list(tree.iter("script"))
    assert not list(tree.iter("img"))


async def test_the_page_has_the_headers_of_every_public_page(http: AsyncClient) -> None:
    response = await http.get("/achievements/department/resilience/1", headers=PAGE)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in response.text, "the policy would drop it"
    assert response.headers["vary"] == "Accept"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "public, max-age=60"
    preflight = await http.options("/achievements/department/resilience/1", headers={"Origin": "https://jobs.example"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "*")


async def test_the_owners_public_address_and_site_stand_in_it(repository: MemoryRepository) -> None:
    repository.list_achievement(VERSIONS["resilience"], OWNER)
    async with client(application(repository)) as http:
        read = (await http.get("/achievements/department/resilience/1", headers=JSON)).json()
        page = (await http.get("/achievements/department/resilience/1", headers=PAGE)).text
    assert read["creator"]["url"] == OWNER.url
    assert read["creator"]["email"] == OWNER.email
    assert 'href="https://department.example"' in page


@pytest.mark.parametrize(
    "path",
    ["department/resilience/2", "department/resilience/01", "department/resilience/x", "wattle/resilience/1",
     "department/nothing/1", "Department/resilience/1", "%00/a/1", f"a/{'b' * 5000}/1"],
)  # fmt: skip
async def test_an_unknown_version_is_a_friendly_page_or_a_problem_document(http: AsyncClient, path: str) -> None:
    page = await http.get(f"/achievements/{path}", headers=PAGE)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no achievement here" in page.text
    problem = await http.get(f"/achievements/{path}", headers=JSON)
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    for response in (page, problem):
        assert response.headers["cache-control"] == "no-store"
    assert page.headers["vary"] == "Accept"


async def test_a_version_whose_owner_has_not_arrived_is_not_there_yet(repository: MemoryRepository) -> None:
    repository.organisations.clear()
    async with client(application(repository)) as http:
        assert (await http.get("/achievements/department/resilience/1", headers=JSON)).status_code == 404


async def test_without_its_database_the_page_says_so(http: AsyncClient, repository: MemoryRepository) -> None:
    repository.away = AutoReconnect("away")
    page = await http.get("/achievements/department/resilience/1", headers=PAGE)
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert (await http.get("/achievements/department/resilience/1", headers=JSON)).status_code == 503


async def test_what_the_client_has_already_is_not_sent_again(http: AsyncClient) -> None:
    first = await http.get("/achievements/department/resilience/1", headers=JSON)
    again = await http.get(
        "/achievements/department/resilience/1", headers=JSON | {"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["", "department", "department/", "department/resilience", "department/resilience/"])
async def test_nothing_is_ever_listed(http: AsyncClient, path: str) -> None:
    assert (await http.get(f"/achievements/{path}")).status_code == 404
