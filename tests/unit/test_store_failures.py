"""A command that a store refuses, or that does not reach it, ends, and says which of the two it is."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from bowerbird.operators import why_store_failed
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from tests.ids import IDS

REFUSED = [
    ClusterAuthorizationFailedError(),
    GroupAuthorizationFailedError(),
    SaslAuthenticationFailed(),
    TopicAuthorizationFailedError(),
]
AWAY = [KafkaConnectionError(), OSError()]


@pytest.mark.parametrize("error", [*REFUSED, *AWAY], ids=lambda error: type(error).__name__)
async def test_to_connect_for_a_command_ends_with_the_error_instead_of_waiting(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = Kafka(Settings(), "issuer", IDS.event_id)

    async def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(kafka, "_join_groups", fail)
    monkeypatch.setattr(kafka, "require_topics", fail)
    async with asyncio.timeout(10):
        with pytest.raises(type(error)):
            await kafka.connect()
    assert not kafka.connected


@pytest.mark.parametrize("error", REFUSED, ids=lambda error: type(error).__name__)
def test_a_refusal_of_kafka_sends_nobody_to_try_again(error: KafkaError) -> None:
    said = why_store_failed(error)
    assert said == f"Kafka refuses it ({type(error).__name__}): run it as a user who may do it"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OperationFailure("not authorized", 13, {"codeName": "Unauthorized"}),
            "MongoDB refuses it (Unauthorized): run it as a user who may do it",
        ),
        (OperationFailure("failed", 18), "MongoDB refuses it (18): run it as a user who may do it"),
        (
            OperationFailure("old", 239, {"codeName": "SnapshotTooOld"}),
            "MongoDB cannot do it (OperationFailure, SnapshotTooOld)",
        ),
        (ServerSelectionTimeoutError(), "MongoDB does not answer (ServerSelectionTimeoutError); run this again"),
    ],
)
def test_what_mongodb_refuses_is_told_from_its_being_away(error: PyMongoError, said: str) -> None:
    assert why_store_failed(error) == said
