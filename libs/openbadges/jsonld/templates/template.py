"""One template: from the values of a document to its canonical digests, RDF and JSON, by substitution."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from libs.openbadges.jsonld.templates.matchers import Pick, Values, picker

LABELS: Final = tuple(b"_:c14n%d" % number for number in range(256))
"""Canonical names of blank nodes in the order in which they are given out."""


BETWEEN: Final = b"\0"
"""What stands between subjects, and nowhere within: no value holds a control character."""

MOST_ORDERS: Final = 32
"""Orders of blocks that a template remembers."""


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A text with holes, filled by `text % holes(values)`; that stands where it is done, since a call costs as much.

    Attributes:
        text: a %b in each hole.
        holes: picks what fills the holes.
    """

    text: bytes
    holes: Pick


@dataclass(frozen=True, slots=True)
class NodeLines:
    """What a blank node sees: its quads of the first degree (RDFC-1.0, section 4.6).

    Attributes:
        node: its number among the blank nodes.
        template: the lines, each with its end.
        ordered: the lines stand in canonical order whatever fills the holes.
        repeats: how many lines repeat another, all of them without holes.
    """

    node: int
    template: TextTemplate
    ordered: bool
    repeats: int

    def in_order(self, filled: bytes) -> bytes | None:
        """Put the lines in canonical order.

        To the node, two statements about different blank nodes look the same and both count, while two that became
        the same count once. Where more lines repeat than the template says, that is not told apart here: None.
        """
        lines = filled.splitlines(keepends=True)
        if len(lines) - len(set(lines)) != self.repeats:
            return None
        lines.sort()
        return b"".join(lines)


@dataclass(frozen=True, slots=True)
class Block:
    """The quads of one subject.

    Attributes:
        text: the lines, each with its end, and a %b in each hole.
        holes: which value fills each hole: the values, then canonical names of the blank nodes.
    """

    text: bytes
    holes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """All quads of a document: those that nearly always come first and never vary, hashed already, and the others.

    Lines of two subjects compare as the subjects do, since no name of one is the beginning of another's: so blocks
    are put in order, not lines, as long as no two blocks come to have the same subject.

    Attributes:
        first: the first lines in order, each with its end.
        hashed: SHA-256 of them, under way.
        blocks: the others by subject.
        subjects: of each block, BETWEEN between them.
        ordered: the lines within each block stand in canonical order whatever fills the holes, and no two can become
            the same.
        orders: the blocks as one text, for each order in which they were met.
    """

    first: tuple[bytes, ...]
    hashed: Any
    blocks: tuple[Block, ...]
    subjects: TextTemplate
    ordered: bool
    orders: dict[tuple[int, ...], TextTemplate] = field(default_factory=dict)

    def hash(self, values: Sequence[bytes]) -> bytes:
        """Return SHA-256 of all in canonical order; two that became the same are one."""
        subjects = (self.subjects.text % self.subjects.holes(values)).split(BETWEEN)
        order = tuple(sorted(range(len(subjects)), key=subjects.__getitem__))
        template = self.orders.get(order) or self._in(order)
        text = template.text % template.holes(values)
        last = self.first[-1] if self.first else b""
        # A block that begins with the last of the first lines says it again, and sorts behind it all the same.
        if not self.ordered or len(set(subjects)) < len(subjects) or text[: len(last)] <= last:
            return hashlib.sha256(_in_order(b"".join((*self.first, text)))).digest()
        whole = self.hashed.copy()
        whole.update(text)
        digest: bytes = whole.digest()
        return digest

    def _in(self, order: tuple[int, ...]) -> TextTemplate:
        """Put the blocks in an order, and remember that, if it is one of few."""
        blocks = [self.blocks[number] for number in order]
        made = TextTemplate(
            b"".join(block.text for block in blocks), picker([hole for block in blocks for hole in block.holes])
        )
        if len(self.orders) < MOST_ORDERS:
            self.orders[order] = made
        return made


def _in_order(text: bytes) -> bytes:
    """Put lines in canonical order, each once."""
    return b"".join(sorted(set(text.splitlines(keepends=True))))


@dataclass(frozen=True, slots=True)
class Template:
    """What all documents of one template share.

    Attributes:
        hashed_nodes: for each blank node the hash of the lines that it sees, or nothing where something in them varies.
        nodes: those where it does.
        statements: all quads.
        json: the document in JCS.
        size: bytes that the template takes, about.
    """

    hashed_nodes: tuple[bytes, ...]
    nodes: tuple[NodeLines, ...]
    statements: Statements
    json: TextTemplate
    size: int

    def rdf_hash(self, values: Values) -> bytes | None:
        """Return SHA-256 of the canonical N-Quads, or None where the general algorithm must decide.

        That is so if blank nodes cannot be told apart by their own quads.
        """
        if self.hashed_nodes:
            hashes = self.node_hashes(values)
            if hashes is None:
                return None
            names = dict(zip(sorted(hashes), LABELS, strict=False))
            if len(names) != len(hashes):
                return None
            values += tuple(map(names.__getitem__, hashes))
        return self.statements.hash(values)

    def node_hashes(self, values: Values) -> list[bytes] | None:
        """Return the hash of each blank node's quads of the first degree; None where a node's cannot be told."""
        hashes = list(self.hashed_nodes)
        for lines in self.nodes:
            template = lines.template
            seen = template.text % template.holes(values)
            filled = seen if lines.ordered else lines.in_order(seen)
            if filled is None:
                return None
            hashes[lines.node] = hashlib.sha256(filled).digest()
        return hashes

    def json_hash(self, values: Values) -> bytes:
        """Return SHA-256 of the document in JCS: JSON as orjson writes it, JCS and N-Quads escape the values alike."""
        return hashlib.sha256(self.json.text % self.json.holes(values)).digest()
