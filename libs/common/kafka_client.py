"""What aiokafka offers no way to: a connection reset under uvloop, a task that ended, how long it waits to fetch.

docs/adr/0005-the-consumer-pattern.md has the story; tests/integration/test_reset_connections.py holds both.
"""

import asyncio
import functools
from collections.abc import Awaitable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send
_FETCH_THE_OTHERS_SECONDS = 1.0
_FETCH_BESIDE_SECONDS = 0.05


@functools.wraps(_send)
def _send_or_lose_the_connection(self: AIOKafkaConnection, *request: Any, **options: Any) -> Awaitable[Any]:
    """A write that uvloop refuses, the transport being closed before its reader is told, is a lost connection.

    asyncio's own transports drop such a write in silence, and the reader's error follows. uvloop's raise RuntimeError,
    which aiokafka expects nowhere (aio-libs/aiokafka#1038): it ends the task that fetches, the one that keeps the
    metadata, or the one that keeps the membership, and the consumer receives nothing from then on.
    """
    try:
        sent: Awaitable[Any] = _send(self, *request, **options)
    except KafkaError:
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error
    return sent


AIOKafkaConnection.send = _send_or_lose_the_connection


def fetch_all_partitions(consumer: AIOKafkaConsumer) -> None:
    """Let a started consumer fetch all its partitions at once, when it has handed out what it has of them.

    After a tenth of a second it would fetch those that it has nothing of, which is of little use where all are taken
    side by side; and since a broker is asked one thing at a time, the others wait until records of those have come, or
    the broker has waited for them. This is done after a second: those of one partition may be asked for alone.
    """
    consumer._fetcher._prefetch_backoff = _FETCH_THE_OTHERS_SECONDS  # noqa: SLF001  # canary: see the test


def fetch_beside(consumer: AIOKafkaConsumer) -> None:
    """Let a started consumer fetch partitions that it has nothing of while it holds records of others.

    It holds many of some that are taken last, and must hear of the others meanwhile.
    """
    consumer._fetcher._prefetch_backoff = _FETCH_BESIDE_SECONDS  # noqa: SLF001  # canary: see the test


def member_id_of(consumer: AIOKafkaConsumer) -> str:
    """Return what the coordinator of its group calls this consumer; empty before it has joined."""
    return str(consumer._coordinator.member_id)  # noqa: SLF001  # canary: see tests/integration/test_consumer_loop.py


def tasks_of(client: AIOKafkaConsumer | AIOKafkaProducer) -> dict[str, "asyncio.Task[Any]"]:
    """The background tasks of a started client, by what they are for; one that has ended is never started again."""
    if isinstance(client, AIOKafkaProducer):
        return {"sending": client._sender.sender_task, "metadata": client.client._sync_task}  # noqa: SLF001  # canary
    return {
        "fetching": client._fetcher._fetch_task,  # noqa: SLF001  # canary: see the test
        "membership": client._coordinator._coordination_task,  # noqa: SLF001  # as above
        "metadata": client._client._sync_task,  # noqa: SLF001  # as above
    }
