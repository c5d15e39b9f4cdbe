"""Deriving a template: the library runs once over the document with a placeholder at every slot that might vary."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import orjson

from libs.openbadges.jsonld import jcs
from libs.openbadges.jsonld.canonical import to_dataset
from libs.openbadges.jsonld.rdfc import Canonical, serialize
from libs.openbadges.jsonld.templates.lines import (
    Hole,
    Line,
    Quad,
    UnderivableError,
    holes,
    quads_of,
    split_at_placeholders,
)
from libs.openbadges.jsonld.templates.matchers import Form, Values, picker
from libs.openbadges.jsonld.templates.placeholders import PlaceholderVisitor, Slot
from libs.openbadges.jsonld.templates.template import (
    BETWEEN,
    LABELS,
    MOST_ORDERS,
    Block,
    NodeLines,
    Statements,
    Template,
    TextTemplate,
)
from libs.openbadges.jsonld.templates.tokens import Tokens, restore, tokenize
from libs.openbadges.model.errors import CredentialError


@dataclass(frozen=True, slots=True)
class Derivation:
    """A template and the forms of its values, from which a matcher is made."""

    template: Template
    forms: tuple[Form, ...]


def derive(
    document: dict[str, Any], tokens: Tokens, expected: bytes, only: Collection[int] | None = None
) -> Derivation:
    """Derive the template of a document whose digest is known from the general algorithm.

    The library runs once more, on the document with placeholders; where those come out says what each slot means.
    The template is given out only if it answers, for both, what the library answers.

    Args:
        document: a document that the general algorithm has taken.
        tokens: its text, tokenized.
        expected: SHA-256 of its canonical N-Quads.
        only: which of its strings may vary, by their numbers; without it, all that can.

    Raises:
        UnderivableError: a placeholder came out changed, or not all comes out equal.
    """
    # A document cannot hold a part of its own digest, so no text of it can be mistaken for a placeholder.
    visitor = PlaceholderVisitor("x" + hashlib.sha256(orjson.dumps(document)).hexdigest()[:24], only)
    replaced = visitor.copy(document)
    other = tokenize(orjson.dumps(replaced))
    if other is None or not _aligned(tokens, other, visitor.slots):
        raise UnderivableError("The document's strings are not where they are expected.")
    try:
        dataset = to_dataset(replaced)
        quads, nodes = quads_of(dataset, visitor)
        canonical = serialize(dataset)
        json = holes(split_at_placeholders(jcs.canonicalize(replaced).decode(), visitor.nonce), visitor.by_token)
    except CredentialError as error:
        raise UnderivableError(str(error)) from error
    stated = [slot.index for slot in visitor.slots if slot.kind is not None]
    if len(stated) < len(visitor.slots):
        # What RDF does not state for itself is left as it is.
        return derive(document, tokens, expected, only=stated)
    strings = restore(tokens.strings)
    values = tuple(strings[slot.index] for slot in visitor.slots)
    template = _build(values, visitor.slots, quads, json)
    whole = hashlib.sha256(jcs.canonicalize(document)).digest()
    # Built anew, since placeholders may come in another order than the document's values.
    other_way = _build(tuple(slot.placeholder.encode() for slot in visitor.slots), visitor.slots, quads, json)
    if (
        template.rdf_hash(values) != expected
        or template.json_hash(values) != whole
        or not _agrees(other_way, visitor.slots, canonical, nodes)
    ):
        raise UnderivableError("Substitution does not give what the library gives.")
    return Derivation(template, tuple(slot.form for slot in visitor.slots))


def _agrees(template: Template, slots: list[Slot], canonical: Canonical, nodes: list[str]) -> bool:
    """Return whether the template finds for the placeholders what the library found, blank node by blank node."""
    placeholders = tuple(slot.placeholder.encode() for slot in slots)
    hashes = [bytes.fromhex(canonical.hashes[node]) for node in nodes]
    digest = hashlib.sha256(canonical.text.encode()).digest()
    return template.node_hashes(placeholders) == hashes and template.rdf_hash(placeholders) == digest


def _aligned(tokens: Tokens, other: Tokens, slots: list[Slot]) -> bool:
    """Return whether the two texts differ exactly where placeholders were put."""
    strings = list(restore(tokens.strings))
    if tokens.skeleton != other.skeleton or len(strings) != len(other.strings):
        return False
    for slot in slots:
        strings[slot.index] = slot.placeholder.encode()
    return strings == list(restore(other.strings))


def _build(sample: Values, slots: list[Slot], quads: list[Quad], json: Line) -> Template:
    """Put a template together from the slots, the quads with their holes, and the JSON with its holes."""
    numbers = {id(slot): number for number, slot in enumerate(slots)}
    seen: dict[int, list[Line]] = {}
    for quad in quads:
        for node, line in quad.seen_by.items():
            seen.setdefault(node, []).append(line)
    if len(seen) > len(LABELS):
        raise UnderivableError("The document has too many blank nodes.")

    def as_in_sample(line: Line) -> bytes:
        return b"".join(
            part if isinstance(part, bytes) else b"_:" if part.slot is None else sample[numbers[id(part.slot)]]
            for part in line
        )

    nodes = [_node(number, sorted(seen[node], key=as_in_sample), numbers) for number, node in enumerate(sorted(seen))]
    varying = tuple(one for one in nodes if isinstance(one, NodeLines))
    statements = _statements(sorted((quad.line for quad in quads), key=as_in_sample), numbers)
    whole = _template(json, numbers)
    texts = [whole, statements.subjects, *(one.template for one in varying)]
    size = sum(len(one.text) + 16 * len(slots) for one in texts) + sum(map(len, statements.first)) + 1024
    size += sum(len(block.text) + 8 * len(block.holes) for block in statements.blocks) * (1 + MOST_ORDERS)
    hashed = tuple(one if isinstance(one, bytes) else b"" for one in nodes)
    return Template(hashed, varying, statements, whole, size)


def _node(node: int, lines: list[Line], numbers: dict[int, int]) -> NodeLines | bytes:
    """Order what a blank node sees as in the sample, or hash it now if nothing in it varies."""
    whole = [line[0] for line in lines if len(line) == 1 and isinstance(line[0], bytes)]
    if len(whole) == len(lines):
        return hashlib.sha256(b"".join(line + b"\n" for line in whole)).digest()
    ordered = all(
        _certainly_before(one, other) or (len(one) == len(other) == 1 and one <= other)
        for one, other in pairwise(lines)
    )
    return NodeLines(node, _template(_ended(lines), numbers), ordered, repeats=len(whole) - len(set(whole)))


def _statements(lines: list[Line], numbers: dict[int, int]) -> Statements:
    """Put statements together by subject; hash now what comes first in the sample and never varies."""
    if not lines:
        raise UnderivableError("The document states nothing.")
    first = tuple(
        line[0] + b"\n" for line in takewhile(lambda line: len(line) == 1, lines[:-1]) if isinstance(line[0], bytes)
    )
    by_subject: dict[bytes | int, list[Line]] = {}
    for line in lines[len(first) :]:
        by_subject.setdefault(_subject(line, numbers), []).append(line)
    return Statements(
        first,
        hashlib.sha256(b"".join(first)),
        tuple(_block(lines, numbers) for lines in by_subject.values()),
        _template(_subjects(by_subject.values()), numbers),
        all(_is_ordered(subject, lines) for subject, lines in by_subject.items()),
    )


def _block(lines: list[Line], numbers: dict[int, int]) -> Block:
    parts = list(_ended(lines))
    return Block(_text(parts), tuple(_holes(parts, numbers)))


def _subjects(blocks: Iterable[list[Line]]) -> Iterator[bytes | Hole]:
    """Write the subjects of blocks in a row, each with what ends it."""
    for number, lines in enumerate(blocks):
        beginning = lines[0][0]
        assert isinstance(beginning, bytes)  # noqa: S101  for mypy: a line begins with a constant part
        if number:
            yield BETWEEN
        if b" " in beginning:
            yield beginning.partition(b" ")[0] + b" "
        else:
            yield from (beginning, lines[0][1], b"> " if beginning else b" ")


def _subject(line: Line, numbers: dict[int, int]) -> bytes | int:
    """Return a line's subject: itself if it never varies, else which value it is."""
    beginning = line[0]
    assert isinstance(beginning, bytes)  # noqa: S101  for mypy: a line begins with a constant part
    if b" " in beginning:
        return beginning.partition(b" ")[0]
    hole = line[1]
    assert isinstance(hole, Hole)  # noqa: S101  for mypy: parts and holes take turns
    return _number(hole, numbers)


