"""A verifier over a store in memory, and credentials of a school that it knows."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import AnyHttpUrl

from libs.common.health import Health
from libs.common.http import create_app
from libs.common.rate_limits import Rates
from libs.common.workers.jobs import Runner
from libs.common.workers.threads import Threads
from libs.contracts.events import AchievementPublished, IssuerPublished
from libs.contracts.reasons import RevocationReason
from libs.openbadges.crypto.did import did_document, did_web, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.building import CredentialTemplate, Shown, solo_result_description
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import Achievement, Criteria, Evidence, Profile
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.trust import Party, Registry
from libs.openbadges.trust.names import likenesses
from services.verifier.material.issuers import RegisteredIssuer
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.records import (
    Organisation,
    StoredCredential,
    StoredIssuerList,
    StoredStatusList,
    TakenDown,
)
from services.verifier.material.registries import RegistryCopy
from services.verifier.material.trust import Registries
from services.verifier.service import ServiceSettings, serve

PUBLIC = "https://badges.example"
ISSUED = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 16, 20, 11, tzinfo=UTC)
REVOKED = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
LEARNER = "urn:uuid:7d2f8c51-11aa-5c39-8f0e-0242ac120002"
DESCRIPTIONS = {
    "prestructural": "Stops, or waits for somebody else, when a task becomes hard.",
    "unistructural": "Names one way of going on after a setback, and tries it.",
    "multistructural": "Uses several ways of coping, one after the other, without choosing between them.",
    "relational": "Chooses among ways of coping by what the situation asks for, and explains the choice.",
    "extended_abstract": "Carries what a setback taught over to new situations, and helps others to do the same.",
}


EPOCH = 1_790_000_000
AUTHORITY_KEY = Ed25519Key.from_seed(bytes(range(1, 33)))


class School:
    """An issuer with a key, and its authority with a status list, on this verifier's own address or another one."""

    def __init__(self, name: str = "Wattle Grove High School", base: str = PUBLIC, slug: str = "wattle-grove") -> None:
        self.key = Ed25519Key.from_seed(bytes(range(32)))
        self.slug = slug
        self.did = did_web(base, "issuers", slug)
        self.list_id = f"{EPOCH}-{zlib.crc32(slug.encode())}"
        self.authority = did_web(base)
        self.authority_document = orjson.dumps(did_document(self.authority, AUTHORITY_KEY.public_multibase)).decode()
        self.list_url = f"{base}/status/{self.list_id}"
        self.name = name
        self.base = base
        self.did_document = orjson.dumps(did_document(self.did, self.key.public_multibase)).decode()

    def sign(self, document: dict[str, Any]) -> str:
        return sign(prepare(document), self.key, verification_method(self.did, self.key.public_multibase), ISSUED)

    def badge(self, credential_id: UUID, index: int = 7, name: str = "Resilience", **changes: Any) -> str:
        """The signed text of one award."""
        achievement_id = f"{self.base}/achievements/resilience/1"
        template = CredentialTemplate(
            Profile(id=self.did, name=self.name, url="https://wattlegrove.example"),
            Achievement(
                id=achievement_id,
                name=name,
                description="Keeps going when something gets hard, looks for ways around it, and learns from what went "
                "wrong.",
                criteria=Criteria(
                    narrative="Shown in at least one activity of Values Week, seen by a teacher, at the level "
                    "multistructural or above."
                ),
                result_description=[
                    solo_result_description(
                        achievement_id, required_level="multistructural", descriptions=DESCRIPTIONS, name="SOLO level"
                    )
                ],
            ),
        )
        given: dict[str, Any] = {
            "credential_id": f"{self.base}/badges/{credential_id}",
            "subject_id": LEARNER,
            "valid_from": ISSUED,
            "awarded": ISSUED,
            "shown": [Shown(level="relational")],
            "evidence": [
                Evidence(
                    id="https://portfolio.wattlegrove.example/values-week/raft",
                    name="Raft building, day 3 of Values Week",
                    narrative="Rebuilt the raft after it sank twice, and told the group why the second knot held.",
                )
            ],
            "status": entry(self.list_url, index),
        }
        return self.sign(template.document(**{**given, **changes}))

    def status_list(self, revoked: Iterable[int] = (), **changes: Any) -> str:
        """The signed text of the authority's list."""
        statuses = StatusList()
        for index in revoked:
            statuses.set(index)
        document = list_document(self.list_url, self.authority, statuses, valid_from=ISSUED, **changes)
        method = verification_method(self.authority, AUTHORITY_KEY.public_multibase)
        return sign(prepare(document), AUTHORITY_KEY, method, ISSUED)


