"""What an audit makes of stores against each other."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

import orjson

from bowerbird.auditing.stores import StoreChecks
from libs.common.mongo import Client
from libs.openbadges.status.bitstring import StatusList

AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
NORTH = "https://badges.example/status/north-1"


class Found:
    """Stands for a cursor."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    def batch_size(self, _: int) -> Self:
        return self

    async def to_list(self, _: int) -> list[dict[str, Any]]:
        found, self._documents = self._documents, []
        return found


class Collection:
    """Stands for a collection: equality and `$lt` alone."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self._documents = documents

    def find(self, query: Mapping[str, Any], _: object = None) -> Found:
        return Found([each for each in self._documents if all(_holds(each[key], query[key]) for key in query)])

    async def distinct(self, key: str) -> list[Any]:
        return list({each[key] for each in self._documents})


def _holds(value: Any, wanted: Any) -> bool:
    return bool(value < wanted["$lt"] if isinstance(wanted, dict) else value == wanted)


def credential(name: str, index: int, *, revoked_at: datetime | None = None) -> dict[str, Any]:
    state = "active" if revoked_at is None else "revoked"
    return {"_id": name, "status_list": NORTH, "status_index": index, "state": state, "revoked_at": revoked_at}


async def of_lists(credentials: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    client = {
        "issuer": {"credentials": Collection(*credentials)},
        "verifier": {"status_lists": Collection(*shown)},
    }
    checks = StoreChecks.__new__(StoreChecks)
    checks._client, checks._settled = cast("Client", client), AT - timedelta(hours=1)
    return {(each.check, each.what) async for each in checks._lists()}


def shown(*indexes: int) -> dict[str, Any]:
    bits = StatusList()
    for index in indexes:
        bits.set(index)
    return {"_id": NORTH, "credential": orjson.dumps({"credentialSubject": {"encodedList": bits.encode()}}).decode()}


CREDENTIALS = (
    credential("active", 1),
    credential("revoked", 2, revoked_at=AT - timedelta(days=2)),
    credential("on-its-way", 3, revoked_at=AT),
)


async def test_a_revoked_credential_whose_list_is_not_shown_at_all_is_a_difference() -> None:
    assert await of_lists(CREDENTIALS, []) == {("revocations_not_shown", "revoked")}


async def test_a_list_without_a_revocation_and_with_one_of_nobody_revoked_differs_twice() -> None:
    assert await of_lists(CREDENTIALS, [shown(2)]) == set()
    found = {("revocations_not_shown", "revoked"), ("revocations_without_cause", "active")}
    assert await of_lists(CREDENTIALS, [shown(1)]) == found


async def test_a_list_that_is_not_shown_and_revokes_nobody_is_no_difference() -> None:
    assert await of_lists(CREDENTIALS[:1], []) == set()
