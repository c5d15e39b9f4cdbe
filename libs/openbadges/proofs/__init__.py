"""Data Integrity proofs: one protocol, one module per cryptosuite, and the registry of those that are known."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from libs.openbadges.proofs.eddsa_rdfc_2022 import EddsaRdfc2022
from libs.openbadges.proofs.suite import Cryptosuite

SUITES: Final[Mapping[str, Cryptosuite]] = MappingProxyType({suite.name: suite for suite in [EddsaRdfc2022()]})
"""Cryptosuites by the name that a DataIntegrityProof carries."""

__all__ = ["SUITES", "Cryptosuite"]
