"""Deriving a shape: the library runs once over the document with a stand-in at every place that might vary."""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, Final

import orjson
from pyld.nquads import serialize_nquad

from libs.openbadges import jcs
from libs.openbadges.canonical import to_dataset
from libs.openbadges.contexts import CARRIED, CONTEXTS
from libs.openbadges.errors import CredentialError
from libs.openbadges.rdf import XSD, Dataset
from libs.openbadges.rdfc import Canonical, serialize
from libs.openbadges.shapes.guard import ABSOLUTE, Form, Values, picker
from libs.openbadges.shapes.shape import LABELS, Block, NodeLines, Shape, Statements, Template
from libs.openbadges.shapes.text import Cut, cut, restore


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

    return frozenset(key for url in CONTEXTS for key in walk(orjson.loads(CARRIED[url].text)))


CONSTANT_KEYS: Final = _constant_keys()


class UnderivableError(Exception):
    """The document has no shape that substitution could serve; the general algorithm has to do."""


@dataclass(slots=True)
class Place:
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
    def stand_in(self) -> str:
        """The text that the library sees in place of the document's."""
        return self.scheme + self.token


class _Walk:
    """A walk over a document in the order of its JSON text, copying it with stand-ins for what may vary."""

    def __init__(self, nonce: str, only: Collection[int] | None = None) -> None:
        self.nonce = nonce
        self.only = only
        self.places: list[Place] = []
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
        place = Place(self._count, match[1].decode() if match else "", f"{self.nonce}v{len(self.places):05d}")
        self.places.append(place)
        self._count += 1
        return place.stand_in

    @property
    def by_token(self) -> dict[str, Place]:
        """The places by what stands in for them."""
        return {place.token: place for place in self.places}

    def _keep(self, text: str) -> None:
        self.constants.append(text)
        self._count += 1


def _varies(key: str | None, text: str) -> bool:
    """Tell whether a text under this key may be a mere value; an empty one never is."""
    return bool(text) and (key in {"@id", "@value"} or not (key is None or key in CONSTANT_KEYS or key.startswith("@")))


