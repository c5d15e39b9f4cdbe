"""The page /docs in a real browser: Swagger UI shows every operation, asks no other site, breaks no rule of its own."""

import pytest
from playwright.async_api import async_playwright, expect

from tests.e2e.test_badge_page_in_a_browser import CHROMIUM, FLAGS
from tests.served import served
from tests.verifier_doubles import MemoryRepository, application

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NOT PROVEN HERE: there is no Chromium, so no page was opened in a browser"
)


async def test_the_reference_shows_every_operation_from_this_origin_alone_and_within_its_policy() -> None:
    app = application(MemoryRepository())
    operations = [method for path in app.openapi()["paths"].values() for method in path]
    asked: list[str] = []
    said: list[str] = []
    with served(app) as address:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            await page.goto(f"{address}/docs")
            await expect(page.locator(".opblock")).to_have_count(len(operations), timeout=60_000)
            await page.get_by_role("button", name="POST /v1/verify").first.click()
            await expect(page.get_by_role("button", name="Try it out")).to_be_visible(timeout=60_000)
            await page.wait_for_load_state("networkidle")
            await browser.close()
    assert f"{address}/openapi.json" in asked
    assert [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []
    assert said == []
