"""RDFC-1.0, canonical N-Quads: blank nodes that their own quads tell apart are named here, others by the library."""

import hashlib
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from pyld import canon

from libs.openbadges.jsonld.rdf import RDF, XSD, Dataset, Term
from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import LimitError

WORK: Final = 50_000
"""What telling blank nodes apart may cost before a document is given up (RDFC-1.0, section 7.1): names copied."""

_NAME_COST: Final = 2
_STATEMENT_COST: Final = 5
"""Units of work (`budget`): a name that is copied, a statement that is written and hashed."""

_ESCAPES: Final = {code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F)} | {
    ord(sign): f"\\{name}" for sign, name in zip('\b\t\n\f\r"\\', 'btnfr"\\', strict=True)
}
_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\\x7f]')

_TOO_SYMMETRIC: Final = "The document's unnamed parts are too alike to be told apart in time."


@dataclass(frozen=True, slots=True)
class Canonical:
    """A canonical dataset.

    Attributes:
        text: its N-Quads in order.
        hashes: by the name that a blank node had in the dataset, the hash of its quads of the first degree, in hex.
    """

    text: str
    hashes: dict[str, str]


def serialize(dataset: Dataset) -> Canonical:
    """Canonicalize a dataset.

    Raises:
        LimitError: blank nodes that only trying out many orders could tell apart.
    """
    spend(_STATEMENT_COST * sum(map(len, dataset.values())))
    found = _by_own_quads(dataset)
    if found is not None:
        return found
    algorithm = _BoundedCanonicalization()
    try:
        # On a copy in which no two statements share a term, since it renames blank nodes in place.
        text = algorithm.main(_copied(dataset), {"format": "application/n-quads"})
    except RecursionError as error:
        raise LimitError("too_symmetric", _TOO_SYMMETRIC) from error
    return Canonical(text, {node: info["hash"] for node, info in algorithm.blank_node_info.items()})


def _copied(dataset: Dataset) -> Dataset:
    return {
        name: [{position: _written(term) for position, term in statement.items()} for statement in statements]
        for name, statements in dataset.items()
    }


def _written(term: Term) -> Term:
    return {**term, "value": _Escaped(escape(term["value"]))} if term["type"] == "literal" else {**term}


class _Escaped(str):
    """A text that is escaped already; the library, which leaves most controls as they are, would by `replace`."""

    __slots__ = ()

    def replace(self, *_: Any) -> str:
        return self


def escape(text: str) -> str:
    """Escape a literal as canonical N-Quads have it (RDFC-1.0, section 5): what has to be, and in one way only."""
    return text.translate(_ESCAPES) if _ESCAPED.search(text) else text


def _by_own_quads(dataset: Dataset) -> Canonical | None:
    """Name blank nodes in the order of the hashes of their own quads (RDFC-1.0, section 4.4.3, steps 3 to 5).

    None where two have the same hash, which is for the whole algorithm to sort out.
    """
    plain: list[str] = []
    lines: list[list[str]] = []
    seen_by: dict[str, list[list[str]]] = {}
    for name, statements in dataset.items():
        end = " .\n" if name == "@default" else f" <{name}> .\n"
        graph = name if name.startswith("_:") else None
        for statement in statements:
            subject, about = statement["subject"], statement["object"]
            if graph is None and subject["type"] == "IRI" and about["type"] != "blank node":
                plain.append(f"<{subject['value']}> <{statement['predicate']['value']}> {_object(about)}{end}")
                continue
            line = [_subject(subject), f" <{statement['predicate']['value']}> ", _object(about)]
            line += [end] if graph is None else [" ", graph, " .\n"]
            lines.append(line)
            for node in {part for part in line if part.startswith("_:")}:
                seen_by.setdefault(node, []).append(line)
    hashes = {node: _first_degree(node, seen) for node, seen in seen_by.items()}
    names = {node: f"_:c14n{number}" for number, node in enumerate(sorted(hashes, key=hashes.__getitem__))}
    if len(set(hashes.values())) != len(names):
        return None
    named = ["".join([names.get(part, part) for part in line]) for line in lines]
    return Canonical("".join(sorted(plain + named)), hashes)


def _subject(term: Term) -> str:
    return term["value"] if term["type"] == "blank node" else f"<{term['value']}>"


def _object(term: Term) -> str:
    """Write an object in N-Quads; what begins with _: is the name of a blank node, and nothing else does."""
    if term["type"] != "literal":
        return _subject(term)
    text, datatype = f'"{escape(term["value"])}"', term["datatype"]
    if datatype == XSD + "string":
        return text
    return f"{text}@{term['language']}" if datatype == RDF + "langString" else f"{text}^^<{datatype}>"


def _first_degree(node: str, lines: list[list[str]]) -> str:
    """Hash a blank node's quads, it being _:a in them and all others _:z (RDFC-1.0, section 4.6)."""
    seen = [
        "".join([part if not part.startswith("_:") else "_:a" if part == node else "_:z" for part in line])
        for line in lines
    ]
    return hashlib.sha256("".join(sorted(seen)).encode()).hexdigest()


class _BoundedCanonicalization(canon.URDNA2015):  # type: ignore[misc]  # PyLD publishes no types
    """RDFC-1.0 with a budget: a graph made to look alike from everywhere ends in an error instead of in days."""

    def __init__(self) -> None:
        super().__init__()
        self._left = WORK

    def create_hash_to_related(self, id_: str, issuer: Any) -> Any:
        related = super().create_hash_to_related(id_, issuer)
        # Every order of every group is tried, and each try copies all names that were given out so far.
        orders = sum(math.factorial(min(len(group), 12)) for group in related.values())
        cost = len(self.blank_node_info[id_]["quads"]) + orders * (1 + len(issuer.order))
        self._left -= cost
        if self._left < 0:
            raise LimitError("too_symmetric", _TOO_SYMMETRIC)
        spend(_NAME_COST * cost)
        return related
