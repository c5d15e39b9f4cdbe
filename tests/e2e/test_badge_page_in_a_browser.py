"""The badge's page in a real browser: verdicts seen, keyboard used, nothing overflowing, no script, no other site."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Browser, FilePayload, Page, async_playwright

from libs.openbadges.baking import bake
from libs.openbadges.pictures.drawing import badge_svg
from services.verifier.material.records import Organisation
from services.verifier.pages.badge import CLAIMS
from tests.node_tools import installed
from tests.verifier_doubles import PUBLIC, REVOKED, MemoryRepository, School, application

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
GOOD, GONE, FOREIGN, CHANGED, EARNED = (UUID(int=number) for number in range(1, 6))
PHONE, DESK = {"width": 320, "height": 700}, {"width": 1200, "height": 900}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NOT PROVEN HERE: there is no Chromium, so no page was opened in a browser"
)


@dataclass(frozen=True)
class Site:
    """The verifier as it is served on a port of its own, and a browser to look at it."""

    address: str
    browser: Browser
    asked: list[str]

    async def open(
        self, badge: UUID, *, scheme: str = "light", size: dict[str, int] = DESK, script: bool = True
    ) -> Page:
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
        )
        page = await context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.asked.append(f"console: {message.text}"))
        await page.goto(f"{self.address}/badges/{badge}")
        return page


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    repository, school = MemoryRepository(), School()
    far = School("Far Away College", base="https://elsewhere.example", slug="far-away")
    repository.learn(school)
    repository.organisations["wattle-grove"] = Organisation(
        school.did, school.name, None, None, "Australia/Sydney", "department"
    )
    repository.organisations["department"] = Organisation("did:web:x", "Department of Education", None, None)
    repository.keep(GOOD, school.badge(GOOD))
    repository.keep(EARNED, school.badge(EARNED, activity_end=datetime(2026, 3, 5, tzinfo=UTC)))
    repository.keep(GONE, school.badge(GONE), REVOKED)
    repository.keep(FOREIGN, far.badge(FOREIGN))
    repository.keep(CHANGED, school.badge(CHANGED).replace("sank twice", "never sank"))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(repository), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", browser, [])
        await browser.close()
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    ("badge", "headline", "words"),
    [
        (GOOD, "This badge is real and still good", {"Passed."}),
        (GONE, "This badge has been revoked", {"Passed.", "Failed."}),
        (FOREIGN, "This badge could not be checked in full", {"Passed.", "Could not check."}),
        (CHANGED, "This badge does not hold up", {"Passed.", "Failed."}),
    ],
)
async def test_every_verdict_is_visible_in_words(site: Site, badge: UUID, headline: str, words: set[str]) -> None:
    page = await site.open(badge, script=False)
    assert await page.get_by_role("heading", name=headline).is_visible()
    if badge == GOOD:
        await page.locator("summary", has_text="passed").click()
    checks = page.locator(".checks li")
    assert await checks.count() == len(CLAIMS)
    for claim in CLAIMS.values():
        assert await page.get_by_text(claim, exact=True).is_visible()
    assert set(await page.locator(".checks li strong").all_inner_texts()) == words


async def test_the_level_reached_is_marked_for_eyes_and_for_screen_readers(site: Site) -> None:
    page = await site.open(GOOD)
    steps = page.get_by_role("list", name="SOLO level").get_by_role("listitem")
    assert await steps.count() == 5
    reached = page.locator("[aria-current=step]")
    assert await reached.count() == 1
    assert "Relational" in await reached.inner_text()
    assert await reached.get_by_text("Reached").is_visible()


async def test_landmarks_and_one_main_heading_lead_through_the_page(site: Site) -> None:
    page = await site.open(GOOD)
    for landmark in ("banner", "main", "contentinfo"):
        assert await page.get_by_role(landmark).count() == 1
    assert await page.get_by_role("heading", level=1).all_inner_texts() == ["Resilience"]
    assert await page.locator("html").get_attribute("lang") == "en"


async def test_the_keyboard_reaches_every_link_in_order_with_a_focus_that_shows(site: Site) -> None:
    page = await site.open(GOOD)
    seen = []
    reachable = page.locator("a, summary")
    for _ in range(await reachable.count()):
        await page.keyboard.press("Tab")
        focus = page.locator(":focus-visible")
        assert await focus.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        seen.append(await focus.inner_text())
    assert seen == await reachable.all_inner_texts()
    assert seen[0] == "Skip to the badge"


async def test_skipping_to_the_badge_moves_the_focus_there(site: Site) -> None:
    page = await site.open(GOOD)
    await page.keyboard.press("Tab")
    assert await page.get_by_text("Skip to the badge").is_visible()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK])
async def test_nothing_overflows_at_any_width_in_any_scheme(site: Site, scheme: str, size: dict[str, int]) -> None:
    page = await site.open(GOOD, scheme=scheme, size=size)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 30)"
    assert dark == (scheme == "dark")


async def test_the_page_asks_no_other_site_and_breaks_no_rule_of_its_own_policy(site: Site) -> None:
    site.asked.clear()
    page = await site.open(GOOD)
    await page.wait_for_load_state("networkidle")
    assert site.asked
    assert not [asked for asked in site.asked if not asked.startswith(site.address)]
    assert await page.locator("img.picture").evaluate("image => image.complete && image.naturalWidth > 0")


async def test_the_signed_badge_downloads_as_a_file(site: Site) -> None:
    page = await site.open(GOOD)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the signed badge").click()
    assert (await download.value).suggested_filename == f"badge-{GOOD}.json"


@pytest.mark.parametrize("size", [PHONE, DESK])
async def test_a_file_is_checked_by_the_form_without_a_script(site: Site, size: dict[str, int]) -> None:
    context = await site.browser.new_context(
        viewport={"width": size["width"], "height": size["height"]}, java_script_enabled=False
    )
    page = await context.new_page()
    await page.goto(f"{site.address}/")
    for landmark in ("banner", "main", "contentinfo"):
        assert await page.get_by_role(landmark).count() == 1
    picture = bake(badge_svg(name="Resilience", issuer="Wattle Grove").encode(), School().badge(GOOD))
    await page.get_by_label("A file: a badge").set_input_files(
        {"name": "badge.svg", "mimeType": "image/svg+xml", "buffer": picture}
    )
    form = await page.locator("main").bounding_box()
    assert form is not None
    assert form["width"] <= size["width"]
    await page.get_by_role("button", name="Check it").click()
    assert await page.get_by_role("heading", name="This badge is real and still good").is_visible()
    verdict = await page.locator("article").bounding_box()
    assert verdict is not None
    assert verdict["width"] <= size["width"]
    await page.get_by_role("link", name="Check another").click()
    await page.get_by_label("Or a link").fill("https://elsewhere.example/badges/1")
    await page.keyboard.press("Enter")
    assert "Nothing is fetched from other sites" in await page.get_by_role("alert").inner_text()
    await context.close()


async def test_printed_it_keeps_the_verdict_and_writes_addresses_out(site: Site) -> None:
    page = await site.open(GOOD)
    await page.emulate_media(media="print")
    assert await page.get_by_role("heading", name="This badge is real and still good").is_visible()
    assert not await page.get_by_role("link", name="Download the signed badge").is_visible()
    content = await page.locator(".evidence a").evaluate("e => getComputedStyle(e, '::after').content")
    assert "portfolio.wattlegrove.example" in content


async def test_printed_it_is_one_page_with_a_code_that_leads_back_to_it(site: Site) -> None:
    for badge in (GOOD, GONE):
        page = await site.open(badge)
        await page.wait_for_load_state("networkidle")
        for paper in ("A4", "Letter"):
            pages = re.findall(rb"/Type */Page[^s]", await page.pdf(format=paper))
            assert len(pages) == 1, (badge, paper)
        await page.emulate_media(media="print")
        code = page.locator(".scan img")
        assert await code.is_visible()
        assert await code.evaluate("image => image.complete && image.naturalWidth > 0")
        box = await code.bounding_box()
        assert box is not None
        assert box["width"] >= 2 / 2.54 * 96, "a code of less than 2 cm is hard to scan"
        assert await page.locator(".scan").get_by_text(f"{PUBLIC}/badges/{badge}").is_visible()
        await page.context.close()


async def test_on_a_phone_its_button_is_seen_before_anybody_scrolls_far(site: Site) -> None:
    page = await site.open(GOOD, size=PHONE)
    box = await page.get_by_role("link", name="Download the signed badge").bounding_box()
    assert box is not None
    assert box["y"] < 2 * PHONE["height"]
    assert await page.evaluate("document.documentElement.scrollHeight") < 5_000


async def test_times_are_those_of_the_schools_zone_and_its_department_is_named(site: Site) -> None:
    page = await site.open(EARNED)
    words = await page.locator("main").inner_text()
    assert "24 November 2026, 03:20 AEDT" in words
    assert "Earned 5 March 2026" in words, "midnight as it was written is that day, wherever it is read"
    assert "Department of Education" in words


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker, as a script."""
    home = installed(Path(__file__).parents[1] / "node")
    return (home / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_breaks_a_rule_of_accessibility(site: Site, axe: str, scheme: str) -> None:
    context = await site.browser.new_context(bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light")
    page = await context.new_page()
    paths = [f"/badges/{badge}" for badge in (GOOD, GONE, FOREIGN, CHANGED, UUID(int=99))]
    for path in (*paths, "/", "what the form answers"):
        if path.startswith("/"):
            await page.goto(f"{site.address}{path}")
        else:
            file = FilePayload(name="badge.json", mimeType="application/json", buffer=School().badge(GOOD).encode())
            await page.get_by_label("A file: a badge").set_input_files(file)
            await page.get_by_role("button", name="Check it").click()
        await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        await page.evaluate(axe)
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
        found = await page.evaluate("rules => axe.run(document, rules)", rules)
        broken = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found["violations"]]
        assert not broken, (path, broken)
    await context.close()