def _is_ordered(subject: bytes | int, lines: list[Line]) -> bool:
    """Return whether one subject's lines stand in order whatever fills their holes; their beginning is the same."""
    common = 0 if isinstance(subject, bytes) else 2
    return all(_certainly_before(one[common:], other[common:]) for one, other in pairwise(lines))


def _ended(lines: Iterable[Line]) -> Iterator[bytes | Hole]:
    """Write lines in a row, each with its end."""
    for line in lines:
        yield from line
        yield b"\n"


def _number(hole: Hole, numbers: dict[int, int]) -> int:
    """Return which of the values, with the names of blank nodes behind them, fills a hole."""
    return numbers[id(hole.slot)] if hole.slot is not None else len(numbers) + hole.node


def _template(parts: Iterable[bytes | Hole], numbers: dict[int, int]) -> TextTemplate:
    """Make a template of constant parts and holes in a row."""
    row = list(parts)
    return TextTemplate(_text(row), picker(_holes(row, numbers)))


def _text(parts: list[bytes | Hole]) -> bytes:
    return b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in parts)


def _holes(parts: list[bytes | Hole], numbers: dict[int, int]) -> list[int]:
    return [_number(part, numbers) for part in parts if isinstance(part, Hole)]


def _certainly_before(one: Line, other: Line) -> bool:
    """Return whether a line sorts before another whatever fills their holes: by their beginnings."""
    first, second = _beginning(one), _beginning(other)
    shorter = min(len(first), len(second))
    return first[:shorter] < second[:shorter]


def _beginning(line: Line) -> bytes:
    """Return how a line certainly begins; what fills a blank node's hole is its name."""
    constant = line[0]
    assert isinstance(constant, bytes)  # noqa: S101  for mypy: a line begins with a constant part
    hole = line[1] if len(line) > 1 else None
    return constant + b"_:" if isinstance(hole, Hole) and hole.slot is None else constant
