"""A dataset with placeholders as N-Quads with holes: each slot marked with what its placeholder became."""

import re
from dataclasses import dataclass

from pyld.nquads import serialize_nquad

from libs.openbadges.jsonld.rdf import XSD, Dataset
from libs.openbadges.jsonld.templates.placeholders import PlaceholderVisitor, Slot


class UnderivableError(Exception):
    """The document has no template that substitution could serve; the general algorithm has to do."""


@dataclass(slots=True)
class Hole:
    """A gap in a line: a value's slot, or a blank node by its number."""

    slot: Slot | None = None
    node: int = -1


Line = list[bytes | Hole]
"""A quad in N-Quads, constant parts and holes."""


@dataclass(slots=True)
class Quad:
    """A quad as a line, and as each of its blank nodes sees it (RDFC-1.0, section 4.6)."""

    line: Line
    seen_by: dict[int, Line]


def quads_of(dataset: Dataset, visitor: PlaceholderVisitor) -> tuple[list[Quad], list[str]]:
    """Read the quads off, marking each slot with what its placeholder became; name the blank nodes by number.

    Raises:
        UnderivableError: a placeholder came out as anything but a whole identifier or a whole literal.
    """
    slots = {slot.placeholder: slot for slot in visitor.slots}
    by_token = visitor.by_token
    nodes: dict[str, int] = {}
    quads = []
    for name, triples in dataset.items():
        graph = {} if name == "@default" else {"name": _term(name)}
        for triple in triples:
            quad = {**triple, **graph}
            for component in quad.values():
                _mark(component, slots, visitor.nonce)
            blanks = {
                position: nodes.setdefault(component["value"], len(nodes))
                for position, component in quad.items()
                if component["type"] == "blank node"
            }
            line = _line(quad, {position: f"_:{visitor.nonce}b{node:05d}" for position, node in blanks.items()})
            seen = {
                node: _line(quad, {position: "_:a" if other == node else "_:z" for position, other in blanks.items()})
                for node in set(blanks.values())
            }
            quads.append(
                Quad(
                    holes(split_at_placeholders(line, visitor.nonce), by_token),
                    {node: holes(split_at_placeholders(text, visitor.nonce), by_token) for node, text in seen.items()},
                )
            )
    return quads, list(nodes)


def _term(name: str) -> dict[str, str]:
    return {"type": "blank node" if name.startswith("_:") else "IRI", "value": name}


def _mark(component: dict[str, str], slots: dict[str, Slot], nonce: str) -> None:
    for part in ("datatype", "language"):
        if nonce in component.get(part, ""):
            raise UnderivableError("A text became a datatype or a language.")
    if nonce not in component["value"]:
        return
    slot = slots.get(component["value"])
    if slot is None or component.get("datatype") == XSD + "double":
        raise UnderivableError("A text comes out changed.")
    kind = "literal" if component["type"] == "literal" else "identifier"
    if component["type"] == "blank node" or slot.kind not in {None, kind} or (kind, slot.scheme) == ("identifier", ""):
        raise UnderivableError("A text became a blank node, or two things.")
    slot.kind = kind


def _line(quad: dict[str, dict[str, str]], names: dict[str, str]) -> str:
    """Write a quad as the library does, blank nodes by the names given."""
    renamed = {
        position: {**component, "value": names[position]} if position in names else component
        for position, component in quad.items()
    }
    text: str = serialize_nquad(renamed)
    return text.removesuffix("\n")


def holes(parts: list[str], by_token: dict[str, Slot]) -> Line:
    """Turn a line, split at its placeholders, into constant parts and holes; a scheme goes into the hole."""
    line: Line = [parts[0].encode()]
    for mark, constant in zip(parts[1::2], parts[2::2], strict=True):
        if mark in by_token:
            slot = by_token[mark]
            before = line[-1]
            if not isinstance(before, bytes) or not before.endswith(slot.scheme.encode()):
                raise UnderivableError("A scheme came out changed.")
            line[-1] = before.removesuffix(slot.scheme.encode())
            line.append(Hole(slot=slot))
        else:
            line.append(Hole(node=int(mark[-5:])))
        line.append(constant.encode())
    return line


def split_at_placeholders(text: str, nonce: str) -> list[str]:
    """Split a text at its placeholders, and at the placeholders for names of blank nodes."""
    return re.split(f"((?:_:)?{nonce}[vb][0-9]{{5}})", text)
