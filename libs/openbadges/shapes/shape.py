"""One shape: does a document have it, and then its canonical digest by substitution."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import eq, itemgetter
from typing import Any, Final

from libs.openbadges.shapes.text import Cut, restore

Pick = Callable[[Sequence[bytes]], tuple[bytes, ...]]

LABELS: Final = tuple(b"_:c14n%d" % number for number in range(256))
"""Canonical names of blank nodes in the order in which they are given out."""


def picker(indexes: Sequence[int]) -> Pick:
    """Answer a function that picks these items as a tuple."""
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        only = indexes[0]
        return lambda items: (items[only],)
    getter: Any = itemgetter(*indexes)
    return getter  # type: ignore[no-any-return]  # itemgetter's type does not say that it answers a tuple


@dataclass(frozen=True, slots=True)
class Lines:
    """N-Quads with holes.

    Attributes:
        template: the lines, joined, a %b in each hole.
        holes: which value fills each hole.
        ordered: the lines stand in canonical order whatever fills the holes.
        repeats: how many lines repeat another, all of them without holes.
    """

    template: bytes
    holes: Pick
    ordered: bool
    repeats: int

    def statements(self, values: Sequence[bytes]) -> bytes:
        """Answer a document's statements in canonical order; two that became the same are one."""
        lines = (self.template % self.holes(values)).split(b"\n")
        lines.sort()
        if any(map(eq, lines, lines[1:])):
            lines = list(dict.fromkeys(lines))
        lines.append(b"")
        return b"\n".join(lines)

    def seen_by_node(self, values: Sequence[bytes]) -> bytes | None:
        """Answer a blank node's quads of the first degree in canonical order.

        To it, two statements about different blank nodes look the same and both count, while two that became the
        same count once. Where more lines repeat than the shape says, that is not told apart here: None.
        """
        filled = self.template % self.holes(values)
        if self.ordered:
            return filled + b"\n"
        lines = filled.split(b"\n")
        if len(lines) - len(set(lines)) != self.repeats:
            return None
        lines.sort()
        lines.append(b"")
        return b"\n".join(lines)


@dataclass(frozen=True, slots=True)
class Shape:
    """What all documents of one shape share.

    Attributes:
        constants: the keys and texts that mean something: terms, types, contexts, whatever is not a mere value.
        constants_of, values_of: pick those and the values out of a document's strings.
        identifiers_of: picks the values that are IRIs.
        identifiers: the pattern of those, joined by spaces: scheme as it was, rest such that nothing changes it.
        nodes: for each blank node its quads of the first degree, or the hash of them where nothing in them varies.
        quads: all quads; holes are values, then canonical names of the blank nodes.
        size: bytes that the shape takes, about.
    """

    constants: tuple[bytes, ...]
    constants_of: Pick
    values_of: Pick
    identifiers_of: Pick
    identifiers: re.Pattern[bytes] | None
    nodes: tuple[Lines | bytes, ...]
    quads: Lines
    size: int

    def digest(self, cut: Cut) -> bytes | None:
        """Answer SHA-256 of the canonical N-Quads, or None where the general algorithm must decide.

        That is so if the document differs in more than its values, if a value is empty or an identifier of
        another form, or if blank nodes cannot be told apart by their own quads.
        """
        if self.constants_of(cut.strings) != self.constants:
            return None
        values = self.values_of(cut.strings)
        if not all(values):
            return None
        if self.identifiers is not None and self.identifiers.fullmatch(b" ".join(self.identifiers_of(values))) is None:
            return None
        if cut.escaped:
            values = restore(values)
        if self.nodes:
            hashes = self.node_hashes(values)
            if hashes is None:
                return None
            names = dict(zip(sorted(hashes), LABELS, strict=False))
            if len(names) != len(hashes):
                return None
            values += tuple(map(names.__getitem__, hashes))
        return hashlib.sha256(self.quads.statements(values)).digest()

    def node_hashes(self, values: Sequence[bytes]) -> list[bytes] | None:
        """Answer the hash of each blank node's quads of the first degree; None where a node's cannot be told."""
        hashes = []
        for node in self.nodes:
            if isinstance(node, bytes):
                hashes.append(node)
            else:
                seen = node.seen_by_node(values)
                if seen is None:
                    return None
                hashes.append(hashlib.sha256(seen).digest())
        return hashes
