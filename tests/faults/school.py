"""A school for the fault tests: a tenant of its own, evidence that a seed makes, and what that evidence must earn."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx
import orjson

from deploy.embedded.stack import Stack
from libs.contracts.results import SoloLevel

REQUIRED = SoloLevel.MULTISTRUCTURAL
PATIENCE_SECONDS = 240
_LEVELS = list(SoloLevel)
# One for all: each makes a TLS context, which costs more than a call. A service may be killed between two calls.
HTTP = httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class Row:
    """One row of evidence as it is sent."""

    source_id: str
    learner: int
    level: SoloLevel
    repeat: bool = False

    def json(self, mailed_one_in: int) -> bytes:
        body = {
            "source_id": self.source_id,
            "learner_id": f"L{self.learner:05}",
            "achievement": "resilience",
            "level": self.level.value,
            "date": "2026-10-12",
            "activity": "Raft building",
        }
        if self.learner % mailed_one_in == 0:
            body |= {"learner_name": f"Learner {self.learner}", "learner_email": address(self.learner)}
        return orjson.dumps(body)


def address(learner: int) -> str:
    return f"learner{learner}@school{learner % 3}.example"


@dataclass
class Expected:
    """What a run without any fault would end in; computed from the rows, in their order."""

    issued: int = 0
    not_yet: int = 0
    duplicate: int = 0
    awards: list[tuple[int, SoloLevel]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {"issued": self.issued, "not_yet": self.not_yet, "duplicate": self.duplicate}


def make_rows(count: int, seed: int, rows_per_learner: int = 5) -> list[Row]:
    """Rows of many learners, mixed; one in fifty is sent twice."""
    chance = random.Random(seed)
    learners = count // rows_per_learner
    rows: list[Row] = []
    while len(rows) < count:
        row = Row(f"e-{len(rows)}", chance.randrange(learners), chance.choice(_LEVELS))
        rows.append(row)
        if chance.random() < 0.02 and len(rows) < count:
            rows.append(Row(row.source_id, row.learner, row.level, repeat=True))
    return rows


def expected_of(rows: Sequence[Row]) -> Expected:
    """The rule in miniature: level at least the required one, each award once, none below one that is held."""
    expected, held = Expected(), dict[int, SoloLevel]()
    for row in rows:
        best = held.get(row.learner)
        if row.repeat or (row.level.rank >= REQUIRED.rank and best is not None and best.rank >= row.level.rank):
            expected.duplicate += 1
        elif row.level.rank < REQUIRED.rank:
            expected.not_yet += 1
        else:
            held[row.learner] = row.level
            expected.issued += 1
            expected.awards.append((row.learner, row.level))
    return expected


class SchoolClient:
    """One tenant, using the public HTTP API as its software would: every call is repeated until it is done."""

    def __init__(self, stack: Stack, name: str, *, publish: bool = True) -> None:
        self.id = name
        self._stack = stack
        admin = {"authorization": f"Bearer {stack.admin_key}"}
        school = {"id": name, "kind": "school", "name": f"School {name}", "issuer": {}}
        self._call("POST", "issuer", "/v1/organisations", admin, json=school)
        scopes = ["catalogue:write", "evidence:write", "evidence:read", "credentials:revoke", "credentials:read"]
        scopes += ["credentials:award", "deliveries:read"]
        granted = self._call(
            "POST", "issuer", f"/v1/issuers/{name}/keys", admin, json={"name": "Fault tests", "scopes": scopes}
        )
        self._key = {"authorization": f"Bearer {granted.json()['key']}"}
        if publish:
            self.publish()

    @property
    def headers(self) -> dict[str, str]:
        """By which the school is known."""
        return self._key

    def publish(self, achievement: str = "resilience", rule: Mapping[str, Any] | None = None) -> None:
        """Publish an achievement, with a rule or a required level; all evidence is for the one named here."""
        levels = [{"level": each, "name": each.label, "description": f"How {each.label} looks."} for each in SoloLevel]
        self._call(
            "POST",
            "issuer",
            "/v1/achievements",
            self._key,
            json={
                "id": achievement,
                "version": 1,
                "name": "Resilience",
                "description": "Keeps going when it is hard.",
                "criteria": "A teacher saw it.",
                "levels": levels,
                **({"required_level": REQUIRED} if rule is None else {"rule": rule}),
            },
        )

    def send(self, rows: Sequence[Row], rows_per_batch: int, mailed_one_in: int, name: str = "") -> Iterator[str]:
        """Upload batch after batch, each until it is accepted; yields the ids. Files of one name are the same."""
        bounds = [*range(0, len(rows), rows_per_batch), len(rows)]
        for start, end in pairwise(bounds):
            body = b"\n".join(row.json(mailed_one_in) for row in rows[start:end])
            headers = {
                **self._key,
                "content-type": "application/x-ndjson",
                "idempotency-key": f"{self.id}{name}-{start}",
            }
            answer = self._call("POST", "evidence", "/v1/batches", headers, content=body)
            yield answer.json()["id"]

    def submit(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """Send evidence as it is, until it is accepted; return the id of its batch."""
        return str(self._call("POST", "evidence", path, {**self._key, **headers}, content=body).json()["id"])

    def batch(self, batch_id: str) -> dict[str, Any]:
        """The batch as the service reports it now."""
        found: dict[str, Any] = self._call("GET", "evidence", f"/v1/batches/{batch_id}", self._key).json()
        return found

    def credential(self, credential_id: str) -> dict[str, Any]:
        """A credential as the service answers it now."""
        found: dict[str, Any] = self._call("GET", "issuer", f"/v1/credentials/{credential_id}", self._key).json()
        return found

    def revoke(self, credential_id: str) -> None:
        """Revoke one credential."""
        path = f"/v1/credentials/{credential_id}/revoke"
        self._call("POST", "issuer", path, self._key, json={"reason": "wrong_learner"})

    def _call(
        self,
        method: str,
        service: str,
        path: str,
        headers: dict[str, str],
        *,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        problem = ""
        while time.monotonic() < give_up_at:
            try:
                url = self._stack.url(service) + path
                answer = HTTP.request(method, url, headers=headers, json=json, content=content)
            except httpx.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.is_success:
                    return answer
                problem = f"{answer.status_code} {answer.text[:300]}"
                # 401: a key that was granted a moment ago is still on its way to this service.
                assert answer.status_code in {401, 502, 503, 504}, f"{method} {service}{path}: {problem}"
            time.sleep(0.1)
        raise AssertionError(f"{method} {service}{path} was not answered in {PATIENCE_SECONDS} s: {problem}")
