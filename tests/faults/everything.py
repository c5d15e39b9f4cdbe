"""Everything that the stores hold, byte for byte: documents, and the last record of each key of compacted topics."""

import asyncio
import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from bowerbird.registry import NAMES
from deploy.embedded.stack import Stack
from libs.audit.stored_form import identity_of
from libs.contracts.topics import TOPICS
from tests.topic_reading import everything_on

_DECODED: Final = CodecOptions[dict[str, Any]](uuid_representation=UuidRepresentation.STANDARD, tz_aware=True)
WHOLE: Final = ""
"""The name of what differs where only one has a document at all."""

ORDER: Final = "the order of its fields"
"""The name of what differs where every field is the same, and the bytes are not."""

Fields = Mapping[str, object]


@dataclass(frozen=True)
class Everything:
    """By DATABASE.COLLECTION, or by `topic NAME`, the BSON of everything in it by its id or key."""

    places: Mapping[str, Mapping[str, bytes]]


def take(stack: Stack) -> Everything:
    """Read both stores of a stack that has come to rest."""
    return Everything({**_collections(stack), **_topics(stack)})


def _collections(stack: Stack) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    with MongoClient[RawBSONDocument](stack.mongo_url, document_class=RawBSONDocument) as client:
        for database in NAMES:
            for name in client[database].list_collection_names():
                documents = (bytes(each.raw) for each in client[database][name].find())
                found[f"{database}.{name}"] = {_id_of(each): each for each in documents}
    return found


def _id_of(document: bytes) -> str:
    stored = decoded(document)
    # After a restore an entry of an audit log stands behind those of today.
    return identity_of(stored) if "hash" in stored else str(stored["_id"])


def _topics(stack: Stack) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for topic in TOPICS:
        if topic.kept is not None:
            continue
        last = found[f"topic {topic.name}"] = dict[str, bytes]()
        for record in asyncio.run(everything_on(stack.kafka_bootstrap, topic)):
            headers = {name: [*_all_of(name, record.headers)] for name, _ in record.headers}
            last[record.key.decode()] = bson.encode({"value": record.value, "headers": headers})
    return found


def _all_of(name: str, headers: Any) -> Iterator[bytes]:
    return (value for each, value in headers if each == name)


def decoded(document: bytes) -> dict[str, Any]:
    """Return the document that these bytes are."""
    return bson.decode(document, _DECODED)


def fields_of(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each field by its path from the document; of JSON, signed or packed, those in it."""
    inner = _opened(value) if isinstance(value, str | bytes) else value
    if isinstance(inner, Mapping) and inner:
        for name, each in inner.items():
            yield from fields_of(each, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _opened(text: str | bytes) -> object:
    """Return what a text holds that is a JSON object, a JWS, or packed (zlib, in base64); else the text."""
    plain = text.encode() if isinstance(text, str) else text
    try:
        if plain.startswith(b"{"):
            return json.loads(plain)
        if plain.startswith(b"eyJ"):
            header, payload, signature = plain.split(b".")
            return {"header": _of_base64(header), "payload": _of_base64(payload), "signature": signature}
        return _opened(zlib.decompress(base64.b64decode(plain))) if plain.startswith(b"eJ") else text
    except (ValueError, zlib.error):
        return text


def _of_base64(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


@dataclass(frozen=True)
class Differing:
    """One field of one thing that is not the same; `WHOLE` and `ORDER` are such, too.

    Attributes:
        one: all fields of it in the undisturbed run; none where it is not there.
        other: all in the other.
    """

    place: str
    id: str
    field: str
    one: Fields
    other: Fields

    @property
    def mentioned(self) -> set[str]:
        """Everything that it names: its own id, and each value in it."""
        values = [*self.one.values(), *self.other.values()]
        lists = [each for value in values if isinstance(value, list) for each in value]
        return {self.id, *map(str, values), *map(str, lists)}

    def __str__(self) -> str:
        if self.field == WHOLE:
            return f"{self.place} {self.id} {'is not there' if self.one else 'is there, and was not'}"
        said = (str(each.get(self.field, "nothing"))[:60] for each in (self.one, self.other))
        return f"{self.place} {self.id}: {self.field} was {' and is '.join(said)}"


@dataclass
class Comparison:
    """What came of comparing: how much there was in each place, and everything in which it differs."""

    counts: dict[str, int] = field(default_factory=dict)
    differing: list[Differing] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what was compared, and how much of it is the same."""
        different = Counter(place for place, _ in {(each.place, each.id) for each in self.differing})
        return [
            f"{count:>9,}  {place}{f', {different[place]:,} differ' * bool(different[place])}"
            for place, count in self.counts.items()
            if count or different[place]
        ]


def compare(undisturbed: Everything, disturbed: Everything) -> Comparison:
    """Hold each thing in either against the other, byte for byte; where bytes differ, field by field."""
    found = Comparison()
    for place in sorted({*undisturbed.places, *disturbed.places}):
        one, other = (each.places.get(place, {}) for each in (undisturbed, disturbed))
        found.counts[place] = len(one)
        for id_ in sorted({*one, *other}):
            if one.get(id_) != other.get(id_):
                found.differing += _fields_that_differ(place, id_, one.get(id_), other.get(id_))
    return found


def _fields_that_differ(place: str, id_: str, one: bytes | None, other: bytes | None) -> Iterator[Differing]:
    left, right = ({} if each is None else dict(fields_of(decoded(each))) for each in (one, other))
    if one is None or other is None:
        names = [WHOLE]
    else:
        missing = object()
        names = [name for name in {**left, **right} if left.get(name, missing) != right.get(name, missing)] or [ORDER]
    return (Differing(place, id_, name, left, right) for name in names)
