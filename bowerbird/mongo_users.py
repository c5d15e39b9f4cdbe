"""Users at MongoDB: one a database, which reads and writes its collections there, and to its ledgers only adds.

Beside them those of operators, who serve nobody.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo.errors import OperationFailure

from libs.common.mongo import Client
from libs.contracts import rights
from libs.contracts.rights import ADMINISTRATOR, AUDIT, BACKUP, MONITOR, REPUBLISH, Rights

_USER_EXISTS: Final = 51003
_ROLE_EXISTS: Final = 51002
_READ_AND_WRITE: Final = ("find", "insert", "update", "remove")
_APPEND: Final = ("find", "insert")
_READ_ALL: Final = [{"role": "read", "db": each.database} for each in rights.SERVICES.values()]
_AUDITS: Final = {"resource": {"db": "issuer", "collection": AUDIT}, "actions": list(_APPEND)}
_ROLES: Final[Mapping[str, Any]] = {
    # Not MongoDB's `clusterMonitor`: that reads the database `local`, where every write stands in the clear.
    MONITOR: {
        "roles": [],
        "privileges": [
            {
                "resource": {"cluster": True},
                "actions": ["getCmdLineOpts", "hostInfo", "listDatabases", "replSetGetStatus", "serverStatus", "top"],
            },
            {"resource": {"db": "", "collection": ""}, "actions": ["collStats", "dbStats", "indexStats"]},
            {"resource": {"db": "local", "collection": "oplog.rs"}, "actions": ["collStats"]},
        ],
    },
    BACKUP: {
        "roles": _READ_ALL,
        "privileges": [_AUDITS, {"resource": {"cluster": True}, "actions": ["getCmdLineOpts", "setParameter"]}],
    },
    REPUBLISH: {
        "roles": _READ_ALL,
        "privileges": [
            _AUDITS,
            *(
                {"resource": {"db": "issuer", "collection": each}, "actions": ["update"]}
                for each in ("signing_keys", "status_lists", "issuer_list", "credentials")
            ),
            {"resource": {"db": "issuer", "collection": "refilled_topics"}, "actions": ["insert", "update"]},
        ],
    },
}


async def changes(client: Client, services: Iterable[str], operators: Iterable[str]) -> list[str]:
    """Return what `make_users` and `make_operators` would change, a line for each; passwords cannot be compared.

    Args:
        client: connected as one who may see users and roles.
        services: by their names.
        operators: users that serve nobody, by their names.

    Raises:
        PyMongoError: MongoDB does not answer, or refuses.
    """
    users = {each["user"]: each for each in (await client.admin.command({"usersInfo": 1}))["users"]}
    asked = {"rolesInfo": 1, "showPrivileges": True}
    roles = {each["role"]: _comparable(each) for each in (await client.admin.command(asked))["roles"]}
    entries = {name: rights.SERVICES[name] for name in services}
    wanted: dict[str, tuple[Mapping[str, Any], str]] = {
        each.principal: (_role(each), f"who reads and writes {name}") for name, each in entries.items()
    }
    wanted |= {name: (_ROLES[name], "who serves nobody") for name in operators}
    found = []
    for user, (role, does) in wanted.items():
        given = [each["role"] for each in users.get(user, {}).get("roles", ())]
        if roles.get(user) != _comparable(role) or given != [user]:
            found.append(f"{'changed' if user in users else 'made'}: {user}, {does}")
    return found


async def make_users(client: Client, passwords: Mapping[str, str]) -> None:
    """Make the users of the table of rights, or give those that exist these passwords and exactly their rights.

    Args:
        client: connected as one who may manage users and roles.
        passwords: by the name of the service.

    Raises:
        PyMongoError: MongoDB does not answer, or refuses.
    """
    for service, password in passwords.items():
        entry = rights.SERVICES[service]
        await _make(client, _ROLE_EXISTS, ("createRole", "updateRole"), entry.principal, _role(entry))
        user = {"pwd": password, "roles": [entry.principal]}
        await _make(client, _USER_EXISTS, ("createUser", "updateUser"), entry.principal, user)


async def make_operators(client: Client, passwords: Mapping[str, str]) -> None:
    """Make users that serve nobody, each with exactly its rights.

    The exporters' may ask how the node, the replica set and collections do, and reads no document. That of backups
    reads every database of ours, adds to the issuer's audit log, and has a moment of the past kept; that of `bowerbird
    republish` reads likewise, and notes what is to be signed again, which topics it has filled, and ends that were
    published.

    Args:
        client: connected as one who may manage users and roles.
        passwords: by the name of the user.

    Raises:
        PyMongoError: MongoDB does not answer, or refuses.
    """
    for name, password in passwords.items():
        await _make(client, _ROLE_EXISTS, ("createRole", "updateRole"), name, _ROLES[name])
        user = {"pwd": password, "roles": [name]}
        await _make(client, _USER_EXISTS, ("createUser", "updateUser"), name, user)


async def set_administrators_password(client: Client, password: str) -> None:
    """Give the administrator that the client is connected as another password; open connections stay open.

    Raises:
        PyMongoError: MongoDB does not answer, or refuses.
    """
    await client.admin.command({"updateUser": ADMINISTRATOR, "pwd": password})


async def _make(client: Client, exists: int, commands: tuple[str, str], name: str, told: Mapping[str, Any]) -> None:
    create, update = commands
    try:
        await client.admin.command({create: name, **told})
    except OperationFailure as error:
        if error.code != exists:
            raise
        await client.admin.command({update: name, **told})


def _comparable(role: Mapping[str, Any]) -> set[tuple[object, ...]]:
    own = {
        (each["resource"].get("db"), each["resource"].get("collection"), frozenset(each["actions"]))
        for each in role["privileges"]
    }
    return own | {(each["db"], each["role"]) for each in role["roles"]}


def _role(entry: Rights) -> dict[str, Any]:
    # Each by its name: MongoDB only ever adds rights, so one to the whole database would cover the audit log.
    actions = {**dict.fromkeys(entry.collections, _READ_AND_WRITE), **dict.fromkeys(entry.ledgers, _APPEND)}
    privileges = [
        {"resource": {"db": entry.database, "collection": collection}, "actions": list(allowed)}
        for collection, allowed in actions.items()
    ]
    return {"privileges": privileges, "roles": []}
