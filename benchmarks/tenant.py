"""A school of its own for each measurement, so that measuring again on the same stack measures the same."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson

from demo.api import Api, Endpoints

ACHIEVEMENT = "resilience"
# Of ten pieces of evidence nine issue a credential; the tenth stays below the required level.
NOT_YET_OF = 10
_LINES_AT_ONCE = 500
_SCOPES = ("catalogue:write", "evidence:write", "evidence:read")
_EARNING = ("multistructural", "relational", "extended_abstract")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A fresh issuer with an achievement and a key."""

    issuer_id: str
    key: str


async def found(api: Api, endpoints: Endpoints) -> Tenant:
    """Make one. Its learners have no addresses: what is measured ends with the announcement, before any mail."""
    issuer_id = f"bench-{uuid4().hex[:12]}"
    issuers = f"{endpoints.issuer}/v1/issuers"
    await api.post(issuers, {"id": issuer_id, "name": "Benchmark School"}, endpoints.admin_key)
    granted = await api.post(
        f"{issuers}/{issuer_id}/keys", {"name": "Benchmark", "scopes": _SCOPES}, endpoints.admin_key
    )
    levels = [{"level": level, "name": level.capitalize(), "description": f"Shows {level} work."} for level in _EARNING]
    achievement = {
        "id": ACHIEVEMENT,
        "name": "Resilience",
        "description": "Keeps going when something is hard.",
        "criteria": "Noted by teachers.",
        "levels": levels,
        "required_level": "multistructural",
    }
    await api.post(f"{endpoints.issuer}/v1/achievements", achievement, granted["key"])
    # The key travels to the evidence service by an event; the clock starts when it is there.
    await api.until_known(f"{endpoints.evidence}/v1/batches/{UUID(int=0)}", granted["key"])
    return Tenant(issuer_id, granted["key"])


def evidence(start: int, count: int) -> Iterator[bytes]:
    """Lines of NDJSON: each piece is of a learner of its own, so that what it earns depends on nothing else."""
    for number in range(start, start + count):
        earns = number % NOT_YET_OF != 0
        row = {
            "source_id": f"bench-{number}",
            "learner_id": f"L{number}",
            "achievement": ACHIEVEMENT,
            "level": _EARNING[number % len(_EARNING)] if earns else "unistructural",
            "date": "2026-10-14",
            "activity": "Raft building, second attempt",
            "assessor": "T. Eacher",
            "comment": "Swapped the plan at half time and explained why the first one could not work.",
        }
        yield orjson.dumps(row) + b"\n"


async def stream(start: int, count: int) -> AsyncIterator[bytes]:
    """The same lines in pieces of some 150 KB, made as they are sent."""
    for first in range(start, start + count, _LINES_AT_ONCE):
        yield b"".join(evidence(first, min(_LINES_AT_ONCE, start + count - first)))
        await asyncio.sleep(0)


def credentials_of(start: int, count: int) -> int:
    """How many of these pieces issue a credential."""
    return sum(1 for number in range(start, start + count) if number % NOT_YET_OF != 0)
