"""POST /v1/verify takes what the command line takes: JSON, a JWT, PNG and SVG, each under its media type."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx import AsyncClient

from libs.openbadges.baking import bake
from libs.openbadges.crypto.did import verification_method
from libs.openbadges.issue.jwt import sign_vc_jwt
from libs.openbadges.issue.signing import prepare
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from services.verifier.verification.submission import FILE_TYPES, MOST_BYTES, MOST_PICTURE_BYTES
from tests.verifier_doubles import LEARNER, MemoryRepository, School, application, client

ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")
SCHOOL = School()
TEXT = SCHOOL.badge(ID)
SVG = badge_svg(name="Resilience", issuer=SCHOOL.name, level="relational").encode()
PNG = badge_png(name="Resilience", issuer=SCHOOL.name, level="relational", size=64)


def token() -> str:
    document = orjson.loads(TEXT)
    del document["proof"]
    return sign_vc_jwt(
        prepare(document),
        SCHOOL.key,
        algorithm="EdDSA",
        kid=verification_method(SCHOOL.did, SCHOOL.key.public_multibase),
    )


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    known = MemoryRepository()
    known.learn(SCHOOL)
    known.keep(ID, TEXT)
    async with client(application(known)) as connected:
        yield connected


ATTACHED = b"%%PDF-1.7\n1 0 obj <</Type /EmbeddedFile>> stream\n%b\nendstream endobj" % TEXT.encode()


async def report_of(http: AsyncClient, content: bytes | str, kind: str) -> dict[str, Any]:
    answer = await http.post("/v1/verify", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (bake(PNG, TEXT), "image/png"),
        (bake(SVG, TEXT), "image/svg+xml"),
        (bake(SVG, TEXT), "image/svg+xml; charset=utf-8"),
        (bake(PNG, TEXT), "application/octet-stream"),
        (ATTACHED, "application/pdf"),
        (ATTACHED, "application/octet-stream"),
        (TEXT.encode(), "text/plain; charset=utf-8"),
        (TEXT.encode(), "application/octet-stream"),
    ],
)
async def test_a_file_is_verified_as_its_credential_would_be(http: AsyncClient, content: bytes, kind: str) -> None:
    report = await report_of(http, content, kind)
    assert report["verdict"] == "pass"
    assert report["signer"]["standing"] == "registered"


@pytest.mark.parametrize("kind", ["application/vc+jwt", "application/jwt", "application/jose", "text/plain"])
async def test_a_token_is_verified_under_each_of_its_types_and_inside_json(http: AsyncClient, kind: str) -> None:
    report = await report_of(http, token(), kind)
    assert report["checks"][0]["code"] == "credential_jwt"
    assert {check["name"]: check["outcome"] for check in report["checks"]}["proof"] == "pass"
    inside = await http.post("/v1/verify", json={"credential": token(), "recipient": LEARNER})
    assert inside.json()["checks"][:-1] == report["checks"]
    assert inside.json()["checks"][-1]["outcome"] == "pass"


@pytest.mark.parametrize(("content", "kind"), [(PNG, "image/png"), (SVG, "image/svg+xml"), (PNG, "text/plain")])
async def test_a_picture_without_a_credential_is_neither_good_nor_bad(
    http: AsyncClient, content: bytes, kind: str
) -> None:
    report = await report_of(http, content, kind)
    assert (report["verdict"], report["checks"][0]["code"]) == ("unknown", "baked_none")


async def test_a_changed_badge_in_a_picture_fails(http: AsyncClient) -> None:
    report = await report_of(http, bake(PNG, TEXT.replace("sank twice", "never sank")), "image/png")
    assert report["verdict"] == "fail"


@pytest.mark.parametrize("kind", FILE_TYPES)
async def test_anything_under_any_type_is_a_report_and_nothing_at_all_a_bad_request(
    http: AsyncClient, kind: str
) -> None:
    samples = (b"\x89PNG\r\n\x1a\n", b"<svg", b"a.b.c", b"\xff\xd8\xff\xe0 JFIF", b"hello", b"\0")
    for content in (*samples, TEXT[:99].encode()):
        report = await report_of(http, content, kind)
        assert report["verdict"] in {"fail", "unknown"}
    assert (await http.post("/v1/verify", content=b"", headers={"Content-Type": kind})).status_code == 400


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"%PDF-1.7\n", "application/pdf", "a PDF, and no credential is attached to it"),
        (b"\xff\xd8\xff\xe0 JFIF", "image/jpeg", "a JPEG picture"),
    ],
)
async def test_a_file_in_which_no_credential_can_stand_is_said_to_be_what_it_is(
    http: AsyncClient, content: bytes, kind: str, said: str
) -> None:
    check = (await report_of(http, content, kind))["checks"][0]
    assert (check["outcome"], check["code"]) == ("unknown", "file_kind")
    assert check["message"].startswith(f"This file is {said}. ")


async def test_pictures_and_json_have_limits_of_size_of_their_own(http: AsyncClient) -> None:
    for size, kind in ((MOST_BYTES + 1, "application/json"), (MOST_PICTURE_BYTES + 1, "image/png")):
        answer = await http.post("/v1/verify", content=b" " * size, headers={"Content-Type": kind})
        assert answer.status_code == 413, kind


@pytest.mark.parametrize("media_type", ["application/json", "application/vc+ld+json", "application/x-ndjson"])
async def test_no_more_of_a_body_is_received_than_its_media_type_may_have(http: AsyncClient, media_type: str) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(60):
            sent += 64 * 1024
            yield b" " * 64 * 1024

    answer = await http.post("/v1/verify", content=pieces(), headers={"Content-Type": media_type})
    assert answer.status_code == 413
    assert sent <= (2 * 1024 + 128 if media_type.endswith("ndjson") else 640) * 1024
