"""Follow what becomes of credentials: python lifecycle.py BROKERS GROUP [SINCE], SINCE as in 2026-11-01T00:00:00Z."""

import json
import os
import sys
from datetime import datetime

from confluent_kafka import Consumer, TopicPartition

brokers, group, *since = sys.argv[1:]
settings = {
    "bootstrap.servers": brokers,
    "group.id": group,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
}
if "KAFKA_USER" in os.environ:  # an authority's brokers; those of `make up` know no users
    settings |= {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": os.environ["KAFKA_USER"],
        "sasl.password": os.environ["KAFKA_PASSWORD"],
    }

seen: set[str] = set()  # yours is a unique column of your database, written together with what the event changes
revoked: set[str] = set()


def rewind(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Begin with the first record that was published at this time or later."""
    if since:
        at = int(datetime.fromisoformat(since[0]).timestamp() * 1000)
        partitions = consumer.offsets_for_times(
            [TopicPartition(p.topic, p.partition, at) for p in partitions], timeout=30
        )
    consumer.assign(partitions)


consumer = Consumer(settings)
consumer.subscribe(["credential.lifecycle.v1"], on_assign=rewind)
try:
    while True:
        records = consumer.consume(num_messages=500, timeout=0.5)
        for record in records:
            if record.error():
                raise SystemExit(str(record.error()))
            if record.value() is None:  # a tombstone: on a compacted topic its key is erased
                continue
            headers = {name: value.decode() for name, value in record.headers() or []}
            kind = headers.get("ce_type", "")
            if headers.get("ce_id") in seen:
                continue
            if kind == "org.bowerbirdbadges.credential.revoked.v1":
                event = json.loads(record.value())
                revoked.add(event["credential_id"])
                print("revoked", event["credential_id"], event["achievement"], flush=True)
            elif kind == "org.bowerbirdbadges.credential.taken-down.v1":
                event = json.loads(record.value())
                print("delete", event["credential_id"], event["achievement"], flush=True)
            elif kind == "org.bowerbirdbadges.credential.issued.v1":
                event = json.loads(record.value())
                if event["credential_id"] not in revoked:  # it may have been revoked first
                    print("issued", event["credential_id"], event["achievement"], flush=True)
            # else: a type of tomorrow, which is none of our business
            seen.add(headers["ce_id"])
        if records:  # what they changed is stored by now
            consumer.commit(asynchronous=False)
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
