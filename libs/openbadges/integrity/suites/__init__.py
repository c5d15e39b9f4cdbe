"""The cryptosuites by name: those that sign here, and those whose proofs are verified."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from libs.openbadges.integrity.suites.ecdsa_jcs_2019 import EcdsaJcs2019
from libs.openbadges.integrity.suites.ecdsa_rdfc_2019 import EcdsaRdfc2019
from libs.openbadges.integrity.suites.ed25519_signature_2020 import Ed25519Signature2020
from libs.openbadges.integrity.suites.eddsa_jcs_2022 import EddsaJcs2022
from libs.openbadges.integrity.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from libs.openbadges.integrity.suites.suite import Cryptosuite
from libs.openbadges.jsonld.own_id import check_own_id
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

__all__ = ["SIGN_SUITES", "VERIFY_SUITES", "Cryptosuite", "Suites"]


class Suites(Mapping[str, Cryptosuite]):
    """Cryptosuites by name, sharing one cache of templates."""

    def __init__(self, *, verify_only: bool = False) -> None:
        """Begin with an empty cache; `verify_only` adds the suites whose proofs are verified and no longer made."""
        self.templates = TemplateCache()
        suites: list[Cryptosuite] = [
            EddsaRdfc2022(self.templates),
            EddsaJcs2022(),
            EcdsaRdfc2019(self.templates),
            EcdsaJcs2019(),
        ]
        if verify_only:
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
            CredentialError, LimitError: see `canonical.canonicalize` and `own_id.check_own_id`.
        """
        text = orjson.dumps(document) if text is None else text
        known = self.templates.read(document, text, profile)
        if not known.single:
            check_own_id(document, text)
        return known

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


SIGN_SUITES = Suites()
"""For what is signed here."""

VERIFY_SUITES = Suites(verify_only=True)
"""For what others hand in; their templates never push out those of what is signed here."""
