"""Canonical N-Quads (RDFC-1.0) of a JSON-LD document by the general algorithm: nothing dropped, work bounded."""

import re
import threading
from typing import Any, Final

from pyld import jsonld

from libs.openbadges.jsonld import rdf
from libs.openbadges.jsonld.contexts import CONTEXTS, MOST_CONTEXTS, check_contexts, term_iris
from libs.openbadges.jsonld.expansion import CONTROL, IRI, LANGUAGE, Expander
from libs.openbadges.jsonld.parsing import check
from libs.openbadges.jsonld.processing import Processor, pyld_options
from libs.openbadges.jsonld.rdfc import serialize
from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

BLANK: Final = re.compile(r"_:[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
KEYWORDS: Final = frozenset({"@context", "@direction", "@language", "@list", "@type", "@value"})
"""What a credential may use of JSON-LD's own words; the others have no use there and hide statements in odd places."""

NAMED: Final = frozenset(iri for url in CONTEXTS for iri in term_iris(url))
"""IRIs for which some bundled context has a term."""

PREFIXES: Final = frozenset(term for url in CONTEXTS for terms in term_iris(url).values() for term in terms)
"""Terms of the bundled contexts, by which an IRI can be written short before a colon."""

MOST_TYPES: Final = 32
"""Types that one thing may have; each can bring a context of its own."""

_VALUE_COST: Final = 15
"""Units of work (`budget`) that it takes to turn a value of a document into RDF."""

_MALFORMED: Final = (jsonld.JsonLdError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)
"""What the library raises on documents that are not JSON-LD; it does not always raise its own error."""

_local = threading.local()


def canonicalize(document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> str:
    """Return the canonical N-Quads of a document whose size was checked before.

    Raises:
        CredentialError: a term or a type that no context defines, a relative or malformed IRI, a keyword that
            credentials do not use, or no JSON-LD at all.
        UnknownContextError: a context that is not bundled.
        LimitError: blank nodes that only trying out many orders could tell apart.
    """
    return serialize(to_dataset(document, profile)).text


def to_dataset(document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> rdf.Dataset:
    """Turn a document into RDF, refusing whatever would be dropped or guessed on the way.

    Raises:
        CredentialError, UnknownContextError, LimitError: see `canonicalize`.
    """
    spend(_VALUE_COST * check(document))
    if not _is_plain(document):
        check_contexts(document, profile)
        check_names(document)
    expanded = None if profile.inline_contexts else _expander().expand(document)
    return rdf.to_dataset(_expand(document, profile) if expanded is None else expanded)


def _expander() -> Expander:
    """Return this thread's own, which knows what the bundled contexts mean."""
    found: Expander | None = getattr(_local, "expander", None)
    if found is None:
        found = _local.expander = Expander(Processor().initial(), _process)
    return found


def _process(active: Any, local: Any, **how: bool) -> Any:
    try:
        return Processor().process(active, local, **how)
    except _MALFORMED as error:
        raise CredentialError("not_jsonld", f"The document is not JSON-LD: {_reason(error)}") from error


def _expand(document: dict[str, Any], profile: ProcessingProfile) -> list[Any]:
    """Expand a document by its contexts through PyLD, refusing whatever expansion would drop or guess.

    Raises:
        CredentialError: see `canonicalize`.
    """
    dropped: list[str] = []
    # What is remembered of processed contexts is of bundled ones; a document's own must leave no trace.
    kind = jsonld.JsonLdProcessor if profile.inline_contexts else Processor
    processor = kind(on_property_dropped=lambda name: dropped.append(str(name)))
    try:
        expanded: list[Any] = processor.expand(document, pyld_options(profile))
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


def _is_plain(document: dict[str, Any]) -> bool:
    """Return at one quick go whether neither `check_contexts` nor `check_names` could find anything."""
    left: list[Any] = [document]
    contexts = 0
    while left:
        node = left.pop()
        if type(node) is list:
            left.extend(node)
        elif type(node) is dict:
            for key in node:
                if key == "@context":
                    named = node[key] if type(node[key]) is list else [node[key]]
                    contexts += len(named)
                    if not all(type(one) is str and one in CONTEXTS for one in named):
                        return False
                elif key[:1] == "@" or ":" in key or (key == "type" and not _are_plain(_listed(node[key]))):
                    return False
            left.extend(node.values())
    return contexts <= MOST_CONTEXTS


def check_names(node: Any, path: str = "") -> None:
    """Refuse names that say in RDF what a reader of the JSON, or a check of this engine, would not find.

    The proof is over RDF: `credentialStatus` under its full IRI, or `id` as `@id`, leaves the proof good and
    the property out of sight, as `ClrCredential` under its own does with the credentials in a record. So whatever
    has a name in the contexts, term or type, must stand under it (VCDM 2.0, section 1.3: credentials are compacted
    documents).

    Raises:
        CredentialError: with the name and its place.
        LimitError: more types than any thing needs.
    """
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_names(item, f"{path}/{index}")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("@") and (key not in KEYWORDS or (key == "@type" and "@value" not in node)):
                raise CredentialError("keyword_refused", f"{key} has no use in a credential.", f"{path}/{key}")
            if ":" in key and (key in NAMED or not key.startswith(("https://", "http://"))):
                raise CredentialError("name_not_compact", f"{key} stands for a term of the contexts.", f"{path}/{key}")
            for kind in _listed(value) if key == "type" else ():
                if isinstance(kind, str) and ":" in kind and (kind in NAMED or kind.partition(":")[0] in PREFIXES):
                    raise CredentialError(
                        "name_not_compact", f"{kind} stands for a term of the contexts.", f"{path}/{key}"
                    )
            if key == "type" and len(_listed(value)) > MOST_TYPES:
                raise LimitError("too_many_types", f"One thing has more than {MOST_TYPES} types.", f"{path}/{key}")
            if key != "@context" and isinstance(value, dict | list):
                check_names(value, f"{path}/{key}")


def _are_plain(types: list[Any]) -> bool:
    return len(types) <= MOST_TYPES and not any(type(one) is str and ":" in one for one in types)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_node(node: dict[str, Any]) -> None:
    for key, value in node.items():
        if key == "@id":
            _check_name(value, "identifier")
        elif key == "@type":
            for one in value:
                if not isinstance(one, str) or not (one in NAMED or IRI.match(one)):
                    raise CredentialError("type_undefined", f"No context defines the type {one}.")
        elif key == "@graph":
            _check_graph(value)
        elif key in {"@set", "@list"}:
            _check_values(value)
        elif key.startswith("@"):
            raise CredentialError("keyword_refused", f"{key} has no use in a credential.")
        else:
            if key not in NAMED and not IRI.match(key):
                raise CredentialError("term_undefined", f"No context defines the term {key}.")
            _check_values(value)


def _check_graph(members: list[Any]) -> None:
    """Check the members of a graph, which are things: a mere value there states nothing, so it would not be signed."""
    for member in members:
        if not isinstance(member, dict) or "@value" in member or "@list" in member:
            raise CredentialError("not_jsonld", "A value stands where a thing belongs, and would not be signed.")
    _check_values(members)


def _check_values(values: list[Any]) -> None:
    for value in values:
        if "@value" in value:
            _check_literal(value)
        else:
            _check_node(value)


def _check_name(value: Any, kind: str) -> None:
    if not isinstance(value, str) or not (IRI.match(value) or BLANK.match(value)):
        raise CredentialError("iri_invalid", f"The {kind} {value!r} is not an absolute IRI.")


def _check_literal(literal: dict[str, Any]) -> None:
    content, datatype, language = literal["@value"], literal.get("@type"), literal.get("@language")
    if datatype == "@json":
        return
    if language is not None and not LANGUAGE.match(language):
        raise CredentialError("language_form", f"{language!r} is not a language tag (BCP 47).")
    if datatype is not None and not IRI.match(datatype):
        raise CredentialError("type_undefined", f"No context defines the datatype {datatype}.")
    if isinstance(content, str) and CONTROL.search(content):
        # PyLD escapes these otherwise than the standard does (RDF Dataset Canonicalization 1.0, section 5).
        raise LimitError(
            "control_character", "A text holds a control character; such texts are not canonicalized here."
        )


def _reason(error: BaseException) -> str:
    """Name the innermost cause in one line; the library wraps it in general ones."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    if isinstance(error, jsonld.JsonLdError):
        return str(error.args[0])
    return f"{type(error).__name__}."
