"""A real Apache Kafka on loopback: one node (KRaft), its jars resolved by Maven once and kept outside the work tree."""

import asyncio
import base64
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy import store_access
from deploy.certificate import write_private
from deploy.embedded import secrets
from deploy.embedded.layout import HOST, Layout
from deploy.embedded.problems import StackError

POM: Final = Path(__file__).with_name("pom.xml")
CHECKSUMS: Final = Path(__file__).with_name("kafka-jars.sha256")
_LOGGING: Final = Path(__file__).with_name("kafka-log4j2.properties")
_OLDEST_JAVA: Final = 17
_MAVEN_SECONDS: Final = 900


def version() -> str:
    """The version of Apache Kafka that pom.xml names."""
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    root = ElementTree.parse(POM).getroot()  # noqa: S314  # a file of this repository
    found = root.find("m:dependencies/m:dependency[m:artifactId='kafka_2.13']/m:version", namespace)
    if found is None or not found.text:
        raise StackError(f"{POM} names no kafka_2.13.", "Restore the file from the repository.")
    return found.text


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the jars are kept, for every stack of this user."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bowerbird" / f"kafka-{version()}"


def java() -> Path | None:
    """The Java to run Kafka with: JAVA_HOME's, else the one on the path; None when there is none of 17 or later."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).is_file():
        return None
    told = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # fixed arguments
    major = re.search(r'version "(\d+)', told.stderr)
    return Path(found) if major and int(major[1]) >= _OLDEST_JAVA else None


def require_java() -> Path:
    """The Java to run Kafka with.

    Raises:
        StackError: there is none of 17 or later.
    """
    found = java()
    if found is None:
        raise StackError(
            f"Kafka needs Java {_OLDEST_JAVA} or later, and there is none on the path or in JAVA_HOME.",
            "On Debian and Ubuntu: `apt-get install openjdk-17-jre-headless`; or start with --broker tansu.",
        )
    return found


def missing() -> str | None:
    """Why real Kafka cannot run here, as the subject of a sentence; None when it can."""
    if java() is None:
        return f"Java {_OLDEST_JAVA} or later"
    if not _complete(cache()) and shutil.which("mvn") is None:
        return "Maven"
    return None


def expected_jars() -> dict[str, str]:
    """The jars and their SHA-256 digests, as this repository expects them."""
    lines = CHECKSUMS.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in expected_jars())


def fetch(tell: Callable[[str], None]) -> Path:
    """The directory with the jars; resolved by Maven and checked against the digests the first time.

    Raises:
        StackError: Maven is missing or fails, or a jar is not the one that this repository expects.
    """
    target = cache()
    if _complete(target):
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("Kafka cannot be fetched without Maven.", "Install Maven, or start with --broker tansu.")
    tell(f"fetching Apache Kafka {version()} through Maven into {target}, once")
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        _resolve(maven, partial)
        verify(partial)
        target.mkdir(exist_ok=True)
        for name in expected_jars():
            (partial / name).replace(target / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _resolve(maven: str, directory: Path) -> None:
    argv = [maven, "-B", "-ntp", "-q", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    try:
        run = subprocess.run(  # noqa: S603  # fixed arguments
            [*argv, f"-DoutputDirectory={directory}"],
            capture_output=True,
            text=True,
            timeout=_MAVEN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"Maven had not fetched Kafka after {_MAVEN_SECONDS // 60} minutes.",
            "Check the network, or start with --broker tansu.",
        ) from error
    if run.returncode:
        first = next((line for line in run.stdout.splitlines() if "ERROR" in line), f"exit status {run.returncode}")
        raise StackError(f"Maven could not fetch Kafka: {first}", "Check the network, or start with --broker tansu.")


def verify(directory: Path) -> None:
    """Compare every jar with its digest.

    Raises:
        StackError: one is missing or is not the expected one.
    """
    for name, digest in expected_jars().items():
        jar = directory / name
        if not jar.is_file():
            raise StackError(f"Maven resolved Kafka without {name}.", "Compare pom.xml with kafka-jars.sha256.")
        if hashlib.sha256(jar.read_bytes()).hexdigest() != digest:
            raise StackError(
                f"{name} as fetched is not the file that this repository expects.",
                "Do not run it; find out where Maven had it from.",
            )


def properties(layout: Layout) -> str:
    """The broker's configuration, for one node on loopback."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{layout.address('kafka-controller')}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"BROKER://{layout.address('kafka')},CONTROLLER://{layout.address('kafka-controller')}",
        "advertised.listeners": f"BROKER://{layout.address('kafka')}",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": layout.kafka / "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 10,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 10,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 500,
        # A test that kills a consumer does not wait 6 s, the default, until the others take over.
        "group.min.session.timeout.ms": 1000,
        # After a SIGKILL the node waits for its own former session to end before it serves again: 9 s by default.
        "broker.heartbeat.interval.ms": 1000,
        "broker.session.timeout.ms": 4000,
        "log.segment.bytes": 256 * 1024 * 1024,
        **(_access(layout) if layout.secured else {}),
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _access(layout: Layout) -> Mapping[str, str]:
    passwords = layout.kafka / "node-password"
    write_private(passwords, f"node={secrets.password(layout, 'kafka', 'node')}\n".encode("ascii"))
    return store_access.kafka_properties(*secrets.certificate(layout, "kafka"), passwords)


