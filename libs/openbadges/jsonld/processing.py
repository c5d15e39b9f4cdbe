"""PyLD's processing of contexts, each processed once a thread, and its expansion on top of that."""

import threading
from typing import Any, Final

from pyld import jsonld
from pyld.context_resolver import ContextResolver

from libs.openbadges.jsonld.contexts import load_document
from libs.openbadges.model.context_urls import OPEN_BADGES_V3_0, OPEN_BADGES_V3_0_1
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

CONTEXTS_REMEMBERED: Final = 500
"""Processed contexts that a thread keeps; a badge brings some twenty."""

UNPROTECTING: Final = frozenset({OPEN_BADGES_V3_0, OPEN_BADGES_V3_0_1})
"""Editions that give two terms of VCDM 2.0, `name` and `description`, a datatype although those are protected.

They are of before VCDM 2.0, and the official schema of Open Badges 3.0 allows them beside it, so badges were signed so,
with suites and tokens that do not ask for RDF. What the two terms name is the same in both.
"""

_local = threading.local()


def pyld_options(profile: ProcessingProfile) -> dict[str, Any]:
    """PyLD's options: contexts only from the package, no base to resolve relative names against.

    The cache of processed contexts is per thread, since PyLD's own is shared and not safe under threads; it can
    hold nothing but bundled contexts and their parts, because a document's own are refused before; where they are
    not (`profile`), each document has a cache of its own.
    """
    cache = {} if profile.inline_contexts else _remembered("contexts")
    return {
        "base": None,
        "documentLoader": load_document,
        "contextResolver": ContextResolver(cache, load_document),
        "processingMode": "json-ld-1.1",
    }


class Processor(jsonld.JsonLdProcessor):  # type: ignore[misc]  # PyLD publishes no types
    """PyLD's expansion, remembering every context that it has processed.

    PyLD itself forgets those of types, and processes them anew for each node. What a context becomes depends on
    the one before it and on how it is met, and nothing here changes either of them later.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._memory = _remembered("processed")

    def _process_context(self, active_ctx: Any, local_ctx: Any, options: Any, **how: Any) -> Any:
        if "cycles" in how:
            return super()._process_context(active_ctx, local_ctx, options, **how)
        memory = self._memory
        name = tuple(local_ctx) if isinstance(local_ctx, list) else local_ctx if _named(local_ctx) else id(local_ctx)
        if isinstance(local_ctx, list) and any(_named(one) and one in UNPROTECTING for one in local_ctx):
            # One by one, so that what each comes to does not depend on those beside it.
            for one in local_ctx:
                active_ctx = self._process_context(active_ctx, one, options, **how)
            return active_ctx
        if _named(local_ctx) and local_ctx in UNPROTECTING:
            how["override_protected"] = True
        key = (id(active_ctx), name, *sorted(how.items()))
        if key not in memory:
            if len(memory) >= CONTEXTS_REMEMBERED:
                memory.clear()
            processed = super()._process_context(active_ctx, local_ctx, options, **how)
            # Held, so that no other object can come to have their identity.
            memory[key] = (processed, active_ctx, local_ctx)
        return memory[key][0]

    def initial(self) -> Any:
        """Return the context that documents begin with."""
        return self._get_initial_context(pyld_options(PRODUCTION))

    def process(self, active: Any, local: Any, **how: bool) -> Any:
        """Return the context that comes of an active and a local one."""
        return self._process_context(active, local, pyld_options(PRODUCTION), **how)

    def expand(self, document: dict[str, Any], options: dict[str, Any]) -> list[Any]:
        """Expand without copying the document first; expansion reads it alone."""
        options = {"isFrame": False, "keepFreeFloatingNodes": False, **options}
        expanded = self._expand(self._get_initial_context(options), None, document, options, inside_list=False)
        if isinstance(expanded, dict) and expanded.keys() == {"@graph"}:
            expanded = expanded["@graph"]
        return [] if expanded is None else expanded if isinstance(expanded, list) else [expanded]


def _named(context: Any) -> bool:
    return context is None or isinstance(context, str)


def _remembered(what: str) -> dict[Any, Any]:
    """Return what this thread remembers under a name."""
    found: dict[Any, Any] | None = getattr(_local, what, None)
    if found is None:
        found = {}
        setattr(_local, what, found)
    return found
