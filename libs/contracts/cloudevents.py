"""CloudEvents 1.0 in Kafka's binary mode (Kafka Protocol Binding, section 3.2): events to records and back."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from libs.contracts.events import BY_TYPE, Event

EventT = TypeVar("EventT", bound=Event)


class UnreadableRecordError(Exception):
    """A record that is no event of ours; `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class UnknownTypeError(Exception):
    """A record of a type that is ours in form, and that this version does not know: a newer version publishes it."""


class Outgoing(NamedTuple):
    """An event to publish, and the trace that it belongs to; its data, where they are written already (`body_of`)."""

    event: Event
    trace: str
    body: bytes | None = None


class Received(NamedTuple, Generic[EventT]):
    """An event as it was consumed.

    Attributes:
        event: None for a tombstone: whatever `key` stood for is erased.
        known: whether it may have been processed before the database was set back, with effects outside of it.
        offset: where its record stands in the partition of its key; -1 where nobody said.
        sent_at: of a tombstone, which tells no moment itself: when it was sent; None where nobody said.
    """

    event: EventT | None
    key: str
    trace: str
    known: bool = False
    offset: int = -1
    sent_at: datetime | None = None


class Origin(NamedTuple):
    """Who publishes.

    Attributes:
        public_base: the authority's public URL, without a slash at its end.
        service: the service.
        event_id: derives an event's id from its type and its natural id.
    """

    public_base: str
    service: str
    event_id: Callable[[str, str], str]

    @property
    def source(self) -> str:
        """The CloudEvents `source`: an absolute URI."""
        return f"{self.public_base}/services/{self.service}"

    def schema_url(self, event_type: str) -> str:
        """Return the CloudEvents `dataschema`: where the verifier serves the JSON Schema of this type."""
        return f"{self.public_base}/schemas/{event_type}.json"


class Record(NamedTuple):
    """One event as it goes to Kafka: the topic's name, the key, the data as JSON, and the headers."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def encode(outgoing: Outgoing, origin: Origin) -> Record:
    """Return an event as a record of its topic."""
    event, trace, written = outgoing
    key = event.key
    body = body_of(event) if written is None else written
    return Record(event.destination.name, key.encode(), body, _headers(event, key, trace, origin))


def headers_of(outgoing: Outgoing, origin: Origin) -> list[tuple[str, bytes]]:
    """Return a record's headers: CloudEvents attributes as `ce_`, content type; for our own services, the trace."""
    return _headers(outgoing.event, outgoing.event.key, outgoing.trace, origin)


def _headers(event: Event, key: str, trace: str, origin: Origin) -> list[tuple[str, bytes]]:
    subject = event.natural_id if event.id_fields else key
    # All that one upload led to shares its trace: to partners it would say who sat in one class.
    traced = None if event.destination.for_partners else trace
    return [
        *_shared_headers(event.type, origin, event.time, traced),
        ("ce_id", origin.event_id(event.type, subject).encode()),
        ("ce_subject", subject.encode()),
        ("ce_partitionkey", key.encode()),
    ]


# The events of a batch share their moment, and those of an upload their trace.
@lru_cache(maxsize=1024)
def _shared_headers(
    event_type: str, origin: Origin, moment: datetime, trace: str | None
) -> tuple[tuple[str, bytes], ...]:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_type", event_type.encode()),
        ("ce_source", origin.source.encode()),
        ("ce_dataschema", origin.schema_url(event_type).encode()),
        ("content-type", b"application/json"),
        ("ce_time", moment.isoformat().encode()),
        # Orders the events of one key as text (CloudEvents, Sequence extension): microseconds since 1970, padded.
        ("ce_sequence", b"%017d" % int(moment.timestamp() * 1_000_000)),
    )
    if trace is None:
        return headers
    return *headers, ("ce_traceparent", trace.encode()), ("traceparent", trace.encode())


def body_of(event: Event) -> bytes:
    """Return the event's data as JSON, absent fields left out: what `model_dump_json` writes, in half its time."""
    return orjson.dumps(_present(event), default=_as_json, option=orjson.OPT_UTC_Z)


def _present(model: BaseModel) -> dict[str, object]:
    # Beside the fields stands what was worked out of them and is remembered.
    fields = type(model).model_fields
    return {name: value for name, value in model.__dict__.items() if value is not None and name in fields}


def _as_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return _present(value)
    if isinstance(value, frozenset):
        return list(value)
    raise TypeError(f"an event holds no {type(value).__name__}")


# The form of our types (docs/adr/0012-names-of-events.md), those of later versions included.
_TYPE_FORM = re.compile(r"org\.bowerbirdbadges(?:\.[a-z][a-z0-9-]{0,63}){1,8}\.v[1-9][0-9]{0,3}")

# All that reading an event needs.
READ_HEADERS = frozenset({"ce_type", "traceparent"})


def readable_headers(raw: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The headers that are text; one that is null or not UTF-8 is left out, it must not cost the record."""
    headers = {}
    for name, value in raw:
        try:
            headers[name] = (value or b"").decode()
        except UnicodeDecodeError:
            continue
    return headers


def read_event(headers: dict[str, str], value: bytes) -> Event:
    """Validate a record's data against the contract that `ce_type` names.

    Raises:
        UnknownTypeError: the type has the form of ours, and this version has no contract of that name.
        UnreadableRecordError: no type, a type that is not ours, or data that breaks the contract.
    """
    name = headers.get("ce_type")
    if not name:
        raise UnreadableRecordError("no_type", "the record has no ce_type header")
    contract = BY_TYPE.get(name)
    if contract is None:
        if _TYPE_FORM.fullmatch(name):
            raise UnknownTypeError(name)
        raise UnreadableRecordError("unknown_type", f"no contract is named {name[:100]!r}")
    try:
        return contract.model_validate_json(value)
    except ValidationError as error:
        # Field names and kinds only: the values may be personal.
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors(include_input=False)[:10]
        )
        raise UnreadableRecordError("breaks_contract", problems) from None
