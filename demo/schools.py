"""The department, its schools, their keys and the shared achievement: made once, found again by every later run."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from demo import words
from demo.api import Api, DemoError, Endpoints
from demo.data import Department, School

_SCHOOL_SCOPES = ("evidence:write", "evidence:read", "credentials:read", "credentials:revoke", "deliveries:read")
_DEPARTMENT_SCOPES = ("catalogue:write",)


class Keys:
    """The API keys of the demo's issuers, in `secrets/demo-keys.json`, readable by this user alone."""

    def __init__(self, var: Path) -> None:
        self._directory = var / "secrets"
        self._path = self._directory / "demo-keys.json"
        self._keys: dict[str, str] = {}
        if self._path.exists():
            try:
                self._keys = json.loads(self._path.read_text())
            except ValueError:
                raise DemoError(f"{self._path} is not readable: delete it, and new keys are made") from None

    def __getitem__(self, issuer_id: str) -> str:
        return self._keys[issuer_id]

    def get(self, issuer_id: str) -> str | None:
        """Return the stored key of this issuer, if there is one."""
        return self._keys.get(issuer_id)

    def store(self, issuer_id: str, key: str) -> None:
        """Store a key, and beside it a file with the header that carries it, for `curl --header @FILE`."""
        self._keys[issuer_id] = key
        _write_private(self._path, json.dumps(self._keys, indent=2))
        _write_private(self.header_file(issuer_id), f"Authorization: Bearer {key}\n")

    def header_file(self, issuer_id: str) -> Path:
        """Return the file with the Authorization header of this issuer's key."""
        return self._directory / f"demo-{issuer_id}.header"


class Onboarding:
    """Creates what is missing; creating the same again returns what is there."""

    def __init__(self, api: Api, endpoints: Endpoints, keys: Keys) -> None:
        self._api = api
        self._issuer = endpoints.issuer
        self._evidence = endpoints.evidence
        self._admin_key = endpoints.admin_key
        self._keys = keys

    async def run(self, department: Department) -> None:
        """Create the department, its schools, a key for each of them, and the achievement that they share."""
        await self._create({"id": department.id, "name": department.name, "time_zone": words.TIME_ZONE})
        for school in department.schools:
            await self._create(_profile(school, parent=department.id))
        # Nothing stands at these URLs; an answer other than 401 says that the key is known there.
        nothing = UUID(int=0)
        await self._ensure_key(department.id, _DEPARTMENT_SCOPES, f"{self._issuer}/v1/credentials/{nothing}")
        for school in department.schools:
            await self._ensure_key(school.id, _SCHOOL_SCOPES, f"{self._evidence}/v1/batches/{nothing}")
        await self._api.post(f"{self._issuer}/v1/achievements", _achievement(), self._keys[department.id])

    async def _create(self, profile: dict[str, object]) -> None:
        await self._api.post(f"{self._issuer}/v1/issuers", profile, self._admin_key)

    async def _ensure_key(self, issuer_id: str, scopes: tuple[str, ...], probe: str) -> None:
        """Use the key of an earlier run where the services still know it, else ask for a new one."""
        kept = self._keys.get(issuer_id)
        if kept and await self._api.knows(probe, kept):
            return
        url = f"{self._issuer}/v1/issuers/{issuer_id}/keys"
        granted = await self._api.post(url, {"name": "Demo", "scopes": scopes}, self._admin_key)
        self._keys.store(issuer_id, granted["key"])


def _profile(school: School, parent: str) -> dict[str, object]:
    return {
        "id": school.id,
        "name": school.name,
        "url": school.url,
        "email": school.email,
        "parent": parent,
        "public_evidence": True,
        "learners_from_16": True,
    }


def _achievement() -> dict[str, Any]:
    return {
        "id": words.ACHIEVEMENT,
        "version": 1,
        "shared": True,
        "name": words.ACHIEVEMENT_NAME,
        "description": words.DESCRIPTION,
        "criteria": words.CRITERIA,
        "levels": [
            {"level": level.value, "name": name, "description": description}
            for level, (name, description) in words.LEVELS.items()
        ],
        "required_level": words.REQUIRED_LEVEL.value,
    }


def _write_private(path: Path, content: str) -> None:
    """Whole or not at all, readable by this user alone."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    partial.replace(path)
