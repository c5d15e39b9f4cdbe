"""Whom to believe: parties that are registered or listed, names that look alike, and what an installation published."""

from libs.openbadges.trust.issuer_list import ISSUER_LIST_TYPE, write_issuer_list
from libs.openbadges.trust.names import skeleton
from libs.openbadges.trust.parties import KnownParties, Party, Registry, Standing, Suspension
from libs.openbadges.trust.publications import Publications, own_credential_uuid
from libs.openbadges.trust.registry import REGISTRY_TEXT_BYTES, read_registry
from libs.openbadges.trust.signer import Signer

__all__ = [
    "ISSUER_LIST_TYPE",
    "REGISTRY_TEXT_BYTES",
    "KnownParties",
    "Party",
    "Publications",
    "Registry",
    "Signer",
    "Standing",
    "Suspension",
    "own_credential_uuid",
    "read_registry",
    "skeleton",
    "write_issuer_list",
]
