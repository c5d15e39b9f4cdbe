"""An expanded JSON-LD document as RDF: its statements, each once, in the form that the canonicalization takes."""

import re
from typing import Any, Final

from libs.openbadges.jsonld import jcs

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"

Term = dict[str, str]
Dataset = dict[str, list[dict[str, Term]]]
"""PyLD's RDF dataset: by graph, statements of subject, predicate and object, each of type and value."""


def to_dataset(expanded: list[Any]) -> Dataset:
    """Write out what an expanded document states (JSON-LD 1.1 API, section 8.1).

    The document was checked before: of keywords it uses @id, @type, @graph, @list and those of literals. PyLD does
    the same by way of a node map that compares each value of a property with all others; this compares hashes, so
    that a long list costs no more than its length.
    """
    writer = _Writer()
    for node in expanded:
        writer.node(node, "@default")
    return writer.dataset


class _Writer:
    def __init__(self) -> None:
        self.dataset: Dataset = {"@default": []}
        self._seen: set[tuple[str, ...]] = set()
        self._blank: dict[str, str] = {}
        self._count = 0

    def node(self, node: dict[str, Any], graph: str) -> Term:
        subject = self._name(node["@id"]) if "@id" in node else self._new()
        for key, values in node.items():
            if key == "@type":
                for kind in values:
                    self._state(graph, subject, RDF + "type", {"type": "IRI", "value": kind})
            elif key == "@graph":
                self.dataset.setdefault(subject["value"], [])
                for one in values:
                    self.node(one, subject["value"])
            elif key != "@id":
                for value in values:
                    self._state(graph, subject, key, self._object(value, graph))
        return subject

    def _object(self, value: dict[str, Any], graph: str) -> Term:
        if "@value" in value:
            return literal(value)
        if "@list" in value:
            return self._list(value["@list"], graph)
        return self.node(value, graph)

    def _list(self, items: list[Any], graph: str) -> Term:
        rest: Term = {"type": "IRI", "value": RDF + "nil"}
        for item in reversed(items):
            cell = self._new()
            self._state(graph, cell, RDF + "first", self._object(item, graph))
            self._state(graph, cell, RDF + "rest", rest)
            rest = cell
        return rest

    def _name(self, identifier: str) -> Term:
        if not identifier.startswith("_:"):
            return {"type": "IRI", "value": identifier}
        if identifier not in self._blank:
            self._blank[identifier] = self._new()["value"]
        return {"type": "blank node", "value": self._blank[identifier]}

    def _new(self) -> Term:
        self._count += 1
        return {"type": "blank node", "value": f"_:b{self._count}"}

    def _state(self, graph: str, subject: Term, predicate: str, value: Term) -> None:
        statement = (graph, subject["value"], predicate, *value.values())
        if statement not in self._seen:
            self._seen.add(statement)
            self.dataset[graph].append(
                {"subject": subject, "predicate": {"type": "IRI", "value": predicate}, "object": value}
            )


def literal(value: dict[str, Any]) -> Term:
    """Write a value object as an RDF literal (JSON-LD 1.1 API, section 8.2.2)."""
    content, datatype = value["@value"], value.get("@type")
    if datatype == "@json":
        return _literal(jcs.canonicalize(content).decode(), RDF + "JSON")
    if isinstance(content, bool):
        return _literal("true" if content else "false", datatype or XSD + "boolean")
    if isinstance(content, int | float):
        return _number(content, datatype)
    return _text(content, datatype, value.get("@language"), value.get("@direction"))


def _number(content: float, datatype: str | None) -> Term:
    if float(content).is_integer() and datatype != XSD + "double":
        return _literal(str(int(content)), datatype or XSD + "integer")
    return _literal(_double(float(content)), datatype or XSD + "double")


def _text(content: str, datatype: str | None, language: str | None, direction: str | None) -> Term:
    if direction is not None:
        # As Data Integrity's implementations agree to keep a direction: in the datatype (section 8.2.2, i18n).
        return _literal(content, f"https://www.w3.org/ns/i18n#{(language or '').lower()}_{direction}")
    if language is not None:
        return {**_literal(content, RDF + "langString"), "language": language}
    if datatype == XSD + "double":
        return _literal(_double_text(content), datatype)
    return _literal(content, datatype or XSD + "string")


def _literal(text: str, datatype: str) -> Term:
    return {"type": "literal", "value": text, "datatype": datatype}


def _double(number: float) -> str:
    """Write a double in its canonical form (XML Schema 1.1, section E.2), as PyLD does."""
    return re.sub(r"(\d)0*E\+?(-)?0*(\d)", r"\1E\2\3", f"{number:1.15E}")


def _double_text(text: str) -> str:
    """Write a text of the type double as PyLD does: canonical where it is a number, else as it stands."""
    try:
        return _double(float(text))
    except ValueError:
        return text
