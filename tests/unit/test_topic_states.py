"""Asking brokers about topics: an answer that never comes is an error, and the next question goes another way."""

from concurrent.futures import Future
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaError, KafkaException

from libs.common import topic_states
from libs.common.topic_states import TopicStates


class Client:
    """Stands for librdkafka's: it never answers, or answers with an error."""

    made: list["Client"]
    error: int | None

    def __init__(self, *_: Any, **__: Any) -> None:
        self.made.append(self)

    def describe_topics(self, topics: Any, *, request_timeout: float) -> dict[str, Future[Any]]:
        del topics, request_timeout
        answer: Future[Any] = Future()
        if self.error is not None:
            answer.set_exception(KafkaException(KafkaError(self.error)))
        return {"catalogue.v1": answer}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    clients: list[Client] = []
    monkeypatch.setattr(Client, "made", clients, raising=False)
    monkeypatch.setattr(Client, "error", None, raising=False)
    monkeypatch.setattr(topic_states, "AdminClient", Client)
    monkeypatch.setattr(topic_states, "ANSWER_SECONDS", 0.01)
    return clients


@pytest.mark.parametrize("error", [None, KafkaError._TIMED_OUT, KafkaError._TRANSPORT])
async def test_a_connection_that_gave_no_answer_is_not_asked_again(
    made: list[Client], monkeypatch: pytest.MonkeyPatch, error: int | None
) -> None:
    monkeypatch.setattr(Client, "error", error)
    states = TopicStates({})
    for count in (1, 2):
        with pytest.raises(KafkaConnectionError):
            await states.ids(["catalogue.v1"])
        assert len(made) == count


async def test_a_topic_that_is_not_there_is_an_answer(made: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "error", KafkaError.UNKNOWN_TOPIC_OR_PART)
    states = TopicStates({})
    for _ in range(2):
        assert await states.read(["catalogue.v1"]) == {}
    assert len(made) == 1
