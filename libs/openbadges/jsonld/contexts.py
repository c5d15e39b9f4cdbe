"""The JSON-LD contexts and schemas that travel in the package; nothing is ever fetched."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.errors import LimitError, UnknownContextError
from libs.openbadges.model.profile import ProcessingProfile

CONTEXTS: Final = frozenset(url for url, one in BUNDLED.items() if one.file.startswith("contexts/"))


def has_inline_context(node: Any) -> bool:
    """Return whether a document has a context written into it anywhere."""
    if isinstance(node, list):
        return any(has_inline_context(item) for item in node)
    if not isinstance(node, dict):
        return False
    contexts = node.get("@context")
    listed = contexts if isinstance(contexts, list) else [contexts]
    return any(isinstance(one, dict) for one in listed) or any(
        has_inline_context(value) for key, value in node.items() if key != "@context"
    )


def load_document(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return PyLD's question for a context from what is bundled.

    The tag lets PyLD keep the processed context; without it every canonicalization would begin from the JSON.

    Raises:
        UnknownContextError: the context is not bundled.
    """
    if url not in CONTEXTS:
        raise UnknownContextError("context_unknown", f"The context {url} is not one that is bundled here.", "/@context")
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": orjson.loads(BUNDLED[url].text),
        "tag": "static",
    }


def term_iris(url: str) -> Mapping[str, frozenset[str]]:
    """Return the IRIs that a bundled context has terms for, each with those terms, at any depth."""
    found: dict[str, set[str]] = {}

    def walk(context: Any) -> None:
        for one in context if isinstance(context, list) else [context]:
            for term, definition in one.items() if isinstance(one, dict) else ():
                iri = definition.get("@id") if isinstance(definition, dict) else definition
                if not term.startswith("@") and isinstance(iri, str) and not iri.startswith("@"):
                    found.setdefault(iri, set()).add(term)
                if isinstance(definition, dict):
                    walk(definition.get("@context"))

    walk(orjson.loads(BUNDLED[url].text)["@context"])
    return {iri: frozenset(terms) for iri, terms in found.items()}


MOST_CONTEXTS: Final = 256
"""How often a document may name a context. A learner record names a few per credential."""


def check_contexts(document: dict[str, Any], profile: ProcessingProfile) -> None:
    """Refuse any `@context` in a document that is not one or a list of bundled ones.

    A context written into the document could give signed statements other names without breaking the proof
    (Data Integrity 1.0, section 4.6, validating contexts), so it is as unknown as one of a foreign URL.

    Raises:
        UnknownContextError: with the place and the name.
        LimitError: more contexts than any record needs.
    """
    if sum(1 for _ in _named(document, "", profile)) > MOST_CONTEXTS:
        raise LimitError("too_many_contexts", f"The document names contexts more than {MOST_CONTEXTS} times.")


def _named(node: Any, path: str, profile: ProcessingProfile) -> Iterator[str]:
    """Go through the contexts that a document names."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _named(item, f"{path}/{index}", profile)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "@context":
                for item in value if isinstance(value, list) else [value]:
                    _check_context(item, f"{path}/@context", profile)
                    yield item
            elif isinstance(value, dict | list):
                yield from _named(value, f"{path}/{key}", profile)


def _check_context(item: Any, path: str, profile: ProcessingProfile) -> None:
    if isinstance(item, dict) and profile.inline_contexts:
        return
    if not isinstance(item, str):
        raise UnknownContextError(
            "context_inline", "A context is named by its URL; one written into the document is not used.", path
        )
    if item not in CONTEXTS:
        raise UnknownContextError("context_unknown", f"The context {item} is not one that is bundled here.", path)
