"""The slots of a document whose texts may be mere values, and a copy of it with a placeholder at each."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from libs.openbadges.jsonld.contexts import CONTEXTS
from libs.openbadges.jsonld.templates.matchers import ABSOLUTE, Form
from libs.openbadges.model.bundled import BUNDLED


def _constant_keys() -> frozenset[str]:
    """Find the keys whose values are words of the vocabulary, not values: types, and terms read as vocabulary."""

    def walk(node: Any) -> Iterator[str]:
        for key, definition in node.items():
            if definition == "@type":
                yield key
            elif isinstance(definition, dict):
                if definition.get("@id") == "@type" or definition.get("@type") in {"@vocab", "@json"}:
                    yield key
                yield from walk(definition)
            elif isinstance(definition, list):
                for one in definition:
                    if isinstance(one, dict):
                        yield from walk(one)

    return frozenset(key for url in CONTEXTS for key in walk(orjson.loads(BUNDLED[url].text)))


CONSTANT_KEYS: Final = _constant_keys()


@dataclass(slots=True)
class Slot:
    """A text in the document that may be a mere value.

    Attributes:
        index: which of the document's strings it is.
        scheme: an IRI's scheme, with // where it has it; empty for other texts.
        token: what stands in for the text, or for what follows the scheme.
        kind: what it became in RDF, identifier or literal; None while it was not seen there.
    """

    index: int
    scheme: str
    token: str
    kind: str | None = None

    @property
    def form(self) -> Form:
        """What a value here must be like."""
        return Form(self.index, self.scheme.encode() if self.kind == "identifier" else None)

    @property
    def placeholder(self) -> str:
        """The text that the library sees in place of the document's."""
        return self.scheme + self.token


class PlaceholderVisitor:
    """Visits a document in the order of its JSON text and copies it with placeholders for what may vary."""

    def __init__(self, nonce: str, only: Collection[int] | None = None) -> None:
        self.nonce = nonce
        self.only = only
        self.slots: list[Slot] = []
        self.constants: list[str] = []
        self._count = 0

    def copy(self, node: Any, key: str | None = None, *, constant: bool = False) -> Any:
        """Copy a part of the document; `key` is the name under which it stands, also through lists."""
        if isinstance(node, dict):
            copied = {}
            for name, value in node.items():
                self._keep(name)
                copied[name] = self.copy(value, name, constant=constant or name == "@context")
            return copied
        if isinstance(node, list):
            return [self.copy(value, key, constant=constant) for value in node]
        if not isinstance(node, str):
            return node
        if constant or not _varies(key, node) or (self.only is not None and self._count not in self.only):
            self._keep(node)
            return node
        match = ABSOLUTE.match(node.encode())
        slot = Slot(self._count, match[1].decode() if match else "", f"{self.nonce}v{len(self.slots):05d}")
        self.slots.append(slot)
        self._count += 1
        return slot.placeholder

    @property
    def by_token(self) -> dict[str, Slot]:
        """The slots by what stands in for them."""
        return {slot.token: slot for slot in self.slots}

    def _keep(self, text: str) -> None:
        self.constants.append(text)
        self._count += 1


def _varies(key: str | None, text: str) -> bool:
    """Return whether a text under this key may be a mere value; an empty one never is."""
    return bool(text) and (key in {"@id", "@value"} or not (key is None or key in CONSTANT_KEYS or key.startswith("@")))


def structure(document: dict[str, Any], skeleton: bytes) -> bytes:
    """Return a digest of all that a template of this document would hold constant; cheap beside deriving one."""
    visitor = PlaceholderVisitor("")
    visitor.copy(document)
    schemes = [slot.scheme for slot in visitor.slots]
    return hashlib.blake2b(skeleton + orjson.dumps([visitor.constants, schemes]), digest_size=16).digest()
