"""Data Integrity proofs: one protocol, one module per cryptosuite, and the registry of those that are known."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from libs.openbadges.proofs.eddsa_rdfc_2022 import EddsaRdfc2022
from libs.openbadges.proofs.suite import Cryptosuite, Unsecured
from libs.openbadges.shapes.cache import ShapeCache

__all__ = ["ISSUED", "OFFERED", "Cryptosuite", "Suites", "Unsecured"]


class Suites(Mapping[str, Cryptosuite]):
    """The cryptosuites by the name that a DataIntegrityProof carries, sharing one cache of shapes."""

    def __init__(self) -> None:
        """Begin with an empty cache."""
        self.shapes = ShapeCache()
        self._suites: Mapping[str, Cryptosuite] = MappingProxyType(
            {suite.name: suite for suite in (EddsaRdfc2022(self.shapes),)}
        )

    def unsecured(self, document: dict[str, Any], text: bytes | None = None) -> Unsecured:
        """Take a document without its proof, if RDF can say all that it says.

        Args:
            document: the document.
            text: the same as `orjson.dumps` writes it, where the caller has it.

        Raises:
            CredentialError, LimitError: see `canonical.canonicalize`.
        """
        return Unsecured(document, self.shapes.digest(document, text))

    def __getitem__(self, name: str) -> Cryptosuite:
        return self._suites[name]

    def __iter__(self) -> Any:
        return iter(self._suites)

    def __len__(self) -> int:
        return len(self._suites)


ISSUED = Suites()
"""For what is signed here."""

OFFERED = Suites()
"""For what others hand in; their shapes never push out those of what is signed here."""
