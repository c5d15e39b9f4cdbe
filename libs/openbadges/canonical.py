"""Canonical N-Quads (RDFC-1.0) of a JSON-LD document by the general algorithm: nothing dropped, work bounded."""

import math
import re
import threading
from typing import Any, Final

from pyld import canon, jsonld
from pyld.context_resolver import ContextResolver

from libs.openbadges.contexts import check_contexts, load_document
from libs.openbadges.errors import CredentialError, LimitError

IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`\x7f]*\Z")
"""An absolute IRI as N-Quads can hold it (IRIREF of RDF 1.1 N-Quads): one that cannot end early and start another."""

BLANK: Final = re.compile(r"_:[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z")
KEYWORDS: Final = frozenset({"@context", "@direction", "@id", "@language", "@list", "@set", "@type", "@value"})
"""What a credential may use of JSON-LD's own words; the others have no use there and hide statements in odd places."""

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
PERMUTATIONS: Final = 2_000
"""Orders of indistinguishable blank nodes that are tried before a document is given up (RDFC-1.0, section 7.1)."""

_MALFORMED: Final = (jsonld.JsonLdError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)
"""What the library raises on documents that are not JSON-LD; it does not always raise its own error."""

_local = threading.local()


def canonicalize(document: dict[str, Any]) -> str:
    """Answer the canonical N-Quads of a document whose size was checked before.

    Raises:
        CredentialError: a term or a type that no context defines, a relative or malformed IRI, a keyword that
            credentials do not use, or no JSON-LD at all.
        UnknownContextError: a context that is not carried.
        LimitError: blank nodes that only trying out many orders could tell apart.
    """
    check_contexts(document)
    check_keywords(document)
    expanded = expand(document)
    return _to_canonical(expanded)


def expand(document: dict[str, Any]) -> list[Any]:
    """Expand a document by its contexts, refusing whatever expansion would drop or guess.

    Raises:
        CredentialError: see `canonicalize`.
    """
    dropped: list[str] = []
    processor = jsonld.JsonLdProcessor(on_property_dropped=lambda name: dropped.append(str(name)))
    try:
        expanded: list[Any] = processor.expand(document, _options())
    except CredentialError:
        raise
    except _MALFORMED as error:
        raise CredentialError("not_jsonld", f"The document is not JSON-LD: {_reason(error)}") from error
    if dropped:
        raise CredentialError("term_undefined", f"No context defines the term {min(dropped)}.")
    if len(expanded) != 1 or not isinstance(expanded[0], dict):
        raise CredentialError("not_jsonld", "The document says nothing about one thing.")
    _check_node(expanded[0])
    return expanded


def check_keywords(node: Any, path: str = "") -> None:
    """Refuse JSON-LD keywords that hide statements from a reader of the JSON.

    Raises:
        CredentialError: with the keyword and its place.
    """
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_keywords(item, f"{path}/{index}")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("@") and key not in KEYWORDS:
                raise CredentialError("keyword_refused", f"{key} has no use in a credential.", f"{path}/{key}")
            if key != "@context" and isinstance(value, dict | list):
                check_keywords(value, f"{path}/{key}")


def _options() -> dict[str, Any]:
    """PyLD's options: contexts only from the package, no base to resolve relative names against.

    The cache of processed contexts is per thread, since PyLD's own is shared and not safe under threads; it can
    hold nothing but carried contexts and their parts, because a document's own are refused before.
    """
    cache = getattr(_local, "contexts", None)
    if cache is None:
        cache = _local.contexts = {}
    return {
        "base": None,
        "documentLoader": load_document,
        "contextResolver": ContextResolver(cache, load_document),
        "processingMode": "json-ld-1.1",
        "produceGeneralizedRdf": False,
        "rdfDirection": "i18n-datatype",
    }


def _check_node(node: dict[str, Any]) -> None:
    for key, value in node.items():
        if key == "@id":
            _check_name(value, "identifier")
        elif key == "@type":
            for one in value:
                if not isinstance(one, str) or not IRI.match(one):
                    raise CredentialError("type_undefined", f"No context defines the type {one}.")
        elif key in {"@graph", "@set", "@list"}:
            _check_values(value)
        elif key.startswith("@"):
            raise CredentialError("keyword_refused", f"{key} has no use in a credential.")
        else:
            if not IRI.match(key):
                raise CredentialError("term_undefined", f"No context defines the term {key}.")
            _check_values(value)


def _check_values(values: list[Any]) -> None:
    for value in values:
        if "@value" in value:
            _check_literal(value)
        else:
            _check_node(value)


def _check_name(value: Any, kind: str) -> None:
    if not isinstance(value, str) or not (IRI.match(value) or BLANK.match(value)):
        raise CredentialError("iri_invalid", f"The {kind} {value!r} is not an absolute IRI.")


def _check_literal(value: dict[str, Any]) -> None:
    """Check a literal, and write truth values and integers as the text that RDF has for them.

    Python holds 1 and True for the same; left as they are, a list of both would lose one unsigned.
    """
    language = value.get("@language")
    if language is not None and not LANGUAGE.match(language):
        raise CredentialError("language_form", f"{language!r} is not a language tag (BCP 47).")
    datatype = value.get("@type")
    if datatype == "@json":
        return
    if datatype is not None and not IRI.match(datatype):
        raise CredentialError("type_undefined", f"No context defines the datatype {datatype}.")
    content = value["@value"]
    if isinstance(content, bool):
        value["@value"], value["@type"] = "true" if content else "false", datatype or XSD + "boolean"
    elif isinstance(content, int | float) and float(content).is_integer() and datatype != XSD + "double":
        value["@value"], value["@type"] = str(int(content)), datatype or XSD + "integer"


def _to_canonical(expanded: list[Any]) -> str:
    processor = jsonld.JsonLdProcessor()
    try:
        dataset = processor.to_rdf(expanded, _options())
        text: str = _BoundedCanonicalization().main(dataset, {"format": "application/n-quads"})
    except CredentialError:
        raise
    except _MALFORMED as error:
        raise CredentialError("not_jsonld", f"The document is not JSON-LD: {_reason(error)}") from error
    return text


class _BoundedCanonicalization(canon.URDNA2015):  # type: ignore[misc]  # PyLD publishes no types
    """RDFC-1.0 with a budget: a graph made to look alike from everywhere ends in an error instead of in days."""

    def __init__(self) -> None:
        super().__init__()
        self._left = PERMUTATIONS

    def create_hash_to_related(self, id_: str, issuer: Any) -> Any:
        related = super().create_hash_to_related(id_, issuer)
        # Every order of every group is tried; each costs a copy of what was issued so far.
        self._left -= sum(math.factorial(min(len(group), 12)) for group in related.values())
        if self._left < 0:
            raise LimitError("too_symmetric", "The document's unnamed parts are too alike to be told apart in time.")
        return related


def _reason(error: BaseException) -> str:
    """Name the innermost cause in one line; the library wraps it in general ones."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    if isinstance(error, jsonld.JsonLdError):
        return str(error.args[0])
    return f"{type(error).__name__}."
