"""Data Integrity proofs: one protocol, one module per cryptosuite, and the registry of those that are known."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from libs.openbadges.integrity.suites.ecdsa_jcs_2019 import EcdsaJcs2019
from libs.openbadges.integrity.suites.ecdsa_rdfc_2019 import EcdsaRdfc2019
from libs.openbadges.integrity.suites.ed25519_signature_2020 import Ed25519Signature2020
from libs.openbadges.integrity.suites.eddsa_jcs_2022 import EddsaJcs2022
from libs.openbadges.integrity.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from libs.openbadges.integrity.suites.suite import Cryptosuite
from libs.openbadges.jsonld.parsing import load
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

__all__ = ["SIGN_SUITES", "VERIFY_SUITES", "CanonicalDocument", "Cryptosuite", "Suites"]

_PROOF: Final = b',"proof":{'
_VALUE: Final = b',"proofValue":"'
_MOST_OPTIONS: Final = 2048
_REMEMBERED_OPTIONS: Final = 256
_ENDORSING: Final = frozenset({"id", "type", "endorsementComment"})


class Suites(Mapping[str, Cryptosuite]):
    """Cryptosuites by name, sharing one cache of templates."""

    def __init__(self, *, outdated: bool = False) -> None:
        """Begin with an empty cache; `outdated` adds what is verified but no longer issued."""
        self.templates = TemplateCache()
        self._options: dict[bytes, dict[str, Any]] = {}
        suites: list[Cryptosuite] = [
            EddsaRdfc2022(self.templates),
            EddsaJcs2022(),
            EcdsaRdfc2019(self.templates),
            EcdsaJcs2019(),
        ]
        if outdated:
            suites.append(Ed25519Signature2020(self.templates))
        self._suites = {suite.name: suite for suite in suites}

    def canonical(
        self, document: dict[str, Any], text: bytes | None = None, profile: ProcessingProfile = PRODUCTION
    ) -> CanonicalDocument:
        """Take a document without its proof, if RDF can say all that it says.

        Args:
            document: the document.
            text: the same as `orjson.dumps` writes it, where the caller has it.
            profile: which contexts are read.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        text = orjson.dumps(document) if text is None else text
        known = self.templates.read(document, text, profile)
        if not known.single:
            _refuse_split(document, text)
        return known

    def recognize(self, raw: bytes) -> tuple[CanonicalDocument, dict[str, Any], str] | None:
        """Take a secured document that is written as it would be here, of which all but its values is known.

        It saves reading the document: what is known is that its text is the one that would be written for it, so that
        nothing can stand in it twice or otherwise than it seems. Its one proof stands at its end.

        Returns:
            The document without its proof, the options of the proof (texts and lists of texts, not to be changed), and
            its value; None where only `canonical` can tell.
        """
        start = raw.rfind(_PROOF)
        known = self.templates.specialised.find(raw[:start] + b"}") if start > 0 else None
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

    def of(self, proof: Mapping[str, Any]) -> Cryptosuite | None:
        """Return the suite of a proof; None if it is of a kind that is not known here."""
        kind = proof.get("type")
        name = proof.get("cryptosuite") if kind == "DataIntegrityProof" else kind
        suite = self._suites.get(name) if isinstance(name, str) else None
        return suite if suite is not None and suite.proof_type == kind else None

    def __getitem__(self, name: str) -> Cryptosuite:
        return self._suites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._suites)

    def __len__(self) -> int:
        return len(self._suites)


def _is_flat(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _refuse_split(document: dict[str, Any], text: bytes) -> None:
    """Refuse a document that says something of itself elsewhere than at its top.

    RDF puts together what stands in two objects of one id, so a property like credentialStatus could be carried
    off to where no check looks, and the proof would still be good. An endorsement of the document, within it, speaks
    of it with its own few words (Open Badges 3.0, class EndorsementSubject), which mean nothing at the top.

    Raises:
        CredentialError: code `split`.
    """
    own = document.get("id")
    if not isinstance(own, str) or text.count(orjson.dumps(own)) < 2:
        return
    below: list[Any] = list(document.values())
    while below:
        node = below.pop()
        if isinstance(node, dict):
            if node.get("id") == own and len(node) > 1 and not _only_endorses(node):
                raise CredentialError("split", "The document speaks of itself in a second place.")
            below.extend(node.values())
        elif isinstance(node, list):
            below.extend(node)


def _only_endorses(node: dict[str, Any]) -> bool:
    return node.keys() <= _ENDORSING and node.get("type") in ("EndorsementSubject", ["EndorsementSubject"])


SIGN_SUITES = Suites()
"""For what is signed here."""

VERIFY_SUITES = Suites(outdated=True)
"""For what others hand in; their templates never push out those of what is signed here."""
