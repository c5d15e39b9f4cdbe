"""The digest of a document's canonical RDF, which every -rdfc- cryptosuite signs."""

import hashlib
from typing import Any

from libs.openbadges.canonical import canonicalize


def digest(document: dict[str, Any]) -> bytes:
    """Answer SHA-256 of the canonical N-Quads of a document whose size was checked before.

    Raises:
        CredentialError, LimitError: see `canonical.canonicalize`.
    """
    return hashlib.sha256(canonicalize(document).encode()).digest()
