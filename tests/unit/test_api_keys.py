"""API keys in a process: refused without a query where that is possible, and fresh within a quarter of a second."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import Request
from fastapi.security import HTTPAuthorizationCredentials
from pymongo.errors import AutoReconnect

from libs.access.administrator_log import AdministratorLog
from libs.access.administrators import Administrators
from libs.access.api_keys import ALL_ISSUERS, FRESH_SECONDS, WITHDRAWN_WITHIN_SECONDS, ApiKeys
from libs.access.key_files import add_administrator, make_grant_keys
from libs.access.key_text import is_well_formed, key_id, key_sha256, new_key
from libs.access.signatures import GrantKeys
from libs.audit.entry import Action, Entry
from libs.common.client_address import CLIENT
from libs.common.errors import UnauthenticatedError, UnavailableError
from libs.common.settings import SettingsError
from tests.keys_in_memory import GRANTED_AT, MemoryKeys


class Seconds:
    """A clock that a test moves; each look at it takes a little."""

    now = 1_000.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


class MemoryLog:
    """An audit log, which may be away."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.away = False

    async def record(self, *entries: Entry) -> None:
        if self.away:
            raise AutoReconnect("the log is away")
        self.entries += entries

    async def of_actions(self, issuer_id: str, actions: Sequence[Action]) -> list[Entry]:
        return [each for each in self.entries if issuer_id in each.tenants and each.action in actions]


@pytest.fixture
def stored() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def keys(stored: MemoryKeys, clock: Seconds) -> ApiKeys:
    return ApiKeys(stored, now=lambda: GRANTED_AT + timedelta(seconds=clock.now), clock=clock)


async def known(keys: ApiKeys, key: str) -> bool:
    try:
        await keys.caller(key)
    except UnauthenticatedError:
        return False
    return True


async def test_nobody_is_let_in_by_a_database_that_may_be_of_an_earlier_moment_until_it_has_caught_up(
    keys: ApiKeys, stored: MemoryKeys
) -> None:
    mine, caught_up = stored.add("wattle", "evidence:read"), asyncio.Event()
    keys.wait_until(caught_up.is_set)
    with pytest.raises(UnavailableError):
        await keys.caller(mine)
    assert stored.reads == 0
    caught_up.set()
    assert await known(keys, mine)


@pytest.mark.parametrize("text", ["", "bb_", "bb_" + "A" * 51, "password", new_key()[:-1], new_key() + "0"])
async def test_what_has_not_the_form_of_a_key_is_refused_without_a_query(
    keys: ApiKeys, stored: MemoryKeys, text: str
) -> None:
    assert not await known(keys, text)
    assert stored.reads == 0


def test_a_mistyped_key_has_not_the_form_of_one() -> None:
    key = new_key()
    assert is_well_formed(key)
    assert not is_well_formed(key[:10] + ("B" if key[10] == "A" else "A") + key[11:])


async def test_keys_that_nobody_granted_share_one_query_however_many_come_at_once(
    keys: ApiKeys, stored: MemoryKeys
) -> None:
    mine = stored.add("wattle", "evidence:read")
    assert await known(keys, mine)
    assert not any(await asyncio.gather(*(known(keys, new_key()) for _ in range(500))))
    assert stored.reads <= 4
    assert await known(keys, mine)


async def test_a_withdrawal_is_known_to_every_replica_an_eighth_of_the_promised_time_after_it_arrived() -> None:
    # Each service has a database of its own and may have several processes; the rest is for the way over Kafka.
    assert FRESH_SECONDS <= WITHDRAWN_WITHIN_SECONDS / 8
    clock, databases = Seconds(), (MemoryKeys(), MemoryKeys())
    replicas = [
        ApiKeys(each, now=lambda: GRANTED_AT + timedelta(seconds=clock.now), clock=clock)
        for each in (*databases, *databases)
    ]
    mine = new_key()
    for each in databases:
        each.add("wattle", "evidence:read", key=mine)
    assert all([await known(each, mine) for each in replicas])
    for each in databases:
        each.add("wattle", "evidence:read", key=mine, ends_at=GRANTED_AT)
    clock.now += FRESH_SECONDS
    assert not any([await known(each, mine) for each in replicas])


