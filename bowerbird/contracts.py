"""Writes docs/events/: a JSON Schema per event and an AsyncAPI 3.0 document, both generated from the contracts."""

import json
from pathlib import Path
from typing import Any

from libs.contracts.events import EVENTS, DeadLetter, Event
from libs.contracts.topics import TOPICS, Topic

# CloudEvents 1.0, Kafka Protocol Binding, section 3.2.3: attributes as headers with the prefix `ce_`.
_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same for every publication of one fact."},
        "ce_type": {"type": "string", "description": "The contract, with its major version."},
        "ce_source": {"type": "string", "description": "The authority's public URL, then /services/SERVICE."},
        "ce_subject": {"type": "string", "description": "What the event is about."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When the fact came about."},
        "ce_partitionkey": {"type": "string", "description": "The record's key."},
        "ce_sequence": {"type": "string", "description": "Orders the events of one key, as text."},
        "ce_traceparent": {"type": "string", "description": "W3C Trace Context."},
        "traceparent": {"type": "string", "description": "The same, where tracers look for it."},
        "content-type": {"const": "application/json"},
    },
}


def documents() -> dict[str, str]:
    """File name to text, for everything under docs/events/."""
    files: dict[str, Any] = {f"{event.type}.json": _schema(event) for event in EVENTS}
    files["asyncapi.json"] = _asyncapi()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def write(folder: Path) -> list[str]:
    """Write what differs from the contracts and remove what they no longer know; returns the names changed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    changed = stale(folder)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def stale(folder: Path) -> list[str]:
    """The names of files that are not what the contracts say."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def _schema(event: type[Event]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **event.model_json_schema()}


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bowerbird events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 on Kafka, binary mode. Partners subscribe to credential.lifecycle.v1; "
            "delivery is at least once, and whoever drops event ids already seen sees each event once.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {f"receive.{topic.name}": _operation(topic) for topic in TOPICS},
        "components": {"messageTraits": {"cloudevent": {"headers": _HEADERS}}},
    }


def _events_on(topic: Topic) -> list[type[Event]]:
    if topic.name.startswith("dead-letters."):
        return [DeadLetter]
    return [event for event in EVENTS if event is not DeadLetter and event.topic is topic]


def _channel(topic: Topic) -> dict[str, Any]:
    kept = "compacted: the last record of each key stays" if topic.kept is None else f"kept {topic.kept.days} days"
    restricted = " Restricted: no partner reads it." if topic.restricted else ""
    return {
        "address": topic.name,
        "description": f"{topic.holds[0].upper()}{topic.holds[1:]}; {kept}.{restricted}",
        "messages": {
            event.type: {
                "name": event.type,
                "summary": (event.__doc__ or "").strip(),
                "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
                "payload": {
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": {"$ref": f"./{event.type}.json"},
                },
            }
            for event in _events_on(topic)
        },
        "bindings": {
            "kafka": {"topic": topic.name, "partitions": topic.partitions, "topicConfiguration": _configuration(topic)}
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    if topic.kept is None:
        return {"cleanup.policy": ["compact"]}
    return {"cleanup.policy": ["delete"], "retention.ms": int(topic.config["retention.ms"])}


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{topic.name}"}}
