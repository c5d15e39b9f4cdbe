"""`bowerbird stores`: how MongoDB and Kafka do, asked of themselves, for when their exporters tell nothing."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo import ReadPreference
from pymongo.errors import PyMongoError

from bowerbird.operators import store_settings, why_store_failed
from libs.common import mongo
from libs.common.settings import Settings, SettingsError
from libs.common.store_access import kafka_options, mongo_options

_ANSWER_SECONDS: Final = 10.0
_SHOWN: Final = 20
_MOST_IN_USE: Final = 0.8
# One that answers must be asked where there is no primary.
_ANY: Final = ReadPreference.NEAREST
_CLIENTS: Final[list[dict[str, Any]]] = [
    {"$currentOp": {"allUsers": True, "idleConnections": True}},
    {"$match": {"client": {"$ne": None}}},
    {"$group": {"_id": "$appName", "count": {"$sum": 1}}},
]

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What is printed of something, and whether it is as it should be."""

    lines: Sequence[str]
    right: bool = True


def stores() -> int:
    """Print the members of MongoDB's replica set, who is connected, Kafka's brokers, and partitions that lack any.

    It takes the environment of `bowerbird setup`, and changes nothing. Exit status: 0 all is right; 1 there is no
    primary, a member or a broker is away, a partition has no leader or too few copies, most connections are in use, or
    a store does not answer.
    """
    try:
        settings = store_settings()
        told = [asyncio.run(_told_of_mongodb(settings)), asyncio.run(_told_of_kafka(settings))]
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    for each in told:
        print("\n".join(each.lines))
    return 0 if all(each.right for each in told) else 1


async def _told_of_mongodb(settings: Settings) -> Told:
    url = settings.mongo_url.get_secret_value()
    client = mongo.connect(url, "bowerbird-stores", mongo_options(settings))
    try:
        members = of_members(await client.admin.command("replSetGetStatus", read_preference=_ANY))
        server = await client.admin.command("serverStatus", read_preference=_ANY)
        admin = client.get_database("admin", read_preference=_ANY)
        clients = Counter({each["_id"]: each["count"] async for each in mongo.aggregate(admin, _CLIENTS)})
    except PyMongoError as error:
        return Told([f"MongoDB  {why_store_failed(error)}"], right=False)
    finally:
        await mongo.close(client)
    connected = of_connections(server["connections"], clients)
    return Told([*members.lines, *connected.lines], members.right and connected.right)


async def _told_of_kafka(settings: Settings) -> Told:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, **kafka_options(settings))
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await admin.start()
            cluster = await admin.describe_cluster()
            return of_partitions(cluster["brokers"], await admin.describe_topics())
    except TimeoutError:
        return Told([f"Kafka    has not answered within {_ANSWER_SECONDS:.0f} s"], right=False)
    except KafkaError as error:
        return Told([f"Kafka    {why_store_failed(error)}"], right=False)
    finally:
        await admin.close()


def of_members(status: Answer) -> Told:
    """Return what is told of the members of a replica set.

    Args:
        status: what MongoDB answers `replSetGetStatus`.
    """
    members = status["members"]
    primary = next((each for each in members if each["stateStr"] == "PRIMARY"), None)
    lines = [f"MongoDB  {'no primary: nothing can be written' if primary is None else 'primary ' + primary['name']}"]
    for each in members:
        behind = ""
        if primary is not None and each is not primary and each.get("optimeDate"):
            behind = f", {(primary['optimeDate'] - each['optimeDate']).total_seconds():.0f} s behind"
        lines.append(f"         member {each['name']}: {each['stateStr']}{behind}")
    serving = all(each["stateStr"] in {"PRIMARY", "SECONDARY", "ARBITER"} for each in members)
    return Told(lines, primary is not None and serving)


def of_connections(connections: Answer, clients: Counter[str | None]) -> Told:
    """Return what is told of connections, and whose they are.

    Args:
        connections: that part of what MongoDB answers `serverStatus`.
        clients: how many there are of each client, by the name that it gives itself.
    """
    current, most = connections["current"], connections["current"] + connections["available"]
    lines = [f"         {current:,} connections of at most {most:,}"]
    lines += [f"         {count:>7,} of {name or 'one without a name'}" for name, count in clients.most_common(_SHOWN)]
    return Told(lines, current <= _MOST_IN_USE * most)


def of_partitions(brokers: Sequence[Answer], topics: Sequence[Answer]) -> Told:
    """Return what is told of brokers, and of partitions without a leader or with too few copies.

    Args:
        brokers: those that are there, as Kafka describes its cluster.
        topics: all of them, as Kafka describes topics.
    """
    there = {each["node_id"] for each in brokers}
    lines = [f"Kafka    broker {each['node_id']} at {each['host']}:{each['port']}" for each in brokers]
    partitions = [(topic["topic"], each) for topic in topics for each in topic["partitions"]]
    away = {node for _, each in partitions for node in each["replicas"]} - there
    lines += [f"         broker {node}: AWAY" for node in sorted(away)]
    leaderless = [(name, each) for name, each in partitions if each["leader"] < 0]
    short = [(name, each) for name, each in partitions if len(each["isr"]) < len(each["replicas"])]
    lines.append(
        f"         {len(partitions)} partitions, {len(leaderless)} without a leader, {len(short)} short of copies"
    )
    for problem, found in (("no leader", leaderless), ("short of copies", short)):
        lines += [
            f"         {name}/{each['partition']}: {problem}; copies on {each['replicas']}, current on {each['isr']}"
            for name, each in found[:_SHOWN]
        ]
    return Told(lines, not (away or leaderless or short))
