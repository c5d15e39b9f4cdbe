"""Two faults of aiokafka that it does not report: a connection reset under uvloop (fixed here), a task that ended.

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