def structure(document: dict[str, Any], skeleton: bytes) -> bytes:
    """Answer a digest of all that a shape of this document would hold constant; cheap beside deriving one."""
    walk = _Walk("")
    walk.copy(document)
    schemes = [place.scheme for place in walk.places]
    return hashlib.blake2b(skeleton + orjson.dumps([walk.constants, schemes]), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Derived:
    """A shape and the forms of its values, from which a guard is made."""

    shape: Shape
    forms: tuple[Form, ...]


def derive(document: dict[str, Any], pieces: Cut, expected: bytes, only: Collection[int] | None = None) -> Derived:
    """Derive the shape of a document whose digest is known from the general algorithm.

    The library runs once more, on the document with stand-ins; where those come out says what each place means.
    The shape is given out only if it answers, for both, what the library answers.

    Args:
        document: a document that the general algorithm has taken.
        pieces: its text, cut.
        expected: SHA-256 of its canonical N-Quads.
        only: which of its strings may vary, by their numbers; without it, all that can.

    Raises:
        UnderivableError: a stand-in came out changed, or not all comes out equal.
    """
    # A document cannot hold a part of its own digest, so no text of it can be mistaken for a stand-in.
    walk = _Walk("x" + hashlib.sha256(orjson.dumps(document)).hexdigest()[:24], only)
    replaced = walk.copy(document)
    other = cut(orjson.dumps(replaced))
    if other is None or not _aligned(pieces, other, walk.places):
        raise UnderivableError("The document's strings are not where they are expected.")
    try:
        dataset = to_dataset(replaced)
        quads, nodes = _quads(dataset, walk)
        canonical = serialize(dataset)
        json = _holes(_split(jcs.canonicalize(replaced).decode(), walk.nonce), walk.by_token)
    except CredentialError as error:
        raise UnderivableError(str(error)) from error
    stated = [place.index for place in walk.places if place.kind is not None]
    if len(stated) < len(walk.places):
        # What RDF does not state for itself is left as it is.
        return derive(document, pieces, expected, only=stated)
    strings = restore(pieces.strings)
    values = tuple(strings[place.index] for place in walk.places)
    shape = _build(values, walk.places, quads, json)
    whole = hashlib.sha256(jcs.canonicalize(document)).digest()
    # Built anew, since stand-ins may come in another order than the document's values.
    other_way = _build(tuple(place.stand_in.encode() for place in walk.places), walk.places, quads, json)
    if (
        shape.rdf_hash(values) != expected
        or shape.json_hash(values) != whole
        or not _agrees(other_way, walk.places, canonical, nodes)
    ):
        raise UnderivableError("Substitution does not give what the library gives.")
    return Derived(shape, tuple(place.form for place in walk.places))


def _agrees(shape: Shape, places: list[Place], canonical: Canonical, nodes: list[str]) -> bool:
    """Tell whether the shape finds for the stand-ins what the library found, blank node by blank node."""
    stand_ins = tuple(place.stand_in.encode() for place in places)
    hashes = [bytes.fromhex(canonical.hashes[node]) for node in nodes]
    digest = hashlib.sha256(canonical.text.encode()).digest()
    return shape.node_hashes(stand_ins) == hashes and shape.rdf_hash(stand_ins) == digest


def _aligned(pieces: Cut, other: Cut, places: list[Place]) -> bool:
    """Tell whether the two texts differ exactly where stand-ins were put."""
    strings = list(restore(pieces.strings))
    if pieces.skeleton != other.skeleton or len(strings) != len(other.strings):
        return False
    for place in places:
        strings[place.index] = place.stand_in.encode()
    return strings == list(restore(other.strings))


def _split(text: str, nonce: str) -> list[str]:
    """Split a text at its stand-ins, and at the stand-ins for names of blank nodes."""
    return re.split(f"((?:_:)?{nonce}[vb][0-9]{{5}})", text)


@dataclass(slots=True)
class Hole:
    """A gap in a line: a value's place, or a blank node by its number."""

    place: Place | None = None
    node: int = -1


Line = list[bytes | Hole]
"""A quad in N-Quads, constant parts and holes."""


@dataclass(slots=True)
class Quad:
    """A quad as a line, and as each of its blank nodes sees it (RDFC-1.0, section 4.6)."""

    line: Line
    seen_by: dict[int, Line]


def _quads(dataset: Dataset, walk: _Walk) -> tuple[list[Quad], list[str]]:
    """Read the quads off, marking each place with what its stand-in became; name the blank nodes by number.

    Raises:
        UnderivableError: a stand-in came out as anything but a whole identifier or a whole literal.
    """
    places = {place.stand_in: place for place in walk.places}
    tokens = walk.by_token
    nodes: dict[str, int] = {}
    quads = []
    for name, triples in dataset.items():
        graph = {} if name == "@default" else {"name": _term(name)}
        for triple in triples:
            quad = {**triple, **graph}
            for component in quad.values():
                _mark(component, places, walk.nonce)
            blanks = {
                position: nodes.setdefault(component["value"], len(nodes))
                for position, component in quad.items()
                if component["type"] == "blank node"
            }
            line = _line(quad, {position: f"_:{walk.nonce}b{node:05d}" for position, node in blanks.items()})
            seen = {
                node: _line(quad, {position: "_:a" if other == node else "_:z" for position, other in blanks.items()})
                for node in set(blanks.values())
            }
            quads.append(
                Quad(
                    _holes(_split(line, walk.nonce), tokens),
                    {node: _holes(_split(text, walk.nonce), tokens) for node, text in seen.items()},
                )
            )
    return quads, list(nodes)


def _term(name: str) -> dict[str, str]:
    return {"type": "blank node" if name.startswith("_:") else "IRI", "value": name}


def _mark(component: dict[str, str], places: dict[str, Place], nonce: str) -> None:
    for part in ("datatype", "language"):
        if nonce in component.get(part, ""):
            raise UnderivableError("A text became a datatype or a language.")
    if nonce not in component["value"]:
        return
    place = places.get(component["value"])
    if place is None or component.get("datatype") == XSD + "double":
        raise UnderivableError("A text comes out changed.")
    kind = "literal" if component["type"] == "literal" else "identifier"
    if (
        component["type"] == "blank node"
        or place.kind not in {None, kind}
        or (kind, place.scheme) == ("identifier", "")
    ):
        raise UnderivableError("A text became a blank node, or two things.")
    place.kind = kind


def _line(quad: dict[str, dict[str, str]], names: dict[str, str]) -> str:
    """Write a quad as the library does, blank nodes by the names given."""
    renamed = {
        position: {**component, "value": names[position]} if position in names else component
        for position, component in quad.items()
    }
    text: str = serialize_nquad(renamed)
    return text.removesuffix("\n")


def _holes(parts: list[str], tokens: dict[str, Place]) -> Line:
    """Turn a line, split at its stand-ins, into constant parts and holes; a scheme goes into the hole."""
    line: Line = [parts[0].encode()]
    for mark, constant in zip(parts[1::2], parts[2::2], strict=True):
        if mark in tokens:
            place = tokens[mark]
            before = line[-1]
            if not isinstance(before, bytes) or not before.endswith(place.scheme.encode()):
                raise UnderivableError("A scheme came out changed.")
            line[-1] = before.removesuffix(place.scheme.encode())
            line.append(Hole(place=place))
        else:
            line.append(Hole(node=int(mark[-5:])))
        line.append(constant.encode())
    return line


def _build(sample: Values, places: list[Place], quads: list[Quad], json: Line) -> Shape:
    """Put a shape together from the places, the quads with their holes, and the JSON with its holes."""
    numbers = {id(place): number for number, place in enumerate(places)}
    seen: dict[int, list[Line]] = {}
    for quad in quads:
        for node, line in quad.seen_by.items():
            seen.setdefault(node, []).append(line)
    if len(seen) > len(LABELS):
        raise UnderivableError("The document has too many blank nodes.")

    def as_in_sample(line: Line) -> bytes:
        return b"".join(
            part if isinstance(part, bytes) else b"_:" if part.place is None else sample[numbers[id(part.place)]]
            for part in line
        )

    nodes = tuple(_node(sorted(seen[node], key=as_in_sample), numbers) for node in sorted(seen))
    statements = _statements(sorted((quad.line for quad in quads), key=as_in_sample), numbers)
    whole = _template([json], numbers)
    texts = [
        whole,
        *(block.template for block in statements.blocks),
        *(one.template for one in nodes if isinstance(one, NodeLines)),
    ]
    size = sum(len(one.text) + 16 * len(places) for one in texts) + sum(map(len, statements.first)) + 1024
    return Shape(nodes, statements, whole, size)


def _node(lines: list[Line], numbers: dict[int, int]) -> NodeLines | bytes:
    """Order what a blank node sees as in the sample, or hash it now if nothing in it varies."""
    ordered = all(
        _certainly_before(one, other) or (len(one) == len(other) == 1 and one <= other)
        for one, other in pairwise(lines)
    )
    whole = [line[0] for line in lines if len(line) == 1]
    made = NodeLines(_template(lines, numbers), ordered, repeats=len(whole) - len(set(whole)))
    return made if len(whole) < len(lines) else made.hash(()) or b""


def _statements(lines: list[Line], numbers: dict[int, int]) -> Statements:
    """Put statements together by subject; hash now what comes first in the sample and never varies."""
    first = tuple(
        line[0] + b"\n" for line in takewhile(lambda line: len(line) == 1, lines[:-1]) if isinstance(line[0], bytes)
    )
    by_subject: dict[bytes | int, list[Line]] = {}
    for line in lines[len(first) :]:
        by_subject.setdefault(_subject(line, numbers), []).append(line)
    subjects = [subject for subject in by_subject if isinstance(subject, int)]
    return Statements(
        first,
        hashlib.sha256(b"".join(first)),
        tuple(_block(subject, about, numbers) for subject, about in by_subject.items()),
        picker(subjects),
        # As a value is written, without the brackets of an IRI.
        frozenset(subject.strip(b"<>") for subject in by_subject if isinstance(subject, bytes)),
    )


def _subject(line: Line, numbers: dict[int, int]) -> bytes | int:
    """Answer a line's subject: itself if it never varies, else which value it is."""
    beginning = line[0]
    assert isinstance(beginning, bytes)  # noqa: S101  for mypy: a line begins with a constant part
    if b" " in beginning:
        return beginning.partition(b" ")[0]
    hole = line[1]
    assert isinstance(hole, Hole)  # noqa: S101  for mypy: parts and holes take turns
    return _number(hole, numbers)


def _block(subject: bytes | int, lines: list[Line], numbers: dict[int, int]) -> Block:
    """Make the block of one subject; what its lines have in common at the beginning does not order them."""
    common = 0 if isinstance(subject, bytes) else 2
    ordered = all(_certainly_before(one[common:], other[common:]) for one, other in pairwise(lines))
    return Block(_template([*lines, [b""]], numbers), ordered)


def _number(hole: Hole, numbers: dict[int, int]) -> int:
    """Answer which of the values, with the names of blank nodes behind them, fills a hole."""
    return numbers[id(hole.place)] if hole.place is not None else len(numbers) + hole.node


def _template(lines: list[Line], numbers: dict[int, int]) -> Template:
    """Write lines as one text with holes."""
    text = b"\n".join(
        b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in line) for line in lines
    )
    holes = [_number(part, numbers) for line in lines for part in line if isinstance(part, Hole)]
    return Template(text, picker(holes))


def _certainly_before(one: Line, other: Line) -> bool:
    """Tell whether a line sorts before another whatever fills their holes: by their beginnings."""
    first, second = _beginning(one), _beginning(other)
    shorter = min(len(first), len(second))
    return first[:shorter] < second[:shorter]


def _beginning(line: Line) -> bytes:
    """Answer how a line certainly begins; what fills a blank node's hole is its name."""
    constant = line[0]
    assert isinstance(constant, bytes)  # noqa: S101  for mypy: a line begins with a constant part
    hole = line[1] if len(line) > 1 else None
    return constant + b"_:" if isinstance(hole, Hole) and hole.place is None else constant
