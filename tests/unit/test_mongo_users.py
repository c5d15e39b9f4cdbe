"""What `bowerbird setup` would change of MongoDB's users is told before it is changed, of every user that it makes."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from bowerbird.mongo_users import changes, make_operators, make_users
from libs.contracts import rights
from libs.contracts.rights import BACKUP, MONITOR, REPUBLISH

SERVICES = {name: f"password of {name}" for name in rights.SERVICES}
OPERATORS = {name: f"password of {name}" for name in (MONITOR, BACKUP, REPUBLISH)}


class Admin:
    """The commands on users and roles of a MongoDB, as far as they are used."""

    def __init__(self) -> None:
        self.users: dict[str, list[str]] = {}
        self.roles: dict[str, dict[str, Any]] = {}

    @property
    def admin(self) -> "Admin":
        return self

    async def command(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        (verb, name), *_ = asked.items()
        if verb == "usersInfo":
            return {"users": [{"user": each, "roles": _of_admin(roles)} for each, roles in self.users.items()]}
        if verb == "rolesInfo":
            return {"roles": [{"role": each, **role} for each, role in self.roles.items()]}
        kept, code = (self.users, 51003) if verb.endswith("User") else (self.roles, 51002)
        if verb.startswith("create") and name in kept:
            raise OperationFailure("exists", code)
        if kept is self.users:
            self.users[name] = list(asked["roles"])
        else:
            self.roles[name] = {part: deepcopy(asked[part]) for part in ("privileges", "roles")}
        return {"ok": 1}


def _of_admin(roles: list[str]) -> list[dict[str, str]]:
    return [{"role": each, "db": "admin"} for each in roles]


async def told(store: Any) -> list[str]:
    return await changes(store, SERVICES, OPERATORS)


@pytest.fixture
async def store() -> Any:
    made: Any = Admin()
    everybody = {*(each.principal for each in rights.SERVICES.values()), *OPERATORS}
    assert {each.partition(": ")[2].partition(",")[0] for each in await told(made)} == everybody
    assert all(each.startswith("made: ") for each in await told(made))
    await make_users(made, SERVICES)
    await make_operators(made, OPERATORS)
    return made


async def test_users_that_have_what_the_tables_say_are_not_changed(store: Any) -> None:
    assert await told(store) == []


def less(store: Admin, name: str) -> None:
    store.roles[name]["privileges"].pop()


def more(store: Admin, name: str) -> None:
    store.roles[name]["privileges"].append({"resource": {"db": "notifier"}, "actions": ["find"]})


def inherited(store: Admin, name: str) -> None:
    store.roles[name]["roles"].append({"role": "readWrite", "db": "issuer"})


def another_role(store: Admin, name: str) -> None:
    store.users[name].append("root")


@pytest.mark.parametrize("spoil", [less, more, inherited, another_role])
@pytest.mark.parametrize("name", [MONITOR, BACKUP, REPUBLISH, rights.SERVICES["issuer"].principal])
async def test_a_right_too_many_or_too_few_and_another_role_are_told(
    store: Any, name: str, spoil: Callable[[Admin, str], None]
) -> None:
    spoil(store, name)
    (line,) = await told(store)
    assert line.startswith(f"changed: {name}, ")
    await make_users(store, SERVICES)
    await make_operators(store, OPERATORS)
    assert await told(store) == []


async def test_an_exporter_of_an_earlier_setup_loses_the_role_that_reads_every_write(store: Any) -> None:
    store.users[MONITOR] = ["clusterMonitor"]
    assert await told(store) == [f"changed: {MONITOR}, who serves nobody"]
    await make_operators(store, OPERATORS)
    assert store.users[MONITOR] == [MONITOR]
    allowed = {action for each in store.roles[MONITOR]["privileges"] for action in each["actions"]}
    assert not store.roles[MONITOR]["roles"]
    assert not allowed & {"find", "changeStream", "viewUser", "viewRole"}
