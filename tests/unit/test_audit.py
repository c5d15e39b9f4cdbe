"""The audit log: a chain that shows edits, written by several at once, that strangers cannot fill."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError

from libs.audit.chain import ChainReport, Fault
from libs.audit.entry import Action, Cause, Details, Entry, chained
from libs.audit.log import AuditLog
from libs.audit.refusals import Refusals
from libs.common.errors import NotFoundError

NOW = datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC)
OFFICE = Cause("key:wattle/Office", "0af7651916cd43dd8448eb211c80319c", "3f2a" * 4, "192.0.2.7")


def revoked(subject: str = "credential 1", tenant: str = "wattle") -> Entry:
    return Entry(Action.CREDENTIAL_REVOKED, OFFICE, (tenant,), subject, "issued_in_error")


class Cursor:
    """What a query found."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    def batch_size(self, _size: int) -> "Cursor":
        return self

    async def to_list(self, _length: int | None) -> list[dict[str, Any]]:
        return self._found

    async def __aiter__(self) -> Any:
        for each in self._found:
            yield each


class StoredEntries:
    """The calls that AuditLog makes of a collection, over a dict."""

    def __init__(self) -> None:
        self.documents: dict[int, dict[str, Any]] = {}

    async def find_one(
        self, query: Mapping[str, Any] | None = None, _fields: object = None, *, sort: object = None
    ) -> dict[str, Any] | None:
        if query is None:
            return self.documents[max(self.documents)] if self.documents else None
        found = (each for each in self.documents.values() if query["tenants"] in each["tenants"])
        return next((each for each in found if each["hash"] == query["hash"]), None)

    async def insert_many(self, documents: Sequence[Mapping[str, Any]], ordered: bool) -> None:
        for number, each in enumerate(documents):
            if each["_id"] in self.documents:
                errors = [{"index": number, "code": 11000}]
                raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": [], "nInserted": number})
            self.documents[each["_id"]] = dict(each)

    def find(self, query: Mapping[str, Any] | None = None, *, sort: Any, limit: int = 0) -> Cursor:
        found = [
            each
            for each in self.documents.values()
            if query is None
            or (query["tenants"] in each["tenants"] and each["_id"] < query.get("_id", {}).get("$lt", 10**9))
        ]
        found.sort(key=lambda each: int(each["_id"]) * int(sort[0][1]))
        return Cursor(found[: limit or None])


@pytest.fixture
def stored() -> StoredEntries:
    return StoredEntries()


def log(stored: StoredEntries) -> AuditLog:
    return AuditLog({"audit": stored}, clock=lambda: NOW)  # type: ignore[arg-type]  # a fake


async def test_entries_are_numbered_from_one_and_the_chain_holds(stored: StoredEntries) -> None:
    await log(stored).record(revoked("credential 1"), revoked("credential 2"))
    await log(stored).record(revoked("credential 3"))
    report = await log(stored).check()
    assert (report.entries, report.broken_at) == (3, None)
    assert report.head == stored.documents[3]["hash"]


async def test_two_writers_at_once_lose_no_entry_and_keep_one_chain(stored: StoredEntries) -> None:
    one, other = log(stored), log(stored)
    for number in range(5):
        await one.record(revoked(f"credential {number}"), revoked(f"credential {number}b"))
        await other.record(revoked(f"credential {number}c"))
    assert sorted(stored.documents) == list(range(1, 16))
    assert len({each["subject"] for each in stored.documents.values()}) == 15
    assert (await log(stored).check()).broken_at is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("principal", "key:wattle/Other"),
        ("reason", "no reason"),
        ("subject", "credential 9"),
        ("tenants", ["banksia"]),
        ("action", "access.refused"),
        ("details", '{"n":1}'),
        ("at", NOW.replace(year=2027, microsecond=0)),
        ("client", None),
        ("trace", "0" * 32),
        ("key", None),
        ("previous", "f" * 64),
        ("hash", "f" * 64),
    ],
)
async def test_an_edit_of_any_field_shows(stored: StoredEntries, field: str, value: object) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    first = stored.documents[1]["hash"]
    stored.documents[2][field] = value
    assert await log(stored).check() == ChainReport(1, first, 2, Fault.CHANGED)


@pytest.mark.parametrize(
    ("field", "value"), [("note", "approved by the minister"), ("schema", 2), ("details", "{ }"), ("_hash", None)]
)
async def test_what_was_added_to_an_entry_or_written_otherwise_shows(
    stored: StoredEntries, field: str, value: object
) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    first = stored.documents[1]["hash"]
    stored.documents[2][field] = value
    assert await log(stored).check() == ChainReport(1, first, 2, Fault.CHANGED)


async def test_an_entry_that_was_recorded_again_after_its_log_was_set_back_holds(stored: StoredEntries) -> None:
    await log(stored).record(revoked("credential 1"))
    lost = chained(revoked("credential 2"), 2, NOW, stored.documents[1]["hash"])
    await log(stored).record(revoked("credential 3"), lost.found_again)
    report = await log(stored).check()
    assert (report.entries, report.broken_at) == (3, None)


@pytest.mark.parametrize(
    ("field", "value"), [("action", "issued by me"), ("details", "{"), ("tenants", None), ("at", "yesterday")]
)
async def test_what_no_entry_can_hold_is_a_fault_of_the_chain_and_not_of_the_check(
    stored: StoredEntries, field: str, value: object
) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    stored.documents[2][field] = value
    report = await log(stored).check()
    assert (report.broken_at, report.fault) == (2, Fault.UNREADABLE)
    stored.documents[2].pop(field)
    assert (await log(stored).check()).broken_at == 2