async def test_a_key_whose_document_was_damaged_is_refused_and_no_other(
    keys: ApiKeys, stored: MemoryKeys, clock: Seconds
) -> None:
    mine, other = (stored.add(name, "evidence:read") for name in ("wattle", "banksia"))
    assert await known(keys, mine)
    stored.unreadable.add(key_sha256(mine))
    clock.now += FRESH_SECONDS
    assert await known(keys, other)
    assert not await known(keys, mine)


@pytest.mark.parametrize("was", ["never granted", "withdrawn", "withdrawn since", "expired since"])
async def test_a_refused_key_takes_one_look_into_the_database_whether_it_was_ever_one(
    keys: ApiKeys, stored: MemoryKeys, clock: Seconds, was: str
) -> None:
    shown, other = new_key(), stored.add("wattle", "evidence:read")
    if was == "withdrawn":
        stored.add("wattle", "evidence:read", key=shown, ends_at=GRANTED_AT)
    elif was != "never granted":
        stored.add("wattle", "evidence:read", key=shown, ends_at=GRANTED_AT + timedelta(seconds=clock.now + 150.1))
        assert await known(keys, shown)
    if was == "withdrawn since":
        stored.add("wattle", "evidence:read", key=shown, ends_at=GRANTED_AT)
    clock.now += 150
    assert await known(keys, other)
    clock.now += FRESH_SECONDS / 2
    before = stored.reads
    assert not await known(keys, shown)
    assert stored.reads == before + 1


async def test_a_key_that_ended_at_once_is_refused_though_the_clock_here_is_behind(
    stored: MemoryKeys, clock: Seconds
) -> None:
    keys = ApiKeys(stored, now=lambda: GRANTED_AT + timedelta(seconds=clock.now, hours=-1), clock=clock)
    mine = stored.add("wattle", "evidence:read")
    assert await known(keys, mine)
    (old,) = stored.keys.values()
    ended = GRANTED_AT + timedelta(seconds=clock.now)
    stored.keys[old.sha256] = replace(old, ends_at=ended, ended_at_once=True)
    clock.now += FRESH_SECONDS
    assert not await known(keys, mine)


async def test_an_upload_ends_where_its_key_does(keys: ApiKeys, stored: MemoryKeys, clock: Seconds) -> None:
    mine = stored.add("wattle", "evidence:write")
    scope = {"type": "http", "headers": [(b"authorization", f"Bearer {mine}".encode())]}

    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for sent in range(1, 101):
            clock.now += 1
            if sent == 50:
                stored.add("wattle", "evidence:write", key=mine, ends_at=GRANTED_AT)
            yield b"row\n"

    with pytest.raises(UnauthenticatedError):
        assert [piece async for piece in keys.while_valid(Request(scope), pieces())]
    assert sent == 50


async def test_whoever_has_a_key_takes_turns_as_their_issuer_from_whatever_address(
    keys: ApiKeys, stored: MemoryKeys
) -> None:
    CLIENT.set("192.0.2.1")
    mine = stored.add("wattle", "evidence:write")
    credentials = HTTPAuthorizationCredentials(scheme="Bearer", credentials=mine)
    await keys.allowed("evidence:write")(request=Request({"type": "http", "headers": []}), credentials=credentials)
    assert CLIENT.get() == "issuer wattle"


async def test_a_key_ends_by_itself(keys: ApiKeys, stored: MemoryKeys, clock: Seconds) -> None:
    mine = stored.add("wattle", "evidence:read", ends_at=GRANTED_AT + timedelta(seconds=clock.now + 0.5))
    assert await known(keys, mine)
    clock.now += 0.6
    assert not await known(keys, mine)


async def test_a_key_that_has_just_arrived_is_known_at_its_first_use(keys: ApiKeys, stored: MemoryKeys) -> None:
    assert not await known(keys, new_key())
    assert await known(keys, stored.add("wattle", "evidence:read"))


