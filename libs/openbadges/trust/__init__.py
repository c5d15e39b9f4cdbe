"""Whom to believe: parties that are registered or listed, names that look alike, and what an installation published."""

from libs.openbadges.trust.names import skeleton
from libs.openbadges.trust.parties import KnownParties, Party, Registry, Standing
from libs.openbadges.trust.publications import Publications, own_credential_uuid
from libs.openbadges.trust.registry import ISSUER_LIST_TYPE, read_registry
from libs.openbadges.trust.signer import Signer

__all__ = [
    "ISSUER_LIST_TYPE",
    "KnownParties",
    "Party",
    "Publications",
    "Registry",
    "Signer",
    "Standing",
    "own_credential_uuid",
    "read_registry",
    "skeleton",
]
