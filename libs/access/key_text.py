"""The text of an API key: how one is made, told from any other text without a database, and stored as a digest."""

import hashlib
import re
import secrets

# A prefix that secret scanners can find, 256 random bits in base64url, and the beginning of their SHA-256.
_FORM = re.compile(r"(bb_[A-Za-z0-9_-]{43})([0-9a-f]{8})")
_ID_DIGITS = 16


def new_key() -> str:
    """Return a new API key: 256 random bits in base64url after a prefix, and eight digits that check them."""
    text = f"bb_{secrets.token_urlsafe(32)}"
    return text + _check(text)


def is_well_formed(key: str) -> bool:
    """Return whether this can be an API key; what somebody mistyped or made up without knowing the form cannot."""
    found = _FORM.fullmatch(key)
    return found is not None and _check(found[1]) == found[2]


def key_sha256(key: str) -> str:
    """Return what is stored of a key, SHA-256 in hex. Of 256 random bits it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_id(sha256: str) -> str:
    """Return the id of the key with this digest: its first 16 digits. It names the key, and opens nothing."""
    return sha256[:_ID_DIGITS]


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