async def test_a_key_that_was_withdrawn_stays_so_though_the_database_is_set_back_beneath_the_process(
    stored: MemoryKeys, clock: Seconds
) -> None:
    keys = ApiKeys(stored, now=lambda: GRANTED_AT, clock=clock)
    mine = stored.add("wattle", "evidence:read")
    before = stored.keys[key_sha256(mine)]
    assert await known(keys, mine)
    stored.keys[before.sha256] = replace(before, ended_at_once=True)
    clock.now += 1.0
    assert not await known(keys, mine)
    stored.keys[before.sha256] = before
    clock.now += 1.0
    assert not await known(keys, mine)
    clock.now += 1_000_000.0
    assert not await known(keys, mine)


async def test_there_are_several_administrators_and_taking_a_line_out_withdraws_one(
    tmp_path: Path, stored: MemoryKeys, clock: Seconds
) -> None:
    file = tmp_path / "admin-keys"
    for name in ("first", "second"):
        add_administrator(name, tmp_path / name, file)
    one, two = ((tmp_path / name).read_text("ascii").strip() for name in ("first", "second"))
    keys = ApiKeys(stored, administrators=Administrators(file, clock=clock), clock=clock)
    callers = [await keys.caller(each) for each in (one, two)]
    assert [each.principal for each in callers] == ["administrator:first", "administrator:second"]
    assert {each.issuer_id for each in callers} == {ALL_ISSUERS}
    file.write_text(file.read_text("ascii").splitlines()[1] + "\n", "ascii")
    clock.now += 1.0
    assert not await known(keys, one)
    assert await known(keys, two)
    file.unlink()
    clock.now += 1.0
    assert not await known(keys, two)
    with pytest.raises(SettingsError):
        Administrators(file)


async def test_an_administrators_key_counts_once_the_audit_log_has_it_and_what_is_taken_out_stands_there_too(
    tmp_path: Path, stored: MemoryKeys, clock: Seconds
) -> None:
    file = tmp_path / "admin-keys"
    add_administrator("first", tmp_path / "first", file)
    administrators, log = Administrators(file, clock=clock), MemoryLog()
    keys = ApiKeys(stored, administrators=administrators, clock=clock)
    noted = AdministratorLog(administrators, log, ALL_ISSUERS)
    first = (tmp_path / "first").read_text("ascii").strip()
    log.away = True
    with pytest.raises(AutoReconnect):
        await noted.tick()
    assert not await known(keys, first), "what cannot be written down is not let in"
    log.away = False
    for _ in range(2):
        await noted.tick()
        await AdministratorLog(administrators, log, ALL_ISSUERS).compare()
    assert await known(keys, first)
    add_administrator("second", tmp_path / "second", file)
    clock.now += 1.0
    second = (tmp_path / "second").read_text("ascii").strip()
    assert not await known(keys, second)
    await noted.tick()
    assert await known(keys, second)
    file.write_text(file.read_text("ascii").splitlines()[1] + "\n", "ascii")
    clock.now += 1.0
    assert not await known(keys, first)
    await noted.tick()
    told = [(each.action.value, each.subject, each.details["key"]) for each in log.entries]
    ids = [key_id(key_sha256(each)) for each in (first, second)]
    assert told == [
        ("administrator.added", "administrator first", ids[0]),
        ("administrator.added", "administrator second", ids[1]),
        ("administrator.removed", "administrator first", ids[0]),
    ]
    assert {each.tenants for each in log.entries} == {(ALL_ISSUERS,)}, "schools read nothing of it"


async def test_a_short_secret_is_no_administrators_key_whatever_the_file_says(
    tmp_path: Path, stored: MemoryKeys
) -> None:
    file = tmp_path / "admin-keys"
    file.write_text(f"first {key_sha256('password')}\n", "ascii")
    assert not await known(ApiKeys(stored, administrators=Administrators(file)), "password")


class Days:
    """A time that a test moves by days."""

    at = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


async def test_an_administrators_key_with_a_last_day_is_refused_from_the_next_on(
    tmp_path: Path, stored: MemoryKeys, clock: Seconds
) -> None:
    file, days, log = tmp_path / "admin-keys", Days(), MemoryLog()
    add_administrator("ends", tmp_path / "ends", file, date(2027, 6, 30))
    add_administrator("stays", tmp_path / "stays", file)
    administrators = Administrators(file, clock=clock, now=days)
    noted = AdministratorLog(administrators, log, ALL_ISSUERS)
    await noted.tick()
    keys = ApiKeys(stored, administrators=administrators, clock=clock)
    ends, stays = ((tmp_path / name).read_text("ascii").strip() for name in ("ends", "stays"))
    assert await known(keys, ends)
    assert keys.known(ends)
    days.at += timedelta(seconds=1)
    assert not await known(keys, ends)
    assert keys.known(ends) is None
    assert await known(keys, stays)
    await noted.compare()
    last = log.entries[-1]
    assert (last.action.value, last.subject) == ("administrator.removed", "administrator ends")
    assert last.details["last_day"] == "2027-06-30"