class MemoryRepository:
    """What the verifier knows, in dicts; `away` is raised instead of any answer."""

    def __init__(self) -> None:
        self.credentials: dict[UUID, StoredCredential] = {}
        self.taken_down: dict[UUID, TakenDown] = {}
        self.dids: dict[str, str] = {}
        self.lists: dict[str, StoredStatusList] = {}
        self.authority: str | None = None
        self.organisations: dict[str, Organisation] = {}
        self.registered: dict[str, Party] = {}
        self.versions: dict[str, AchievementPublished] = {}
        self.issuers: StoredIssuerList | None = None
        self.copies: dict[str, RegistryCopy] = {}
        self.away: Exception | None = None
        self.lookups = 0

    def learn(self, school: School, revoked: Iterable[int] = ()) -> None:
        self.dids[school.slug] = self.dids[school.did] = school.did_document
        self.registered[school.did] = Party(school.did, school.name, "https://wattlegrove.example", school.slug)
        self.lists[school.list_id] = StoredStatusList(school.list_id, (EPOCH, 1), school.status_list(revoked))
        self.authority = school.authority_document

    def keep(
        self,
        credential_id: UUID,
        text: str,
        revoked_at: datetime | None = None,
        revocation_reason: RevocationReason | None = None,
        superseded_by: UUID | None = None,
    ) -> None:
        self.credentials[credential_id] = StoredCredential(
            credential_id, "wattle-grove", text, revoked_at, revocation_reason, superseded_by
        )

    def list_achievement(self, version: AchievementPublished, owner: IssuerPublished) -> None:
        self.versions[version.version_key] = version
        self.organisations[owner.issuer_id] = Organisation(owner.did, owner.name, owner.url, owner.email)

    def _reach(self) -> None:
        self.lookups += 1
        if self.away is not None:
            raise self.away

    async def credential(self, credential_id: UUID) -> StoredCredential | TakenDown | None:
        self._reach()
        return self.taken_down.get(credential_id) or self.credentials.get(credential_id)

    async def did_document(self, issuer_id: str) -> str | None:
        self._reach()
        return self.dids.get(issuer_id)

    async def registered_issuers(self, dids: Iterable[str]) -> dict[str, RegisteredIssuer]:
        self._reach()
        return {
            did: RegisteredIssuer(self.registered[did], self.dids[did])
            for did in dids
            if did in self.registered and did in self.dids
        }

    async def parties_alike(self, asked: Iterable[str]) -> dict[str, list[Party]]:
        self._reach()
        everybody = self.registered.values()
        return {one: [party for party in everybody if one in likenesses(party.name)] for one in asked}

    async def credential_texts(self, ids: Iterable[UUID]) -> dict[UUID, str | TakenDown]:
        self._reach()
        texts = {one: self.credentials[one].text for one in ids if one in self.credentials}
        return texts | {one: self.taken_down[one] for one in ids if one in self.taken_down}

    async def organisation(self, issuer_id: str) -> Organisation | None:
        self._reach()
        return self.organisations.get(issuer_id)

    async def achievement(self, version_key: str) -> AchievementPublished | None:
        self._reach()
        return self.versions.get(version_key)

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        self._reach()
        return self.lists.get(list_id)

    async def authority_document(self) -> str | None:
        self._reach()
        return self.authority

    async def issuer_list(self, newer_than: datetime | None = None) -> StoredIssuerList | None:
        self._reach()
        held = self.issuers
        return held if held is None or newer_than is None or held.published_at > newer_than else None

    async def registry_copy(self, url: str) -> RegistryCopy | None:
        self._reach()
        return self.copies.get(url)

    async def store_registry_copy(self, copy: RegistryCopy) -> None:
        self._reach()
        self.copies[copy.url] = copy


class NoRegistries:
    """The registries of an operator who trusts none."""

    def current(self, now: datetime) -> tuple[Sequence[Registry], Sequence[str]]:
        return (), ()


def application(
    repository: PublicRecords,
    strangers: Runner | None = None,
    *,
    pictures: Runner | None = None,
    registries: Registries | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
    rates: Rates | None = None,
    **settings: Any,
) -> FastAPI:
    """The verifier as it is served, with a clock that stands at `NOW`; in threads, unless told otherwise."""
    app = create_app("Bowerbird verifier", Health(), rates)
    read = ServiceSettings(**{"public_url": AnyHttpUrl(PUBLIC), **settings})
    threads = Threads(2, waiting=read.verify_waiting, seconds=read.verify_seconds)
    serve(
        app,
        repository,
        read,
        clock,
        strangers=strangers or threads,
        pictures=pictures or threads,
        registries=registries or NoRegistries(),
    )
    return app


def client(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url=PUBLIC)
