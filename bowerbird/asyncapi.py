"""The AsyncAPI 3.0 documents of the event stream: the partners', which stands alone, and the internal one."""

import json
import zlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic.json_schema import models_json_schema

from libs.contracts.cloudevents import Origin, Outgoing, headers_of, readable_headers
from libs.contracts.events import (
    AUTHORITY_ID,
    EVENTS,
    AchievementLevel,
    AchievementPublished,
    AuditEntryCopied,
    AuthorityPublished,
    CredentialIssued,
    CredentialRevoked,
    CredentialTakenDown,
    DeadLetter,
    Event,
    IssuerListPublished,
    IssuerPublished,
    OrganisationPublished,
    RecordSentAgain,
)
from libs.contracts.ids import unkeyed_event_id
from libs.contracts.results import SoloLevel
from libs.contracts.schemas import ReadersSchema
from libs.contracts.topics import TOPICS, Topic

_BINDING: Final = "0.5.0"
_TEXT: Final = {"type": "string"}
# CloudEvents 1.0, Kafka Protocol Binding, section 3.2.3: attributes as headers with the prefix `ce_`.
_HEADERS: Final = {
    "ce_specversion": {**_TEXT, "const": "1.0"},
    "ce_id": {
        **_TEXT,
        "format": "uuid",
        "description": "The same for every publication of one fact: drop an event whose id you have seen.",
    },
    "ce_type": {**_TEXT, "description": "The contract, with its major version. Skip a type that you do not know."},
    "ce_source": {**_TEXT, "format": "uri", "description": "The authority's public URL, then /services/SERVICE."},
    "ce_subject": {**_TEXT, "description": "What the event is about."},
    "ce_time": {**_TEXT, "format": "date-time", "description": "When the fact came about, not when it was published."},
    "ce_dataschema": {**_TEXT, "format": "uri", "description": "Where the JSON Schema of the data is served."},
    "ce_partitionkey": {**_TEXT, "description": "The record's key."},
    "ce_sequence": {
        **_TEXT,
        "pattern": r"^\d{17,}$",
        "description": "Orders the events of one key, compared as text (microseconds since 1970). It says nothing "
        "about the order of events of different keys.",
    },
    "content-type": {**_TEXT, "const": "application/json"},
}
_INNER_HEADERS: Final = {
    **_HEADERS,
    "ce_traceparent": {**_TEXT, "description": "W3C Trace Context of the request that led to the event."},
    "traceparent": {**_TEXT, "description": "The same, where tracers look for it."},
}

_MOMENT: Final = datetime(2026, 10, 12, 9, 30, tzinfo=UTC)
_EXAMPLE_ORIGIN: Final = Origin("https://badges.example.org", "issuer", unkeyed_event_id)
_EXAMPLE_TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_EXAMPLE_ID: Final = UUID("0ef07cb3-6613-8770-9b1f-0cd162bb1a94")


def _examples() -> tuple[Event, ...]:
    thin = {
        "credential_id": _EXAMPLE_ID,
        "url": f"https://badges.example.org/badges/{_EXAMPLE_ID}",
        "issuer_id": "northside",
        "achievement": "department/resilience/1",
        "level": SoloLevel.RELATIONAL,
        "occurred_at": _MOMENT,
    }
    issuer = {
        "issuer_id": "northside",
        "version": 1,
        "parent": "department",
        "name": "Northside Primary School",
        "url": "https://northside.example.org",
        "did": "did:web:badges.example.org:issuers:northside",
        "did_document": json.dumps({"id": "did:web:badges.example.org:issuers:northside"}),
        "published_at": _MOMENT,
    }
    organisation = {
        "organisation_id": "northside",
        "version": 1,
        "kind": "school",
        "name": "Northside Primary School",
        "parent": "north-region",
        "identifiers": [{"scheme": "acara", "value": "40123"}],
        "opened_on": "1964-02-03",
        "registered_at": _MOMENT,
        "published_at": _MOMENT,
    }
    achievement = {
        "owner": "department",
        "achievement_id": "resilience",
        "version": 1,
        "shared": True,
        "name": "Resilience",
        "description": "Keeps going when it is hard, and says what helped.",
        "criteria": "A teacher saw it during Values Week.",
        "levels": [
            AchievementLevel(
                level=SoloLevel.RELATIONAL, name="Connects", description="Connects what helped with what comes next."
            )
        ],
        "required_level": SoloLevel.RELATIONAL,
        "published_at": _MOMENT,
    }
    return (
        CredentialIssued.model_validate(thin),
        CredentialRevoked.model_validate({**thin, "reason": "issued_in_error"}),
        CredentialTakenDown.model_validate({**thin, "reason": "personal_data"}),
        IssuerPublished.model_validate(issuer),
        OrganisationPublished.model_validate(organisation),
        AchievementPublished.model_validate(achievement),
        AuthorityPublished(
            authority_id=AUTHORITY_ID,
            version=1,
            did="did:web:badges.example.org",
            did_document=json.dumps({"id": "did:web:badges.example.org"}),
            published_at=_MOMENT,
        ),
        IssuerListPublished(
            list_id="issuers",
            compressed=b64encode(zlib.compress(b"header.payload.signature")).decode(),
            ends_at=_MOMENT + timedelta(days=7),
            published_at=_MOMENT,
        ),
    )


