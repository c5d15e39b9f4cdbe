"""`bowerbird parked list|release`: evidence for which nothing can be signed, and commands without their credential."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Final

from cyclopts import Parameter
from pymongo.errors import PyMongoError

from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import why_store_failed
from libs.audit.entry import Action, Entry
from libs.common import mongo
from libs.common.clock import now
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.waiting_commands import WaitingCommands
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError
from services.issuer.keys.repository import UNREADABLE, SigningKeyRepository
from services.issuer.keys.sealing import opened
from services.issuer.settings import ServiceSettings

_COMMANDS: Final = 100

Reason = Annotated[str | None, Parameter(help="why, in your own words, for the audit log")]

Work = Callable[[ServiceSettings, mongo.Client, mongo.Database], Awaitable[int]]


def list_parked() -> int:
    """Print by issuer and reason how many pieces of evidence are parked, since when, and what is wrong with the key.

    Below them stand the commands to revoke or take down a credential that is not in the database, the first hundred.

    It takes the environment of the issuer service. Exit status 1 where anything is parked.
    """
    return _run(list_of)


def release(issuer: str, *, reason: Reason = None) -> int:
    """Have the evidence of an issuer that was put off, since it could not be decided, tried again now.

    It takes the environment of the issuer service. What is parked goes on by itself, within seconds of the key, the
    issuer or the achievement being put right.

    Args:
        issuer: whose evidence.
        reason: see its help.
    """
    return _run(partial(release_of, issuer, reason))


def _run(work: Work) -> int:
    try:
        settings = ServiceSettings.load()
        return asyncio.run(_connected(settings, work))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
    except PyMongoError as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
    return 1


async def _connected(settings: ServiceSettings, work: Work) -> int:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-parked", mongo_options(settings))
    try:
        return await work(settings, client, client["issuer"])
    finally:
        await mongo.close(client)


async def release_of(
    issuer: str, reason: str | None, _settings: ServiceSettings, client: mongo.Client, database: mongo.Database
) -> int:
    """Release what was put off of this issuer in this database; 1 where there is no such issuer."""
    if await database["issuers"].find_one({"_id": issuer}) is None:
        print(f"bowerbird: there is no issuer {issuer}", file=sys.stderr)
        return 1
    entry = Entry(Action.EVIDENCE_RELEASED, operators_cause(), (issuer,), f"issuer {issuer}", reason)
    await operators_log(database).record(entry)
    count = await _decisions(client, database).release(issuer, now())
    print(f"{count} pieces of {issuer} are tried again")
    return 0


async def list_of(settings: ServiceSettings, client: mongo.Client, database: mongo.Database) -> int:
    """List what is parked in this database."""
    encryption = FileKeyEncryption.read(settings.kek_file, settings.other_kek_file)
    keys = SigningKeyRepository(client, database)
    parked = await _decisions(client, database).parked()
    for each in parked:
        since = each.since.isoformat(timespec="seconds")
        print(f"{each.issuer_id}: {each.pieces} pieces since {since}, {each.reason.value}")
        problem = await _problem(keys, encryption, each.issuer_id)
        if problem is not None:
            print(f"  {problem}")
    commands = await print_commands(database)
    if not parked and not commands:
        print("nothing is parked")
    return 1 if parked or commands else 0


async def print_commands(database: mongo.Database) -> int:
    """Print the first commands that wait for their credential in this database; return how many these are."""
    commands, _ = await WaitingCommands(database).page("", _COMMANDS)
    for each in commands:
        asked, since = each.command, each.since.isoformat(timespec="seconds")
        print(f"{asked.issuer_id}: to {each.kind} {asked.credential_id}, which is not here, waits since {since}")
    return len(commands)


async def _problem(keys: SigningKeyRepository, encryption: FileKeyEncryption, issuer_id: str) -> str | None:
    """Return what is wrong with the issuer's active signing key, None where nothing is."""
    try:
        stored = await keys.active(issuer_id)
        if stored is None:
            return f"there is no active signing key of issuer {issuer_id} in this database"
        opened(stored, encryption)
    except KeyUnavailableError as error:
        return str(error)
    except UNREADABLE as error:
        return f"what is stored of its active signing key cannot be read: {error!r}"
    return None


def _decisions(client: mongo.Client, database: mongo.Database) -> MongoDecisions:
    return MongoDecisions(client, database, MongoCredentials(database))
