"""Users at MongoDB: one a database, which reads and writes there and nowhere else."""

from collections.abc import Mapping
from typing import Final

from pymongo.errors import OperationFailure

from libs.common.mongo import Client
from libs.contracts import rights

_EXISTS: Final = 51003


async def make_users(client: Client, passwords: Mapping[str, str]) -> None:
    """Make the users of the table of rights, or give those that exist these passwords and exactly their one role.

    Args:
        client: connected as one who may manage users.
        passwords: by the name of the service.

    Raises:
        PyMongoError: MongoDB does not answer, or refuses.
    """
    for service, password in passwords.items():
        entry = rights.SERVICES[service]
        told = {"pwd": password, "roles": [{"role": "readWrite", "db": entry.database}]}
        try:
            await client.admin.command({"createUser": entry.principal, **told})
        except OperationFailure as error:
            if error.code != _EXISTS:
                raise
            await client.admin.command({"updateUser": entry.principal, **told})