def partners() -> dict[str, Any]:
    """Return the partners' document: the topics that they read, whole, with no reference to another file."""
    read = [topic for topic in TOPICS if topic.for_partners]
    contracts = [event for topic in read for event in _events_on(topic)]
    _, schemas = models_json_schema(
        [(contract, "validation") for contract in contracts],
        ref_template="#/components/schemas/{model}",
        schema_generator=ReadersSchema,
    )
    examples = {type(example): example for example in _examples()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bowerbird events for partners",
            "version": "1.0.0",
            "description": "What a university, a job board or a wallet learns as it happens: credentials issued and "
            "revoked, and the catalogue that they refer to. CloudEvents 1.0 on Kafka in binary mode. Delivery is at "
            "least once: drop ids that you have seen. Within a version of the contract fields are only ever added, "
            "and all of them optional; skip fields and types that you do not know. The guide is "
            "docs/guides/partners.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "authority": {
                "host": "{host}:{port}",
                "protocol": "kafka-secure",
                "description": "The brokers of an education authority, on the listener that it opens to partners.",
                "variables": {
                    "host": {"description": "As the authority says.", "default": "kafka.badges.example.org"},
                    "port": {"default": "9094"},
                },
                "security": [{"$ref": "#/components/securitySchemes/scram"}],
            },
            "embedded": {
                "host": "127.0.0.1:29092",
                "protocol": "kafka",
                "description": "The stack that `make up` starts on one's own machine: loopback alone, no passwords.",
            },
        },
        "channels": {
            topic.name: _channel(
                topic, {event.type: {"$ref": f"#/components/messages/{event.__name__}"} for event in _events_on(topic)}
            )
            for topic in read
        },
        "operations": _operations(read),
        "components": {
            "schemas": schemas["$defs"],
            "messages": {contract.__name__: _message(contract, examples[contract]) for contract in contracts},
            "messageTraits": _traits(_HEADERS),
            "securitySchemes": {
                "scram": {
                    "type": "scramSha512",
                    "description": "User name and password from the authority, one per partner, over TLS. The user "
                    "may read these topics in consumer groups that begin with its name, and do nothing else.",
                }
            },
        },
    }


def internal() -> dict[str, Any]:
    """Return the document of every topic, for those who work on Bowerbird; its schemas are the files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bowerbird events, all of them",
            "version": "1.0.0",
            "description": "For developers and operators of Bowerbird. Partners read partners.asyncapi.json: what "
            "stands here alone may change without notice.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            topic.name: _channel(topic, {event.type: _inner_message(event) for event in _events_on(topic)})
            for topic in TOPICS
        },
        "operations": _operations(TOPICS),
        "components": {"messageTraits": _traits(_INNER_HEADERS)},
    }


def _events_on(topic: Topic) -> list[type[Event]]:
    if topic.name.startswith("dead-letters."):
        return [DeadLetter]
    if topic.name.startswith("sent-again."):
        return [RecordSentAgain]
    if topic.name.startswith("audit."):
        return [AuditEntryCopied]
    return [event for event in EVENTS if topic in (getattr(event, "topic", None), *event.other_topics)]


def _summary(event: type[Event]) -> str:
    return (event.__doc__ or "").strip()


def _traits(headers: dict[str, Any]) -> dict[str, Any]:
    return {"cloudevent": {"headers": {"type": "object", "required": list(_HEADERS), "properties": headers}}}


def _message(contract: type[Event], example: Event) -> dict[str, Any]:
    headers = readable_headers(headers_of(Outgoing(example, _EXAMPLE_TRACE), _EXAMPLE_ORIGIN))
    key = contract.key_prefix + "/".join(f"{{{name}}}" for name in contract.key_fields)
    return {
        "name": contract.type,
        "title": contract.__name__,
        "summary": _summary(contract),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
        "bindings": {
            "kafka": {"key": {**_TEXT, "description": f"UTF-8 text: {key}"}, "bindingVersion": _BINDING},
        },
        "examples": [
            {
                "name": contract.__name__,
                "headers": headers,
                "payload": example.model_dump(mode="json", exclude_none=True),
            }
        ],
    }


def _inner_message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "summary": _summary(event),
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{event.type}.json"},
        },
    }


def _channel(topic: Topic, messages: dict[str, Any]) -> dict[str, Any]:
    kept = (
        "compacted: the last record of each key stays, and a record without a value (a tombstone) takes its key away"
        if topic.kept is None
        else f"kept {topic.kept.days} days"
    )
    restricted = " Restricted: no partner reads it." if topic.restricted else ""
    return {
        "address": topic.name,
        "description": f"{topic.holds[0].upper()}{topic.holds[1:]}; {kept}.{restricted}",
        "messages": messages,
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": _BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    typed = {name: int(value) if value.isdecimal() else value for name, value in topic.config.items()}
    return {**typed, "cleanup.policy": [topic.config["cleanup.policy"]]}


def _operations(topics: tuple[Topic, ...] | list[Topic]) -> dict[str, Any]:
    # AsyncAPI 3.0 tells of the application that it describes, which is Bowerbird: it sends, a partner receives.
    return {
        f"send.{topic.name}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}} for topic in topics
    }
