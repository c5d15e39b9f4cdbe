"""Bodies made to keep the verifier busy: whatever anybody sends, its event loop goes on answering others."""

from collections.abc import AsyncIterator

import orjson
import pytest
from httpx import AsyncClient
from pydantic import AnyHttpUrl

from benchmarks import hostile
from libs.common.stalls import LONGEST_STALL_SECONDS
from services.verifier.service import ServiceSettings, stranger_workers
from services.verifier.verification.submission import MOST_BYTES, MOST_PICTURE_BYTES
from tests.stalls import watched
from tests.verifier_doubles import PUBLIC, MemoryRepository, application, client

JSON = "application/json"
FORM = "multipart/form-data; boundary=xxxx"
FILE = b'Content-Disposition: form-data; name="file"; filename="a"\r\n'


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[AsyncClient]:
    """The verifier with a process for what strangers send, as it runs in production."""
    pool = stranger_workers(ServiceSettings(public_url=AnyHttpUrl(PUBLIC), verify_workers=1, verify_seconds=30))
    async with client(application(MemoryRepository(), pool)) as connected:
        await connected.post("/v1/verify", json={"@context": []})
        yield connected
    await pool.close()


def values(one: bytes) -> bytes:
    """A list of as many of these values as a body holds."""
    return b"[" + one * ((MOST_BYTES - 200) // len(one)) + b"0]"


def keys(one: bytes) -> bytes:
    """An object of as many keys with this value as a body holds."""
    return b"{" + b",".join(b'"%d":%b' % (key, one) for key in range((MOST_BYTES - 200) // (9 + len(one)))) + b"}"


def form(part: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + b"--xxxx\r\n" + part + b"\r\n--xxxx--\r\n" + after


WIDE = {
    "keys": keys(b"1"),
    "lists": values(b"[],"),
    "objects with a key": values(b'{"a":0},'),
    "whole numbers": values(b"0,"),
    "fractions": values(b"1e9,"),
    "long numbers": values(b"9" * 5_000 + b","),
    "depth": b"[" * (MOST_BYTES // 3) + b"]" * (MOST_BYTES // 3),
}
LARGE = {
    "a learner record, full": orjson.dumps(hostile.record(40)),
    "endorsements": orjson.dumps(hostile.endorsed()),
    "6,000 things": orjson.dumps(hostile.credential(0, 1, evidence=[{"id": f"urn:{one}"} for one in range(3_000)])),
}
BODIES: dict[str, tuple[str, str, bytes]] = {
    **{
        f"{name} in a credential": ("/v1/verify", JSON, b'{"credential":{"a":' + it + b"}}")
        for name, it in WIDE.items()
    },
    **{
        f"{name} beside a recipient": ("/v1/verify", JSON, b'{"recipient":"a","credential":{"a":' + it + b"}}")
        for name, it in WIDE.items()
    },
    "a credential that stands 30,000 times": (
        "/v1/verify",
        JSON,
        b"{" + b'"credential":{},' * 30_000 + b'"recipient":"x"}',
    ),
    **{
        f"{name} for the VC API": ("/credentials/verify", JSON, b'{"verifiableCredential":{"a":' + it + b"}}")
        for name, it in WIDE.items()
    },
    **{
        f"{name} in a presentation": ("/presentations/verify", JSON, b'{"verifiablePresentation":{"a":' + it + b"}}")
        for name, it in WIDE.items()
    },
    **{f"{name} as options": ("/credentials/verify", JSON, b'{"options":' + it + b"}") for name, it in WIDE.items()},
    **{name: ("/v1/verify", JSON, body) for name, body in LARGE.items()},
    **{f"{name}, as a file": ("/v1/verify", "text/plain", body) for name, body in LARGE.items()},
    **{f"{name}, by the form": ("/", FORM, form(FILE + b"\r\n" + body)) for name, body in LARGE.items()},
    "a picture of zeros": ("/v1/verify", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(MOST_PICTURE_BYTES - 100)),
    "brackets as a file": ("/v1/verify", "application/octet-stream", b"[" * MOST_PICTURE_BYTES),
    "a form whose file nearly has boundaries": ("/", FORM, form(FILE + b"\r\n" + b"\r\n--xxx" * 500_000)),
    "a form whose file is line ends": ("/", FORM, form(FILE + b"\r\n" + b"\r\n" * 2_000_000)),
    "a form with a long header": ("/", FORM, form(FILE + b"X: " + b"a" * 4_000_000 + b"\r\n\r\nabc")),
    "a form with many headers": ("/", FORM, form(FILE + b"X: a\r\n" * 600_000 + b"\r\nabc")),
    "a form with many parameters": ("/", FORM, form(b"Content-Disposition: form-data; " + b'a="b";' * 600_000)),
    "a form after much else": ("/", FORM, form(FILE + b"\r\nabc", before=b"\r\n" * 2_000_000)),
    "a form before much else": ("/", FORM, form(FILE + b"\r\nabc", after=b"\r\n" * 2_000_000)),
    "a form of a short boundary": (
        "/",
        "multipart/form-data; boundary=a",
        b"--a\r\n" + FILE + b"\r\n" + b"\r\n--" * 1_000_000,
    ),
    "a form that nearly ends": (
        "/",
        "multipart/form-data; boundary=%",
        b"--%\r\n" + FILE + b"\r\n" + b"\r\n--" * 1_000_000,
    ),
    "a form type of many parameters": ("/", "multipart/form-data; " + 'a="b";' * 4_000 + "boundary=a", b"--a--"),
    "a form type that does not end": ("/", "multipart/form-data; " + 'a="' * 8_000, b"--a--"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_no_body_keeps_the_verifier_from_answering(http: AsyncClient, name: str) -> None:
    path, media_type, body = BODIES[name]
    async with watched() as monitor:
        response = await http.post(path, content=body, headers={"Content-Type": media_type})
    assert response.status_code in {200, 400, 413}
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


@pytest.mark.parametrize(
    "accept", ["text/html;q=0.1," * 1_900, 'text/html;a="' * 2_400, "*/*;" * 8_000, ";q=" * 10_000, "a/b," * 8_000]
)
async def test_no_accept_header_keeps_the_verifier_from_answering(http: AsyncClient, accept: str) -> None:
    async with watched() as monitor:
        await http.get("/badges/0f4ac6a1-59e9-4a3c-95ad-000000000001", headers={"Accept": accept})
    assert monitor.held_seconds < LONGEST_STALL_SECONDS


async def test_a_thousand_headers_keep_the_verifier_from_nothing(http: AsyncClient) -> None:
    async with watched() as monitor:
        response = await http.get("/", headers=[(f"x-{number}", "y") for number in range(1_000)])
    assert response.status_code == 200
    assert monitor.held_seconds < LONGEST_STALL_SECONDS
