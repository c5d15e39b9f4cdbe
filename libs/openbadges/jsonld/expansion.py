"""Expansion of documents that use the bundled contexts alone, in the plain ways that credentials do; quick.

What contexts mean is PyLD's to say: it processes them, and what it answers is remembered. Only the walk over the
document is here (JSON-LD 1.1 Processing Algorithms and API, section 5.1.2), with the order and the corners that PyLD
has. Whatever is not certain to come out as PyLD has it, and whatever would be refused, is not answered here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from libs.openbadges.model.errors import CredentialError

IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20<>\"{}|\\^`\x7f-\x9f]*\Z")
"""An absolute IRI as N-Quads can hold it (IRIREF of RDF 1.1 N-Quads): one that cannot end early and start another."""

CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z")

MOST_CONTEXTS_HELD: Final = 500
"""Contexts beyond which all are forgotten; a badge brings some twenty, a hostile sender any number."""

_CONTAINERS: Final = tuple(map(frozenset, [(), ("@set",), ("@list",), ("@graph",), ("@set", "@graph")]))

Process = Callable[..., Any]
"""PyLD's context processing: of an active and a local context and how they meet; CredentialError where it fails."""


class _AsideError(Exception):
    """Something that is for the library to expand or to refuse."""


class Expander:
    """Expands documents one after the other, remembering what their contexts mean; not for several threads."""

    def __init__(self, initial: Any, process: Process) -> None:
        self._initial = initial
        self._process = process
        self._held: dict[int, _Context] = {}

    def expand(self, document: dict[str, Any]) -> list[Any] | None:
        """Expand a document as PyLD does, or answer None where that is not certain or would end in a refusal."""
        try:
            expanded = _node(self.context(self._initial), None, document)
        except (_AsideError, CredentialError):
            return None
        # The library drops a thing of which nothing is said.
        return [expanded] if expanded.keys() - {"@id"} else None

    def process(self, context: "_Context", local: Any, **how: bool) -> "_Context":
        """Return the context that comes of an active and a local one."""
        return self.context(self._process(context.library, local, **how))

    def context(self, library: Any) -> "_Context":
        """Return what is known of an active context of the library."""
        found = self._held.get(id(library))
        if found is None:
            if len(self._held) >= MOST_CONTEXTS_HELD:
                self._held = {}
                raise _AsideError
            found = self._held[id(library)] = _Context(self, library)
        return found


@dataclass(frozen=True, slots=True)
class _Property:
    """What a key means.

    Attributes:
        iri: an absolute IRI, @id or @type.
        within: the context that its values are read by.
        scoped: the context that the key brings, as seen within; a thing that is its value is read by that once more.
        datatype: what its values are coerced to, if anything.
        container: @list, @graph or nothing.
    """

    iri: str
    within: "_Context"
    scoped: Any = None
    datatype: str | None = None
    container: str | None = None


class _Context:
    """An active context of the library, with what was found out about it."""

    __slots__ = ("_expander", "_processed", "_properties", "ids", "library", "mappings", "prefixes", "types")

    def __init__(self, expander: Expander, library: Any) -> None:
        self._expander = expander
        self._processed: dict[Any, tuple[_Context, Any]] = {}
        self._properties: dict[str, _Property | None] = {}
        self.library = library
        self.mappings: Any = library["mappings"]
        meant = [(word, meaning) for word, meaning in self.mappings.items() if meaning]
        self.ids = {word for word, meaning in meant if meaning["@id"] == "@id"}
        self.types = {word for word, meaning in meant if meaning["@id"] == "@type"}
        self.prefixes = {word for word, meaning in meant if meaning["_prefix"]}

    def under(self, local: Any, **how: bool) -> "_Context":
        """Return the context that comes of this one and a local one."""
        name = tuple(local) if isinstance(local, list) else local if isinstance(local, str) else id(local)
        key = (name, *how.items())
        found = self._processed.get(key)
        if found is None:
            # The local one is held, so that no other can come to have its identity.
            found = self._processed[key] = (self._expander.process(self, local, **how), local)
        return found[0]

    def previous(self) -> "_Context":
        """Return the context as it was before that of a type."""
        before = self.library.get("previousContext")
        return self if before is None else self._expander.context(before)

    def property(self, key: str) -> _Property:
        """Return what a key means, if it is a term of the context and a plain one."""
        if key not in self._properties:
            if key not in self.mappings:
                raise _AsideError
            self._properties[key] = self._define(key, self.mappings[key])
        found = self._properties[key]
        if found is None:
            raise _AsideError
        return found

    def _define(self, key: str, meaning: Any) -> _Property | None:
        if key in self.ids or key in self.types:
            return _Property(meaning["@id"], self) if meaning.get("@context") is None else None
        if not _is_plain(meaning):
            return None
        iri, scoped, datatype, containers = _parts(meaning)
        container = next(iter(containers - {"@set"}), None)
        if datatype == "@json":
            return _Property(iri, self, None, datatype) if containers <= {"@set"} else None
        within = self if scoped is None else self.under(scoped, override_protected=True)
        if key not in within.mappings:
            # As where an embedded credential begins anew, with a context of its own.
            return _Property(iri, within, None, None, container)
        inner = within.mappings[key]
        # The library coerces values by what the key means within; where that is something else, it is not plain.
        if not _is_plain(inner) or (_parts(inner)[0], *_parts(inner)[2:]) != (iri, datatype, containers):
            return None
        return _Property(iri, within, inner.get("@context"), datatype, container)

    def type(self, word: str) -> str:
        """Return what a type, or a word where a name is expected, means."""
        meaning = self.mappings.get(word)
        if not meaning or not isinstance(meaning["@id"], str) or not IRI.match(meaning["@id"]):
            raise _AsideError
        return str(meaning["@id"])


