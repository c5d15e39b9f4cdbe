"""Stand-ins for the exporters of MongoDB and Kafka, which no package of Debian has: their metrics, from the stores.

Names, labels and values are those that the exporters' own documents and sources give for the versions in
docker-compose.yml. What is seen with them is that the rules work, not that the exporters do.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.embedded.stack import Stack

_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 5.0


def _mongodb(client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    try:
        status = client.admin.command("serverStatus")
        members = client.admin.command("replSetGetStatus")["members"]
    except PyMongoError:
        yield "mongodb_up 0"
        return
    yield "mongodb_up 1"
    for each in members:
        yield f'mongodb_rs_members_state{{member_idx="{each["name"]}"}} {each["state"]}'
    for kind in ("current", "available"):
        yield f'mongodb_ss_connections{{conn_type="{kind}"}} {status["connections"][kind]}'


def _kafka(client: AdminClient) -> list[str]:
    try:
        cluster = client.list_topics(timeout=_PATIENCE_SECONDS)
        # Not by describe_consumer_groups, which may end the process where a broker goes away meanwhile.
        groups = client.list_groups(timeout=_PATIENCE_SECONDS)
    except KafkaException:
        return ["kafka_brokers 0"]
    return [
        f"kafka_brokers {len(cluster.brokers)}",
        *(line for topic in cluster.topics.values() for line in _topic(topic)),
        *(f'kafka_consumergroup_members{{consumergroup="{each.id}"}} {len(each.members)}' for each in groups),
    ]


def _topic(topic: TopicMetadata) -> Iterator[str]:
    yield f'kafka_topic_partitions{{topic="{topic.topic}"}} {len(topic.partitions)}'
    for number, each in topic.partitions.items():
        labels = f'{{topic="{topic.topic}",partition="{number}"}}'
        yield f"kafka_topic_partition_leader{labels} {each.leader}"
        behind = int(len(each.isrs) < len(each.replicas))
        yield f"kafka_topic_partition_under_replicated_partition{labels} {behind}"


class _Seen:
    """What one store's metrics were a moment ago; asking for them waits for no store."""

    def __init__(self, read: Callable[[], Iterable[str]]) -> None:
        self._read = read
        self.text = b""
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.text = "".join(f"{line}\n" for line in self._read()).encode()
            time.sleep(_SECONDS)


class Exporters:
    """Answers /mongodb and /kafka on one port."""

    def __init__(self, stack: Stack) -> None:
        """Take the stack whose stores are read."""
        patience = 1000 * _PATIENCE_SECONDS
        mongodb: MongoClient[dict[str, Any]] = MongoClient(
            stack.mongo_url, serverSelectionTimeoutMS=patience, socketTimeoutMS=patience
        )
        kafka = AdminClient({"bootstrap.servers": stack.kafka_bootstrap, "log_level": 0})
        seen = {"/mongodb": _Seen(lambda: _mongodb(mongodb)), "/kafka": _Seen(lambda: _kafka(kafka))}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that the library calls
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("content-type", "text/plain; version=0.0.4")
                    self.end_headers()
                    self.wfile.write(seen[self.path].text)

            def log_message(self, *_: object) -> None:
                """Write no line for each question."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
