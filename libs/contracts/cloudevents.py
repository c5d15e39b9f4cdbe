"""CloudEvents 1.0 in Kafka's binary mode (Kafka Protocol Binding, section 3.2): events to records and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from libs.contracts.events import BY_TYPE, Event

EventT = TypeVar("EventT", bound=Event)


class UnreadableRecordError(Exception):
    """A record that is no event of ours; `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish, and the trace that it belongs to."""

    event: Event
    trace: str


@dataclass(frozen=True, slots=True)
class Received(Generic[EventT]):
    """An event as it was consumed. `event` is None for a tombstone: whatever `key` stood for is erased."""

    event: EventT | None
    key: str
    trace: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who publishes: the authority's public URL, without a slash at its end, and the service."""

    public_base: str
    service: str

    @property
    def source(self) -> str:
        """The CloudEvents `source`: an absolute URI."""
        return f"{self.public_base}/services/{self.service}"

    def schema_url(self, event_type: str) -> str:
        """Return the CloudEvents `dataschema`: where the verifier serves the JSON Schema of this type."""
        return f"{self.public_base}/schemas/{event_type}.json"


def headers_of(outgoing: Outgoing, origin: Origin) -> dict[str, str]:
    """Return a record's headers: the CloudEvents attributes as `ce_`, content type, trace and partition key."""
    event = outgoing.event
    return {
        "ce_specversion": "1.0",
        "ce_id": str(event.event_id),
        "ce_type": event.type,
        "ce_source": origin.source,
        "ce_subject": event.natural_id,
        "ce_time": event.time.isoformat(),
        "ce_dataschema": origin.schema_url(event.type),
        "ce_partitionkey": event.key,
        # Orders the events of one key as text (CloudEvents, Sequence extension): microseconds since 1970, padded.
        "ce_sequence": f"{int(event.time.timestamp() * 1_000_000):017d}",
        "ce_traceparent": outgoing.trace,
        "traceparent": outgoing.trace,
        "content-type": "application/json",
    }


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
        UnreadableRecordError: no type, a type that we do not know, or data that breaks the contract.
    """
    name = headers.get("ce_type")
    if not name:
        raise UnreadableRecordError("no_type", "the record has no ce_type header")
    contract = BY_TYPE.get(name)
    if contract is None:
        raise UnreadableRecordError("unknown_type", f"no contract is named {name[:100]!r}")
    try:
        return contract.model_validate_json(value)
    except ValidationError as error:
        # Field names and kinds only: the values may be personal.
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors(include_input=False)[:10]
        )
        raise UnreadableRecordError("breaks_contract", problems) from None