def _parts(meaning: Any) -> tuple[str, Any, str | None, frozenset[str]]:
    container = meaning.get("@container", ())
    containers = frozenset((container,) if isinstance(container, str) else container)
    return meaning["@id"], meaning.get("@context"), meaning.get("@type"), containers


def _is_plain(meaning: Any) -> bool:
    """Return whether a term is of the kinds that the bundled contexts have."""
    if not meaning or meaning["reverse"] or "@language" in meaning or "@direction" in meaning:
        return False
    iri, _, datatype, containers = _parts(meaning)
    known = datatype in {None, "@id", "@vocab", "@json"} or IRI.match(datatype)
    return bool(isinstance(iri, str) and IRI.match(iri) and known and containers in _CONTAINERS)


def _node(context: _Context, scoped: Any, element: dict[str, Any]) -> dict[str, Any]:
    """Expand an object that is a thing: what a type brought ends here, save for a mere reference."""
    if len(element) != 1 or next(iter(element)) not in context.ids:
        context = context.previous()
    if scoped is not None:
        context = context.under(scoped, override_protected=True)
    if "@context" in element:
        context = context.under(element["@context"])
    keys = sorted(element)
    outer, context = context, _under_types(context, keys, element)
    expanded: dict[str, Any] = {}
    for key in keys:
        if key == "@context":
            continue
        meant = context.property(key)
        if meant.iri in expanded:
            raise _AsideError
        if meant.iri == "@id":
            expanded["@id"] = _iri(context, element[key])
        elif meant.iri == "@type":
            expanded["@type"] = [outer.type(kind) for kind in _kinds(element[key])]
        elif element[key] is not None or meant.datatype == "@json":
            expanded[meant.iri] = _values(meant, element[key])
    return expanded


def _under_types(outer: _Context, keys: list[str], element: dict[str, Any]) -> _Context:
    """Return the context that the types of a thing bring, which holds for its own properties alone."""
    context = outer
    for key in keys:
        if key in context.types:
            for kind in sorted(_kinds(element[key])):
                brought = (outer.mappings.get(kind) or {}).get("@context")
                if brought is not None and brought is not False:
                    context = context.under(brought, propagate=False)
    return context


def _values(meant: _Property, value: Any) -> list[Any]:
    if meant.datatype == "@json":
        return [{"@type": "@json", "@value": value}]
    items = [_item(meant, one) for one in (value if type(value) is list else (value,)) if one is not None]
    if meant.container == "@list":
        return [{"@list": items}]
    if meant.container == "@graph":
        if any("@value" in item for item in items):
            raise _AsideError
        return [{"@graph": [item]} for item in items]
    return items


def _item(meant: _Property, value: Any) -> dict[str, Any]:
    """Expand one value of a property."""
    kind, datatype = type(value), meant.datatype
    if kind is dict:
        return _tagged(value) if "@value" in value else _node(meant.within, meant.scoped, value)
    if kind is list:
        raise _AsideError
    if kind is str:
        if datatype == "@id" or (datatype == "@vocab" and value not in meant.within.mappings):
            return {"@id": _iri(meant.within, value)}
        if datatype == "@vocab":
            return {"@id": meant.within.type(value)}
        if CONTROL.search(value):
            raise _AsideError
    if datatype is None or datatype in {"@id", "@vocab"}:
        return {"@value": value}
    return {"@type": datatype, "@value": value}


def _tagged(element: dict[str, Any]) -> dict[str, Any]:
    """Expand a text with a language; other value objects are not plain."""
    text, language, direction = element["@value"], element.get("@language"), element.get("@direction", "ltr")
    if (
        not element.keys() <= {"@value", "@language", "@direction"}
        or type(text) is not str
        or CONTROL.search(text)
        or type(language) is not str
        or not LANGUAGE.match(language)
        or direction not in ("ltr", "rtl")
    ):
        raise _AsideError
    return {key: value.lower() if key == "@language" else value for key, value in sorted(element.items())}


def _kinds(value: Any) -> list[str]:
    kinds = value if type(value) is list else [value]
    if not kinds or not all(type(kind) is str for kind in kinds):
        raise _AsideError
    return kinds


def _iri(context: _Context, value: Any) -> str:
    """Return an absolute IRI that is not made of a prefix, as it stands."""
    if type(value) is not str or not IRI.match(value):
        raise _AsideError
    scheme, _, rest = value.partition(":")
    if scheme in context.prefixes and not rest.startswith("//"):
        raise _AsideError
    return value
