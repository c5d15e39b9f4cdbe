"""Reading a secured document by its text alone, where a specialised template of its kind is known."""

from typing import Any, Final

import orjson

from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.jsonld.parsing import load
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument

_PROOF: Final = b',"proof":{'
_VALUE: Final = b',"proofValue":"'
_MOST_OPTIONS: Final = 2048
_REMEMBERED_OPTIONS: Final = 256


class Recognizer:
    """Recognizes documents by a cache of templates, and remembers the options of proofs."""

    def __init__(self, templates: TemplateCache) -> None:
        """Take the templates."""
        self._templates = templates
        self._options: dict[bytes, dict[str, Any]] = {}

    def recognize(self, raw: bytes) -> tuple[CanonicalDocument, dict[str, Any], str] | None:
        """Take a secured document that is written as it would be here, of which all but its values is known.

        It saves reading the document: what is known is that its text is the one that would be written for it, so that
        nothing can stand in it twice or otherwise than it seems. Its one proof stands at its end.

        Returns:
            The document without its proof, the options of the proof (texts and lists of texts, not to be changed), and
            its value; None where only `canonical` can tell.
        """
        start = raw.rfind(_PROOF)
        known = self._templates.specialised.find(raw[:start] + b"}") if start > 0 else None
        if known is None or not known.single:
            return None
        end = raw.rfind(_VALUE)
        written = raw[start + len(_PROOF) - 1 : end] + b"}"
        value = raw[end + len(_VALUE) : -3]
        if end <= start + len(_PROOF) or not value.isalnum() or not raw.endswith(b'"}}'):
            return None
        options = self._options.get(written) or self._options_in(written)
        return None if options is None else (known, options, value.decode())

    def _options_in(self, written: bytes) -> dict[str, Any] | None:
        """Read the options of a proof and remember them: they are the same for all made by a key in a second."""
        if len(written) > _MOST_OPTIONS:
            return None
        try:
            read = load(written)
            if orjson.dumps(read) != written or "proofValue" in read or not all(map(_is_flat, read.values())):
                return None
        except (ValueError, TypeError, RecursionError):
            return None
        if len(self._options) >= _REMEMBERED_OPTIONS:
            self._options.clear()
        self._options[written] = read
        found: dict[str, Any] = read
        return found


def _is_flat(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


RECOGNIZER: Final = Recognizer(VERIFY_SUITES.templates)
"""For what others hand in."""
