"""A second broker of Kafka beside the stack's own, which goes away and takes partitions with it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final

from confluent_kafka.admin import AdminClient, NewTopic

from deploy.embedded import kafka
from tests.faults.live_faults import Alarms, Trial, free_address

_ID: Final = 2
_ALONE, _BOTH = "tried-alone", "tried-both"
"""A topic that the second broker has alone, and one that both have."""
_PATIENCE_SECONDS: Final = 240.0


class SecondBroker:
    """Another node of the cluster, which is no controller."""

    def __init__(self, alarms: Alarms) -> None:
        """Take the stack whose cluster it is of."""
        self._alarms = alarms
        self._folder = alarms.folder / "second-broker"
        self._child: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it, give it partitions, and kill it."""
        java, jars = kafka.require_java(), kafka.fetch(print)
        layout = self._alarms.stack.layout
        self._folder.mkdir()
        config, address = self._folder / "server.properties", free_address()
        changed = {
            "process.roles": "broker",
            "node.id": str(_ID),
            "listeners": f"BROKER://{address}",
            "advertised.listeners": f"BROKER://{address}",
            "log.dirs": str(self._folder / "data"),
        }
        lines = (line.partition("=") for line in kafka.properties(layout).splitlines())
        settings = {name: value for name, _, value in lines} | changed
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
        *self._java, _main, _config = kafka.command(layout, java, jars)
        written = (layout.kafka / "data" / "meta.properties").read_text(encoding="utf-8")
        cluster = dict(line.split("=", 1) for line in written.splitlines() if "=" in line)["cluster.id"]
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config)]
        subprocess.run([*self._java, *tool], check=True, capture_output=True, timeout=_PATIENCE_SECONDS)
        self.start()
        places = {_ALONE: [_ID], _BOTH: [1, _ID]}
        topics = [NewTopic(name, 1, replica_assignment=[place]) for name, place in places.items()]
        for done in self._admin.create_topics(topics).values():
            done.result()
        self._until(lambda: self._in_sync(_ALONE) == [_ID] and len(self._in_sync(_BOTH)) == len(places[_BOTH]))
        assert self._child is not None, "it was started"
        self._child.kill()
        self._child.wait()

    def start(self) -> None:
        """Start it, and wait until the cluster has it."""
        child = self._alarms.run(*self._java, "kafka.Kafka", str(self._folder / "server.properties"))
        self._child = child
        self._until(lambda: _ID in self._admin.list_topics(timeout=_PATIENCE_SECONDS).brokers)

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._alarms.stack.kafka_bootstrap, "log_level": 0})

    def _in_sync(self, name: str) -> list[int]:
        partition = self._admin.list_topics(name, timeout=_PATIENCE_SECONDS).topics[name].partitions.get(0)
        return [] if partition is None else list(partition.isrs)

    @staticmethod
    def _until(is_so: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > give_up_at:
                raise TimeoutError("the second broker does not do its part")
            time.sleep(0.2)


def of_brokers(alarms: Alarms) -> Iterator[Trial]:
    """A broker that is away: partitions that it alone has have no leader, others too few copies."""
    broker = SecondBroker(alarms)
    alerts = frozenset({"BowerbirdKafkaOffline", "BowerbirdKafkaUnderReplicated"})
    yield Trial("second-broker-away", alerts, broker.begin, broker.start)
