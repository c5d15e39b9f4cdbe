"""One installation believes the signed list of another: read again on schedule, and nothing that is not good."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx import ASGITransport, AsyncClient
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from libs.common.fetch import FetchError
from libs.common.settings import SettingsError
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.trust import Party, write_issuer_list
from services.verifier.material.metrics import REGISTRY_GOOD_AT, REGISTRY_READS
from services.verifier.material.records import StoredIssuerList, TakenDown
from services.verifier.material.registries import TrustedRegistries, TrustedRegistry, trusted_registries
from tests.verifier_doubles import ISSUED, NOW, MemoryRepository, School, application, client

LIST_KEY = Ed25519Key.from_seed(b"l" * 32)
SIGNER = did_key(LIST_KEY.public_multibase)
BANKSIA, STRANGER = Ed25519Key.from_seed(b"b" * 32), Ed25519Key.from_seed(b"s" * 32)
URL = "https://south.example/issuers/list.jwt"
FOUND = {"verdict": "pass", "standing": "listed", "registry": "south.example"}


def signed_list(at: datetime = NOW, *, key: Ed25519Key = LIST_KEY, until: timedelta = timedelta(days=7)) -> bytes:
    party = Party(did_key(BANKSIA.public_multibase), "Banksia College", begins=ISSUED - timedelta(days=1))
    return write_issuer_list([party], name="south.example", key=key, at=at, ends=at + until).encode()


def badge_of(key: Ed25519Key, name: str = "Banksia College") -> bytes:
    school = School()
    document = orjson.loads(school.badge(UUID(int=1)))
    del document["proof"], document["credentialStatus"]
    document["id"] = "https://south.example/badges/1"
    document["issuer"] |= {"id": did_key(key.public_multibase), "name": name}
    method = verification_method(did_key(key.public_multibase), key.public_multibase)
    return sign(prepare(document), key, method, ISSUED).encode()


@dataclass
class South:
    """Another installation: what stands at the URL of its list, or why nothing does."""

    now: datetime = NOW
    text: bytes = field(default_factory=signed_list)
    away: FetchError | None = None

    async def fetch(self, url: str) -> bytes:
        assert url == URL
        if self.away is not None:
            raise self.away
        return self.text

    def read_by(self, here: MemoryRepository, **changes: Any) -> TrustedRegistries:
        source = TrustedRegistry(**({"url": URL, "signer": SIGNER} | changes))
        return TrustedRegistries([source], copies=here, fetch=self.fetch, clock=lambda: self.now, refresh_seconds=300)


@pytest.fixture
def here() -> MemoryRepository:
    return MemoryRepository()


async def seen(
    here: MemoryRepository, registries: TrustedRegistries, badge: bytes, now: datetime = NOW
) -> dict[str, Any]:
    app = application(here, registries=registries, clock=lambda: now)
    async with client(app) as http:
        report = (await http.post("/v1/verify", content=badge, headers={"Content-Type": "application/json"})).json()
    return {"verdict": report["verdict"], **{name: report["signer"][name] for name in ("standing", "registry")}}


async def test_a_badge_of_another_installation_is_listed_by_the_list_that_it_serves_and_a_stranger_is_not(
    here: MemoryRepository,
) -> None:
    south = MemoryRepository()
    south.issuers = StoredIssuerList(signed_list(), NOW, NOW + timedelta(days=7))
    transport = ASGITransport(application(south))

    async def fetch(url: str) -> bytes:
        async with AsyncClient(transport=transport, base_url="https://south.example") as http:
            return (await http.get(url)).content

    source = TrustedRegistry(url=URL, signer=SIGNER)
    registries = TrustedRegistries([source], copies=here, fetch=fetch, clock=lambda: NOW, refresh_seconds=300)
    assert await registries.tick() == 300
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND
    assert await seen(here, registries, badge_of(STRANGER)) == FOUND | {"standing": "unknown", "registry": None}


async def test_until_a_registry_was_read_nobody_is_called_unknown(here: MemoryRepository) -> None:
    south = South(away=FetchError("not_reached", "south.example could not be reached."))
    registries = south.read_by(here)
    assert await registries.tick() == 60
    assert (await seen(here, registries, badge_of(STRANGER)))["standing"] == "undetermined"
    south.away = None
    assert await registries.tick() == 300
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND


async def test_after_a_start_without_the_other_the_last_good_copy_counts_until_its_end(here: MemoryRepository) -> None:
    south = South()
    await south.read_by(here).tick()
    south.away = FetchError("not_reached", "south.example could not be reached.")
    started = south.read_by(here)
    assert await started.tick() == 60
    assert await seen(here, started, badge_of(BANKSIA)) == FOUND
    after = await seen(here, started, badge_of(BANKSIA), now=NOW + timedelta(days=7))
    assert after["standing"] == "undetermined"


def tampered() -> bytes:
    header, payload, signature = signed_list().split(b".")
    return b".".join((header, payload[:-6] + b"AAAAAA", signature))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (tampered(), "registry_proof"),
        (signed_list(NOW - timedelta(seconds=1)), "registry_rolled_back"),
        (signed_list(until=timedelta()), "registry_expired"),
        (signed_list(key=STRANGER), "registry_signer"),
        (b'{"name": "South", "issuers": []}', "registry_unsigned"),
        (b"<html>", "registry_unsigned"),
    ],
)
async def test_a_list_that_is_not_good_is_refused_by_its_reason_and_the_last_good_copy_counts_on(
    here: MemoryRepository, text: bytes, code: str
) -> None:
    south = South()
    registries = south.read_by(here)
    await registries.tick()
    good_at = REGISTRY_GOOD_AT.labels(URL)._value.get()
    refused = REGISTRY_READS.labels(URL, "refused")
    before = refused._value.get()
    south.text, south.now = text, NOW + timedelta(minutes=5)
    with capture_logs() as logs:
        assert await registries.tick() == 60
    assert [entry["problem"].partition(":")[0] for entry in logs] == [code]
    assert (refused._value.get() - before, REGISTRY_GOOD_AT.labels(URL)._value.get()) == (1, good_at)
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND
    assert here.copies[URL].text == signed_list()


async def test_a_process_that_read_an_older_list_takes_what_another_has_read_since(here: MemoryRepository) -> None:
    south = South(text=signed_list(NOW - timedelta(days=1)))
    first, second = south.read_by(here), south.read_by(here)
    await first.tick()
    south.text = signed_list()
    await second.tick()
    south.text = signed_list(NOW - timedelta(days=1))
    await first.tick()
    (held,), _ = first.current(NOW)
    assert held.signed_at == NOW.replace(microsecond=0)


async def test_while_the_signing_key_changes_either_counts(here: MemoryRepository) -> None:
    south = South(text=signed_list(key=STRANGER))
    registries = south.read_by(here, signer=[SIGNER, did_key(STRANGER.public_multibase)])
    await registries.tick()
    south.text = signed_list()
    await registries.tick()
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND


Start = Callable[[dict[str, Any]], TrustedRegistries]


@pytest.fixture
def start(tmp_path: Path, here: MemoryRepository) -> Start:
    async def fetch(url: str) -> bytes:
        raise FetchError("not_reached", url)

    def started(entry: dict[str, Any]) -> TrustedRegistries:
        setting = tmp_path / "registries.json"
        setting.write_bytes(orjson.dumps({"registries": [entry]}))
        return trusted_registries(setting, copies=here, fetch=fetch, clock=lambda: NOW, refresh_seconds=300)

    return started


async def test_a_file_is_read_at_start_and_again_and_one_that_went_bad_leaves_the_last_good_copy(
    tmp_path: Path, here: MemoryRepository, start: Start
) -> None:
    (tmp_path / "list.jwt").write_bytes(signed_list(NOW - timedelta(hours=1)))
    registries = start({"file": "list.jwt", "signer": SIGNER, "name": "Colleges of the South"})
    named = FOUND | {"registry": "Colleges of the South"}
    assert await seen(here, registries, badge_of(BANKSIA)) == named
    for text in (signed_list(), tampered(), b""):
        (tmp_path / "list.jwt").write_bytes(text)
        await registries.tick()
        (held,), _ = registries.current(NOW)
        assert held.signed_at == NOW.replace(microsecond=0)
    (tmp_path / "list.jwt").unlink()
    await registries.tick()
    assert await seen(here, registries, badge_of(BANKSIA)) == named


@pytest.mark.parametrize(
    ("entry", "text", "problem"),
    [
        ({"file": "list.jwt", "signer": SIGNER}, tampered(), "signature"),
        ({"file": "list.jwt", "signer": SIGNER}, signed_list(NOW - timedelta(days=8)), "relied on until"),
        ({"file": "list.jwt"}, signed_list(), "whose signature is trusted"),
        ({"file": "other.jwt", "signer": SIGNER}, signed_list(), "other.jwt"),
        ({"file": "list.jwt", "url": URL, "signer": SIGNER}, signed_list(), "either a file or a url"),
        ({"url": URL}, b"", "needs the signer"),
        ({"file": "list.jwt", "signed_by": SIGNER}, signed_list(), "signed_by"),
    ],
)
def test_a_service_does_not_start_with_a_registry_that_it_cannot_use(
    tmp_path: Path, start: Start, entry: dict[str, Any], text: bytes, problem: str
) -> None:
    (tmp_path / "list.jwt").write_bytes(text)
    with pytest.raises(SettingsError, match=problem):
        start(entry)


async def test_an_outage_makes_nobody_an_unknown_party(here: MemoryRepository) -> None:
    here.away = AutoReconnect("away")
    registries = South().read_by(MemoryRepository())
    await registries.tick()
    school = School()
    here.learn(school)
    answer = await seen(here, registries, school.badge(UUID(int=1)).encode())
    assert answer == {"verdict": "unknown", "standing": "undetermined", "registry": None}
    assert (await seen(here, registries, badge_of(STRANGER)))["standing"] == "undetermined"
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND


async def test_what_was_found_before_an_outage_counts(here: MemoryRepository) -> None:
    school, other = School(), MemoryRepository()
    other.learn(school)

    async def away(ids: Iterable[UUID]) -> dict[UUID, str | TakenDown]:
        raise AutoReconnect("away")

    other.credential_texts = away  # type: ignore[method-assign]  # the collection of documents alone is out of reach
    answer = await seen(other, South().read_by(here), school.badge(UUID(int=1)).encode())
    assert (answer["verdict"], answer["standing"]) == ("unknown", "registered")


async def test_the_list_is_served_as_it_was_signed_and_to_who_has_it_already_it_is_not_sent_again(
    here: MemoryRepository,
) -> None:
    async with client(application(here)) as http:
        assert (await http.get("/issuers/list.jwt")).status_code == 404
    here.issuers = StoredIssuerList(signed_list(), NOW, NOW + timedelta(days=7))
    async with client(application(here)) as http:
        answer = await http.get("/issuers/list.jwt")
        again = await http.get("/issuers/list.jwt", headers={"If-None-Match": answer.headers["ETag"]})
        head = await http.head("/issuers/list.jwt")
    assert answer.content == signed_list()
    assert answer.headers["Content-Type"] == "application/jwt"
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert (again.status_code, again.content, head.status_code) == (304, b"", 200)
    here.issuers = StoredIssuerList(signed_list(), NOW, NOW + timedelta(seconds=20))
    async with client(application(here)) as http:
        assert (await http.get("/issuers/list.jwt")).headers["Cache-Control"] == "public, max-age=20"


async def test_the_registries_that_are_named_now_are_trusted_from_a_reload_on(
    tmp_path: Path, here: MemoryRepository, start: Start
) -> None:
    (tmp_path / "list.jwt").write_bytes(signed_list())
    registries = start({"file": "list.jwt", "signer": SIGNER})
    setting = tmp_path / "registries.json"
    setting.write_bytes(orjson.dumps({"registries": []}))
    registries.name(setting)
    assert registries.current(NOW) == ([], [])
    setting.write_bytes(orjson.dumps({"registries": [{"file": "list.jwt", "signer": SIGNER}]}))
    registries.name(setting)
    assert await seen(here, registries, badge_of(BANKSIA)) == FOUND
    for unusable in (b"{", orjson.dumps({"registries": [{"file": "missing.jwt", "signer": SIGNER}]})):
        setting.write_bytes(unusable)
        with pytest.raises(SettingsError):
            registries.name(setting)
        assert await seen(here, registries, badge_of(BANKSIA)) == FOUND
