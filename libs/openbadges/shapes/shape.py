"""One shape: from the values of a document to its canonical digests, RDF and JSON, by substitution."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq
from typing import Any, Final

from libs.openbadges.shapes.guard import Pick, Values

LABELS: Final = tuple(b"_:c14n%d" % number for number in range(256))
"""Canonical names of blank nodes in the order in which they are given out."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes.

    Attributes:
        text: a %b in each hole.
        holes: which value fills each hole.
    """

    text: bytes
    holes: Pick

    def fill(self, values: Sequence[bytes]) -> bytes:
        """Fill the holes."""
        return self.text % self.holes(values)


@dataclass(frozen=True, slots=True)
class NodeLines:
    """What a blank node sees: its quads of the first degree (RDFC-1.0, section 4.6).

    Attributes:
        template: the lines, joined.
        ordered: the lines stand in canonical order whatever fills the holes.
        repeats: how many lines repeat another, all of them without holes.
    """

    template: Template
    ordered: bool
    repeats: int

    def hash(self, values: Sequence[bytes]) -> bytes | None:
        """Answer the hash of these quads in canonical order.

        To the node, two statements about different blank nodes look the same and both count, while two that became
        the same count once. Where more lines repeat than the shape says, that is not told apart here: None.
        """
        filled = self.template.fill(values)
        if not self.ordered:
            lines = filled.split(b"\n")
            if len(lines) - len(set(lines)) != self.repeats:
                return None
            lines.sort()
            filled = b"\n".join(lines)
        return hashlib.sha256(filled + b"\n").digest()


@dataclass(frozen=True, slots=True)
class Statements:
    """All quads of a document: those that nearly always come first and never vary, hashed already, and the others.

    Attributes:
        first: the first ones in order.
        hashed: SHA-256 of them, under way.
        others: the other lines, joined; holes are values, then canonical names of the blank nodes.
    """

    first: tuple[bytes, ...]
    hashed: Any
    others: Template

    def hash(self, values: Sequence[bytes]) -> bytes:
        """Answer SHA-256 of all in canonical order; two that became the same are one."""
        lines = self.others.fill(values).split(b"\n")
        lines.sort()
        whole = self.hashed.copy()
        if self.first and lines[0] <= self.first[-1]:
            lines = sorted([*self.first, *lines])
            whole = hashlib.sha256()
        if any(map(eq, lines, lines[1:])):
            lines = list(dict.fromkeys(lines))
        lines.append(b"")
        whole.update(b"\n".join(lines))
        digest: bytes = whole.digest()
        return digest


@dataclass(frozen=True, slots=True)
class Shape:
    """What all documents of one shape share.

    Attributes:
        nodes: for each blank node the lines that it sees, or the hash of them where nothing in them varies.
        statements: all quads.
        json: the document in JCS.
        size: bytes that the shape takes, about.
    """

    nodes: tuple[NodeLines | bytes, ...]
    statements: Statements
    json: Template
    size: int

    def rdf_hash(self, values: Values) -> bytes | None:
        """Answer SHA-256 of the canonical N-Quads, or None where the general algorithm must decide.

        That is so if blank nodes cannot be told apart by their own quads.
        """
        if self.nodes:
            hashes = self.node_hashes(values)
            if hashes is None:
                return None
            names = dict(zip(sorted(hashes), LABELS, strict=False))
            if len(names) != len(hashes):
                return None
            values += tuple(map(names.__getitem__, hashes))
        return self.statements.hash(values)

    def node_hashes(self, values: Values) -> list[bytes] | None:
        """Answer the hash of each blank node's quads of the first degree; None where a node's cannot be told."""
        hashes = []
        for node in self.nodes:
            found = node if isinstance(node, bytes) else node.hash(values)
            if found is None:
                return None
            hashes.append(found)
        return hashes

    def json_hash(self, values: Values) -> bytes:
        """Answer SHA-256 of the document in JCS: JSON as orjson writes it, JCS and N-Quads escape the values alike."""
        return hashlib.sha256(self.json.fill(values)).digest()
