"""Digests of related resources, checked for those that are bundled here; nothing is fetched for the others."""

import base64
import binascii
import hashlib
from typing import Any, Final

from libs.openbadges.crypto.base58btc import decode as decode_base58
from libs.openbadges.jsonld.contexts import CONTEXTS
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

MOST_RESOURCES: Final = 64

_SRI: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_MULTIHASH: Final = {b"\x12\x20": hashlib.sha256, b"\x20\x30": hashlib.sha384, b"\x13\x40": hashlib.sha512}


def check_resources(document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> None:
    """Check `relatedResource` (VCDM 2.0, section 5.3): form, one entry per resource, digests of contexts.

    Raises:
        CredentialError: `resource_form`, `resource_twice`, or `digest_mismatch` where a bundled file is another one.
    """
    related = document.get("relatedResource")
    if related is None:
        return
    entries = related if isinstance(related, list) else [related]
    if len(entries) > MOST_RESOURCES:
        raise CredentialError("resource_form", f"It names more than {MOST_RESOURCES} resources.", "/relatedResource")
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        path = f"/relatedResource/{number}"
        identifier = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(identifier, str):
            raise CredentialError("resource_form", "A related resource is an object with an id.", path)
        if identifier in seen:
            raise CredentialError("resource_twice", f"The resource {identifier} is named twice.", path)
        seen.add(identifier)
        matches = [_matches(identifier, digest) for digest in _digests(entry, path, profile)]
        if False in matches:
            raise CredentialError("digest_mismatch", f"{identifier} is not the file that is bundled here.", path)


def _digests(entry: dict[str, Any], path: str, profile: ProcessingProfile) -> list[tuple[Any, bytes]]:
    """Read an entry's digests, each with its hash function."""
    sri, multibase = entry.get("digestSRI"), entry.get("digestMultibase")
    texts = [*_words(sri), *(multibase if isinstance(multibase, list) else [multibase] if multibase else [])]
    if not texts or len(texts) > 8 or (sri is not None and not isinstance(sri, str)):
        raise CredentialError("resource_form", "A related resource has a digestSRI or a digestMultibase.", path)
    return [_multihash(text, path, profile) if text not in _words(sri) else _integrity(text, path) for text in texts]


def _words(sri: Any) -> list[str]:
    return sri.split() if isinstance(sri, str) else []


def _integrity(text: str, path: str) -> tuple[Any, bytes]:
    """Read Subresource Integrity (W3C SRI, section 3.5): sha384-BASE64."""
    name, _, encoded = text.partition("-")
    try:
        digest = base64.b64decode(encoded.partition("?")[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise CredentialError("resource_form", f"{text!r} is no integrity value.", path) from error
    if name not in _SRI or len(digest) != _SRI[name]().digest_size:
        raise CredentialError("resource_form", f"{text!r} is no integrity value.", path)
    return _SRI[name], digest


def _multihash(text: Any, path: str, profile: ProcessingProfile) -> tuple[Any, bytes]:
    """Read a multihash in multibase, base58btc or base64url (Controlled Identifiers 1.0, sections 2.4 and 2.5).

    The suite of VCDM 2.0 sends SHA-256 without the two bytes that say so; it alone gets that read.
    """
    try:
        raw = _multibase(text)
        if profile.bare_digests and len(raw) == hashlib.sha256().digest_size:
            return hashlib.sha256, raw
        hashing = _MULTIHASH[raw[:2]]
    except (ValueError, KeyError) as error:
        raise CredentialError("resource_form", "The digest is no multihash that is known here.", path) from error
    if len(raw) - 2 != raw[1]:
        raise CredentialError("resource_form", "The digest is longer or shorter than its kind.", path)
    return hashing, raw[2:]


def _multibase(text: Any) -> bytes:
    """Read base58btc (z) or base64url (u).

    Raises:
        ValueError: neither, or too long for a digest.
    """
    if not isinstance(text, str) or len(text) > 200 or text[:1] not in {"u", "z"}:
        raise ValueError(text)
    if text.startswith("z"):
        return decode_base58(text[1:])
    return base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), b"-_", validate=True)


def _matches(identifier: str, digest: tuple[Any, bytes]) -> bool | None:
    """Compare with the context that is bundled; None where none of that name is.

    Schemas are left out: 1EdTech publishes newer editions under the same name.
    """
    if identifier not in CONTEXTS:
        return None
    return bool(digest[0](BUNDLED[identifier].text).digest() == digest[1])
