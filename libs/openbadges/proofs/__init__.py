"""Data Integrity proofs: one protocol, one module per cryptosuite, and the registry of those that are known."""

from collections.abc import Iterator, Mapping
from typing import Any

from libs.openbadges.proofs.ecdsa_jcs_2019 import EcdsaJcs2019
from libs.openbadges.proofs.ecdsa_rdfc_2019 import EcdsaRdfc2019
from libs.openbadges.proofs.ed25519_signature_2020 import Ed25519Signature2020
from libs.openbadges.proofs.eddsa_jcs_2022 import EddsaJcs2022
from libs.openbadges.proofs.eddsa_rdfc_2022 import EddsaRdfc2022
from libs.openbadges.proofs.suite import Cryptosuite, Unsecured
from libs.openbadges.shapes.cache import ShapeCache

__all__ = ["ISSUED", "OFFERED", "Cryptosuite", "Suites", "Unsecured"]


class Suites(Mapping[str, Cryptosuite]):
    """Cryptosuites by name, sharing one cache of shapes."""

    def __init__(self, *, outdated: bool = False) -> None:
        """Begin with an empty cache; `outdated` adds what is verified but no longer issued."""
        self.shapes = ShapeCache()
        suites: list[Cryptosuite] = [
            EddsaRdfc2022(self.shapes),
            EddsaJcs2022(),
            EcdsaRdfc2019(self.shapes),
            EcdsaJcs2019(),
        ]
        if outdated:
            suites.append(Ed25519Signature2020(self.shapes))
        self._suites = {suite.name: suite for suite in suites}

    def unsecured(self, document: dict[str, Any], text: bytes | None = None) -> Unsecured:
        """Take a document without its proof, if RDF can say all that it says.

        Args:
            document: the document.
            text: the same as `orjson.dumps` writes it, where the caller has it.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        return Unsecured(document, self.shapes.digest(document, text))

    def of(self, proof: Mapping[str, Any]) -> Cryptosuite | None:
        """Answer the suite of a proof; None if it is of a kind that is not known here."""
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


ISSUED = Suites()
"""For what is signed here."""

OFFERED = Suites(outdated=True)
"""For what others hand in; their shapes never push out those of what is signed here."""
