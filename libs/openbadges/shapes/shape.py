"""One shape: from the values of a document to its canonical digests, RDF and JSON, by substitution."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from libs.openbadges.shapes.guard import Pick, Values

LABELS: Final = tuple(b"_:c14n%d" % number for number in range(256))
"""Canonical names of blank nodes in the order in which they are given out."""


BETWEEN: Final = b"\0"
"""What stands between blocks of statements, and nowhere within: no value holds a control character."""


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
        template: the lines, each with its end.
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
            lines = filled.splitlines(keepends=True)
            if len(lines) - len(set(lines)) != self.repeats:
                return None
            lines.sort()
            filled = b"".join(lines)
        return hashlib.sha256(filled).digest()


@dataclass(frozen=True, slots=True)
class Statements:
    """All quads of a document: those that nearly always come first and never vary, hashed already, and the others.

    The others stand in blocks, one to a subject. Lines of two subjects compare as the subjects do, since no name of
    one is the beginning of another's: so blocks are put in order, not lines, as long as no two blocks come to have the
    same subject.

    Attributes:
        first: the first lines in order, each with its end.
        hashed: SHA-256 of them, under way.
        blocks: the others, each with its end, and BETWEEN between blocks; holes are values, then canonical names of
            the blank nodes.
        unordered: which blocks' lines can come to stand in another order, or to be the same.
        subjects: which values are the subjects of blocks.
        named: subjects that do not vary.
    """

    first: tuple[bytes, ...]
    hashed: Any
    blocks: Template
    unordered: tuple[int, ...]
    subjects: Pick
    named: frozenset[bytes]

    def hash(self, values: Sequence[bytes]) -> bytes:
        """Answer SHA-256 of all in canonical order; two that became the same are one."""
        texts = self.blocks.fill(values).split(BETWEEN)
        for block in self.unordered:
            texts[block] = _in_order(texts[block])
        texts.sort()
        subjects = self.subjects(values)
        names = set(subjects)
        apart = len(names) == len(subjects) and names.isdisjoint(self.named)
        # A block that begins with the last of the first lines says it again, and sorts behind it all the same.
        if not apart or (self.first and texts[0][: len(self.first[-1])] <= self.first[-1]):
            return hashlib.sha256(_in_order(b"".join((*self.first, *texts)))).digest()
        whole = self.hashed.copy()
        whole.update(b"".join(texts))
        digest: bytes = whole.digest()
        return digest


def _in_order(text: bytes) -> bytes:
    """Put lines in canonical order, each once."""
    return b"".join(sorted(set(text.splitlines(keepends=True))))


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
