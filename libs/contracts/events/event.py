"""What every event contract declares: its type, topic and key, and the fields that give its id and time."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.contracts.schemas import ReadersSchema
from libs.contracts.topics import Topic
from libs.contracts.uuid_text import uuid_text


class Event(BaseModel):
    """A CloudEvents 1.0 payload. Fields that this version does not know are ignored when reading.

    A contract declares its type and topic, and which of its fields give the record's key, the event's id and its time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[Topic]
    # Where some of its type go instead.
    other_topics: ClassVar[tuple[Topic, ...]] = ()
    key_prefix: ClassVar[str] = ""
    key_fields: ClassVar[tuple[str, ...]]
    # What the event is the only one of its type about; none where that is the key.
    id_fields: ClassVar[tuple[str, ...]] = ()
    time_field: ClassVar[str]

    @property
    def destination(self) -> Topic:
        """The topic that this event goes to."""
        return self.topic

    @property
    def key(self) -> str:
        """The record's key: Kafka keeps order per key, and a compacted topic keeps the last record of it."""
        return self.key_prefix + self._joined(self.key_fields)

    @property
    def natural_id(self) -> str:
        """What this event is the only one of its type about; `ce_id` is derived from it (`libs.contracts.ids`)."""
        return self._joined(self.id_fields) if self.id_fields else self.key

    @property
    def time(self) -> datetime:
        """The CloudEvents `time`: when the fact came about (not when it was published)."""
        moment = getattr(self, self.time_field)
        assert isinstance(moment, datetime)  # noqa: S101  # a declaration that tests/contract holds to be true
        return moment

    @classmethod
    def is_for_partners(cls) -> bool:
        """Return whether partners read this type, so that its contract is public."""
        topic: Topic | None = getattr(cls, "topic", None)  # some types go to a topic of each service
        return topic is not None and topic.for_partners

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the data, which `ce_dataschema` names."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **cls.model_json_schema(schema_generator=ReadersSchema),
        }

    def _joined(self, names: tuple[str, ...]) -> str:
        if len(names) == 1:
            return _text(getattr(self, names[0]))
        return "/".join([_text(getattr(self, name)) for name in names])


def _text(value: object) -> str:
    if type(value) is UUID:
        return uuid_text(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
