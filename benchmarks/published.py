"""A verifier to which one badge was published, the largest that an issuer can publish, for what anybody asks of it."""

import random
from uuid import UUID

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from libs.openbadges.model.documents import Evidence
from tests.verifier_doubles import PUBLIC, MemoryRepository, School, application

BADGE = UUID("0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11")
# Scripts whose letters join, change their places or are read from a font of their own are the dearest to draw.
_NAME = "मूल्य सप्ताह أسبوع القيم 价值观周 שבוע הערכים ค่านิยม மதிப்பு "
_SCHOOL = School((_NAME * 4)[:200])
ROUTES = {
    "the page": (f"/badges/{BADGE}", "text/html"),
    "the document": (f"/badges/{BADGE}", "application/json"),
    "the file": (f"/badges/{BADGE}/credential.json", "*/*"),
    "the picture as SVG": (f"/badges/{BADGE}/image.svg", "*/*"),
    "the picture as PNG": (f"/badges/{BADGE}/image.png", "*/*"),
    "the card": (f"/badges/{BADGE}/card.png", "*/*"),
    "the QR code": (f"/badges/{BADGE}/qr.svg", "*/*"),
    "the keys of its issuer": ("/issuers/wattle-grove/did.json", "*/*"),
    "its status list": (f"/status/{_SCHOOL.list_id}", "*/*"),
}
"""What is open to anybody of a published badge: the path, and what is accepted."""


def verifier(*, revoked: bool = False) -> FastAPI:
    """Return the verifier, in threads, with the badge; `revoked`: it is, with half of its list, as it packs worst."""
    repository = MemoryRepository()
    chance = random.Random(0)  # noqa: S311  # the same list on every run, and nothing secret
    repository.learn(_SCHOOL, [7, *chance.sample(range(131_072), 65_536)] if revoked else ())
    text = "a text that was written as long as it may be, " * 100
    evidence = Evidence(id=f"https://portfolio.example/{'a' * 1_900}", name=text[:2_000], narrative=text[:4_900])
    badge = _SCHOOL.badge(BADGE, index=7, name=(_NAME[::-1] * 4)[:200], evidence=[evidence])
    repository.keep(BADGE, badge)
    return application(repository)


async def ask(app: FastAPI, path: str, accept: str) -> str:
    """Ask for it once, as the first who does, and return how it is answered."""
    async with AsyncClient(transport=ASGITransport(app), base_url=PUBLIC) as http:
        answer = await http.get(path, headers={"Accept": accept})
    return f"{answer.status_code}, {len(answer.content)} bytes"