async def test_an_entry_that_was_taken_out_shows(stored: StoredEntries) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    del stored.documents[2]
    report = await log(stored).check()
    assert (report.broken_at, report.fault) == (2, Fault.MISSING)


async def test_entries_that_changed_places_show(stored: StoredEntries) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    stored.documents[2], stored.documents[3] = (
        stored.documents[3] | {"_id": 2},
        stored.documents[2] | {"_id": 3},
    )
    assert (await log(stored).check()).broken_at == 2


async def test_an_edit_with_its_own_hash_made_anew_shows_at_the_next_entry(stored: StoredEntries) -> None:
    await log(stored).record(*(revoked(f"credential {number}") for number in range(3)))
    first = stored.documents[1]
    forged = chained(replace(revoked("credential 0"), reason="other"), 1, first["at"], first["previous"])
    stored.documents[1] |= {"reason": "other", "hash": forged.hash}
    report = await log(stored).check()
    assert (report.broken_at, report.fault) == (2, Fault.OUT_OF_PLACE)


async def test_what_was_cut_off_at_the_end_shows_by_a_head_that_was_noted(stored: StoredEntries) -> None:
    await log(stored).record(revoked(), revoked())
    head = (await log(stored).check()).head
    assert (await log(stored).check(noted={2: head})).fault is None
    del stored.documents[2]
    assert (await log(stored).check()).fault is None
    assert (await log(stored).check(noted={2: head})).fault is Fault.CUT_OFF


async def test_a_log_that_was_written_anew_from_some_entry_on_shows_by_a_head_that_was_noted(
    stored: StoredEntries,
) -> None:
    await log(stored).record(revoked("credential 1"), revoked("credential 2"))
    head = (await log(stored).check()).head
    other = StoredEntries()
    await log(other).record(revoked("credential 1"), revoked("credential 3"), revoked("credential 4"))
    assert (await log(other).check()).fault is None
    report = await log(other).check(noted={2: head})
    assert (report.broken_at, report.fault) == (2, Fault.OTHER_THAN_NOTED)


async def test_the_batch_in_which_a_credential_was_signed_can_be_shown(stored: StoredEntries) -> None:
    details: Details = {"credentials": {"wattle": 2}, "credential_ids": {"wattle": "c-1 c-2"}}
    signed = Entry(Action.CREDENTIALS_SIGNED, OFFICE, ("wattle",), "credentials of a batch", details=details)
    await log(stored).record(revoked("credential c-9"), signed, revoked("credential c-2"))
    assert (await log(stored).check(find="c-2")).mentions == (2, 3)
    assert (await log(stored).check(find="c-3")).mentions == ()


async def test_where_the_log_cannot_be_written_nothing_is_said_to_be_recorded(stored: StoredEntries) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AutoReconnect("away")

    broken = log(stored)
    stored.insert_many = refuse  # type: ignore[method-assign]  # an outage
    with pytest.raises(AutoReconnect):
        await broken.record(revoked())


async def test_a_tenant_reads_the_entries_that_concern_it_and_no_other(stored: StoredEntries) -> None:
    await log(stored).record(revoked("credential 1"), revoked("credential 2", "banksia"), revoked("credential 3"))
    found = await log(stored).of_tenant("wattle", before=None, limit=10)
    assert [each.entry.subject for each in found] == ["credential 3", "credential 1"]
    older = await log(stored).of_tenant("wattle", before=found[0].hash, limit=10)
    assert [each.sequence for each in older] == [1]
    for unknown in (stored.documents[2]["hash"], "0" * 64):
        with pytest.raises(NotFoundError):
            await log(stored).of_tenant("wattle", before=unknown, limit=10)


class Minutes:
    """A clock that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_key_that_is_refused_is_recorded_at_once_and_its_repeats_are_counted(stored: StoredEntries) -> None:
    clock = Minutes()
    refusals = Refusals(log(stored), "issuer", clock=clock)
    for _ in range(1000):
        await refusals.record(OFFICE, tenant="wattle", route="/v1/issuers", reason="forbidden")
    assert [each["subject"] for each in stored.documents.values()] == ["route /v1/issuers"]
    clock.seconds = 61
    await refusals.flush()
    assert len(stored.documents) == 2
    assert '"refusals":999' in stored.documents[2]["details"]


async def test_strangers_cost_one_entry_a_minute_however_many_they_are(stored: StoredEntries) -> None:
    clock = Minutes()
    refusals = Refusals(log(stored), "issuer", clock=clock)
    for number in range(5000):
        stranger = Cause("nobody", "0" * 32, None, f"198.51.100.{number}")
        await refusals.record(stranger, tenant=None, route="/v1/issuers", reason="unauthenticated")
    assert not stored.documents
    clock.seconds = 61
    await refusals.flush()
    assert len(stored.documents) == 1
    assert '"refusals":5000' in stored.documents[1]["details"]
    assert len(stored.documents[1]["details"]) < 5000


async def test_many_keys_that_are_refused_cost_a_bounded_number_of_entries(stored: StoredEntries) -> None:
    clock = Minutes()
    refusals = Refusals(log(stored), "issuer", clock=clock)
    for number in range(500):
        await refusals.record(replace(OFFICE, key=f"{number:016}"), tenant="w", route="/v1/x", reason="forbidden")
    clock.seconds = 61
    await refusals.flush()
    assert len(stored.documents) <= 21