async def test_another_last_day_stands_in_the_audit_log_too(tmp_path: Path, clock: Seconds) -> None:
    file, log = tmp_path / "admin-keys", MemoryLog()
    add_administrator("first", tmp_path / "first", file, date(2027, 6, 30))
    administrators = Administrators(file, clock=clock, now=Days())
    await AdministratorLog(administrators, log, ALL_ISSUERS).compare()
    file.write_text(file.read_text("ascii").replace("2027-06-30", "2028-06-30"), "ascii")
    clock.now += 1.0
    for _ in range(2):
        await AdministratorLog(administrators, log, ALL_ISSUERS).compare()
    told = [(each.action.value, each.details["last_day"]) for each in log.entries]
    assert told == [
        ("administrator.added", "2027-06-30"),
        ("administrator.added", "2028-06-30"),
        ("administrator.removed", "2027-06-30"),
    ]


async def test_the_first_use_of_an_administrators_key_in_a_day_stands_in_the_audit_log(
    tmp_path: Path, stored: MemoryKeys, clock: Seconds
) -> None:
    file, days, log = tmp_path / "admin-keys", Days(), MemoryLog()
    add_administrator("first", tmp_path / "first", file)
    administrators = Administrators(file, clock=clock, now=days)
    noted = AdministratorLog(administrators, log, ALL_ISSUERS)
    await noted.tick()
    keys, key = ApiKeys(stored, administrators=administrators), (tmp_path / "first").read_text("ascii").strip()
    for _ in range(2):
        for _ in range(3):
            await keys.caller(key)
            await noted.write_uses()
        days.at += timedelta(days=1)
    used = [each for each in log.entries if each.action is Action.ADMINISTRATOR_USED]
    assert [each.details["day"] for each in used] == ["2027-06-30", "2027-07-01"]
    assert {(each.subject, each.details["key"]) for each in used} == {("administrator first", key_id(key_sha256(key)))}


@pytest.mark.parametrize("day", ["2027-02-30", "30.6.2027", "20270630", "2027-W26-3", "never", "2027-06-30T00:00:00Z"])
def test_a_last_day_that_is_none_stops_the_start_with_what_is_wrong(tmp_path: Path, day: str) -> None:
    file = tmp_path / "admin-keys"
    file.write_text(f"first {'0' * 64} 2027-06-30\nsecond {'1' * 64} {day}\n", "ascii")
    with pytest.raises(SettingsError, match=r"line 2 .* is no day such as 2027-06-30"):
        Administrators(file)


def test_an_administrator_whose_name_cannot_stand_in_the_file_leaves_it_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "admin-keys"
    add_administrator("first", tmp_path / "first", file)
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="line 2"):
        add_administrator("Second Name", tmp_path / "second", file)
    assert file.read_bytes() == before, "else the running service would let nobody in"
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    "line", ["first", "first abc", f"First {'0' * 64}", f"{'0' * 64}", f"first {'0' * 64} 2027-06-30 x"]
)
def test_a_line_that_is_no_administrator_stops_the_start(tmp_path: Path, line: str) -> None:
    file = tmp_path / "admin-keys"
    file.write_text(f"{line}\n", "ascii")
    with pytest.raises(SettingsError, match="line 1"):
        Administrators(file)


def test_the_secret_of_grants_is_made_once_and_another_one_adds_a_line(tmp_path: Path) -> None:
    public = tmp_path / "grant-keys"
    first = make_grant_keys(tmp_path / "a", public)
    assert make_grant_keys(tmp_path / "a", public) == first
    second = make_grant_keys(tmp_path / "b", public)
    assert public.read_text("ascii").split() == [first, second]
    assert second in GrantKeys.load(public)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