def client_options(layout: Layout, user: str = "setup") -> dict[str, Any]:
    """Aiokafka's options of a user, by default of one who may do everything; none where the broker asks for nothing."""
    if not layout.secured:
        return {}
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": store_access.SCRAM,
        "sasl_plain_username": f"bowerbird-{user}",
        "sasl_plain_password": secrets.password(layout, "kafka", user),
        "ssl_context": ssl.create_default_context(cafile=secrets.certificate(layout, "kafka")[0]),
    }


def prepare(layout: Layout, java_binary: Path, jars: Path) -> None:
    """Write the configuration, and format the storage the first time."""
    config = layout.kafka / "server.properties"
    config.write_text(properties(layout), encoding="utf-8")
    if (layout.kafka / "data" / "meta.properties").is_file():
        return
    # The tool would take an id that begins with a hyphen for an option.
    cluster = "B" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")[1:]
    tool = [str(java_binary), *_classpath(jars), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    # Always, so that a stack that was made without them can ask for passwords later.
    users = layout.kafka / "first-users"
    node, administrator = (secrets.password(layout, "kafka", name) for name in ("node", "setup"))
    write_private(users, store_access.first_users(node, administrator).encode("ascii"))
    run = subprocess.run(  # noqa: S603  # fixed arguments
        [*tool, "--cluster-id", cluster, "--config", str(config), f"@{users}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    users.unlink()
    if run.returncode:
        told = (run.stderr or run.stdout).strip().splitlines()
        raise StackError(
            f"Kafka could not format {layout.kafka}: {told[-1] if told else run.returncode}.",
            "Look at the directory; `make erase` starts afresh.",
        )


def command(layout: Layout, java_binary: Path, jars: Path) -> list[str]:
    """The command line. Running out of memory ends the process, so that the supervisor starts it afresh."""
    return [
        str(java_binary),
        "-Xms256m",
        "-Xmx768m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={layout.log}/kafka-crash.log",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        f"-Dlog4j2.configurationFile={_LOGGING}",
        *_classpath(jars),
        "kafka.Kafka",
        str(layout.kafka / "server.properties"),
    ]


def _classpath(jars: Path) -> list[str]:
    # Named one by one, so that a file that somebody put beside them is not run.
    return ["-cp", ":".join(str(jars / name) for name in sorted(expected_jars()))]


def ready(layout: Layout) -> bool:
    """Whether the broker answers as a broker: a port that is open says less."""
    with ThreadPoolExecutor(max_workers=1) as aside:  # so that a caller within an event loop may ask, too
        return aside.submit(lambda: asyncio.run(_answers(layout))).result()


async def _answers(layout: Layout) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(HOST, layout.port("kafka")), 1)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    admin = AIOKafkaAdminClient(
        bootstrap_servers=layout.address("kafka"), request_timeout_ms=3000, **client_options(layout)
    )
    try:
        await asyncio.wait_for(admin.start(), 5)
        cluster = await asyncio.wait_for(admin.describe_cluster(), 5)
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return bool(cluster["brokers"])
