"""JSON Web Signatures in compact form: taken apart within limits, put together, and checked with one key."""

import base64
import codecs
import re
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import ExceededSizeError, JoseError, MissingAlgorithmError
from joserfc.jws import JWSRegistry, extract_compact

from libs.openbadges.crypto.jwk import PrivateKey, jose_key, public_of
from libs.openbadges.crypto.keys import KeyKind, PublicKey, Signer, verify_ed25519
from libs.openbadges.jsonld.parsing import LIMITS, Limits, parse, write
from libs.openbadges.model.budget import SIGNATURE_COST, spend
from libs.openbadges.model.errors import CredentialError, LimitError, UndecidedError, UnreadFormError

ALGORITHMS: Final[dict[str, KeyKind]] = {
    "RS256": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
"""By name, the kind of key that each takes: RFC 7518 (section 3.1), RFC 8037, and RFC 9864 for the name Ed25519."""

COMPACT_JWS: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
"""A signed JWT in compact form (RFC 7515, section 7.1)."""

_SD_JWT: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]+~")
_ENCRYPTED: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){3}")
_HEADER_BYTES: Final = 8 * 1024
_SIGNATURE_BYTES: Final = 2 * 1024
_SIGNATURE_SIZE: Final[dict[KeyKind, range]] = {
    "Ed25519": range(64, 65),
    "P-256": range(64, 65),
    "P-384": range(96, 97),
    "RSA": range(256, 1025),
}
_HEADER_LIMITS: Final = Limits(bytes=_HEADER_BYTES, depth=6, nodes=200)


@dataclass(frozen=True, slots=True)
class Compact:
    """A JWS that was taken apart; nothing is known yet about whether it is good.

    Attributes:
        header: the protected header; `alg` is text.
        payload: the bytes that are signed, decoded.
        signing_input: what the signature is over: header and payload as they came.
        signature: decoded.
    """

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def as_compact(text: str | bytes) -> str | None:
    """Return a compact JWS without the space and byte order mark around it; None for what does not look like one."""
    if text[:1] in {"{", b"{"}:
        return None
    shown = text.removeprefix(codecs.BOM_UTF8).decode("latin-1") if isinstance(text, bytes) else text
    stripped = shown.removeprefix("\ufeff").strip(" \t\r\n")
    return stripped if COMPACT_JWS.match(stripped) else None


def refuse_other_tokens(text: str | bytes) -> None:
    """Refuse a token that begins as a JWT does and is of a kind that is not read here, so that nothing is said of it.

    Raises:
        UnreadFormError: an SD-JWT (RFC 9901, section 4), or an encrypted token (JWE, RFC 7516, section 7.1).
    """
    start = text[:8] if isinstance(text, str) else text[:8].decode("latin-1")
    if not start.lstrip("\ufeff\u00ef\u00bb\u00bf \t\r\n").startswith("eyJ"):
        return
    shown = (text if isinstance(text, str) else text.decode("latin-1")).strip("\ufeff\u00ef\u00bb\u00bf \t\r\n")
    if _SD_JWT.match(shown):
        raise UnreadFormError(
            "sd_jwt", "This is an SD-JWT, which shows parts of a credential by choice; that kind is not read here."
        )
    if _ENCRYPTED.fullmatch(shown):
        raise UnreadFormError("jwe", "This token is encrypted, so nobody but whom it was meant for can read it.")


def read_compact(text: str | bytes, limits: Limits = LIMITS) -> Compact:
    """Take a compact JWS apart (RFC 7515, sections 5.2 and 7.1).

    Each part must be base64url without padding and without spare bits, so that one JWS has one text.

    Args:
        text: the three parts.
        limits: of the payload.

    Raises:
        LimitError: larger than the limits.
        CredentialError: `jws_form`, not three parts of base64url; `header_form`, a header without an algorithm;
            `header_crit`, extensions that must be understood and are not; `duplicate_key` or `not_json`, a header
            that readers would disagree about.
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    try:
        taken = extract_compact(raw, registry=_registry(limits))
        signature = _decode(raw.rsplit(b".", 1)[1])
    except ExceededSizeError as error:
        raise LimitError("too_large", f"The JSON Web Token is larger than is read here: {error.description}") from error
    except MissingAlgorithmError as error:
        raise CredentialError("header_form", "The token's header does not name an algorithm.") from error
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise CredentialError("jws_form", "The JSON Web Token does not have three parts in base64url.") from error
    header_text, payload_text, _signature_text = raw.split(b".")
    header = parse(_decode(header_text), _HEADER_LIMITS)
    if "crit" in header or "b64" in header:
        # Nothing that a header can call critical is understood here (RFC 7515, section 4.1.11).
        raise CredentialError("header_crit", "The token's header asks for extensions that are not understood here.")
    for name, kind in (("alg", str), ("kid", str | None), ("jwk", dict | None), ("iss", str | None)):
        if not isinstance(header.get(name), kind):
            raise CredentialError("header_form", f"The token's header has no {name}, or one of the wrong kind.")
    return Compact(header, taken.payload, header_text + b"." + payload_text, signature)


def write_compact(header: dict[str, Any], payload: bytes, signer: Signer, public: PublicKey | None = None) -> str:
    """Sign a payload and put the parts together (RFC 7515, sections 5.1 and 7.1).

    Args:
        header: with an `alg` of `ALGORITHMS`.
        payload: as it is signed.
        signer: holds the private key of that kind.
        public: its public half, where the caller has it; the signature is then checked before it leaves.

    Raises:
        CredentialError: `algorithm_unknown`; `algorithm_mismatch`, the signer's key is of another kind.
    """
    kind = kind_of(header["alg"])
    if isinstance(signer, PrivateKey):
        public = public_of(signer)
    if public is not None and public.kind != kind:
        raise CredentialError("algorithm_mismatch", f"A {public.kind} key does not sign with {header['alg']}.")
    signing_input = _encode(write(header)) + b"." + _encode(payload)
    signature = signer.sign(signing_input)
    if len(signature) not in _SIGNATURE_SIZE[kind]:
        raise CredentialError("algorithm_mismatch", f"The signer's answer is no signature of {header['alg']}.")
    return (signing_input + b"." + _encode(signature)).decode()


def kind_of(algorithm: str) -> KeyKind:
    """Return the kind of key that an algorithm takes (RFC 7518, section 3.1).

    Raises:
        UndecidedError: `algorithm_unknown`, an algorithm for signatures that is not checked here.
        CredentialError: `algorithm_none`, no signature; `algorithm_symmetric`, a key that readers share with the
            writer and that proves nothing about who wrote (RFC 8725, section 3.1).
    """
    kind = ALGORITHMS.get(algorithm)
    if kind is not None:
        return kind
    if algorithm.lower() == "none":
        raise CredentialError("algorithm_none", "The token says of itself that it is not signed.")
    if algorithm.upper().startswith("HS"):
        raise CredentialError("algorithm_symmetric", "Whoever could check such a signature could also make it.")
    raise UndecidedError("algorithm_unknown", f"Signatures of the kind {algorithm} are not checked here.")


def algorithm_of(key: PrivateKey) -> str:
    """Return the algorithm that a key of ours signs with: Ed25519, ES256 or RS256 (RFC 7518 and RFC 9864)."""
    return {"Ed25519": "Ed25519", "P-256": "ES256", "RSA": "RS256"}[public_of(key).kind]


def check_signature(compact: Compact, key: PublicKey) -> bool:
    """Return whether a JWS was signed with a key, by the algorithm that its header names (RFC 7515, section 5.2).

    Raises:
        UndecidedError, CredentialError: see `kind_of`; `algorithm_mismatch`, the key is of another kind than the
            algorithm takes, whoever asked for it.
    """
    algorithm = compact.header["alg"]
    kind = kind_of(algorithm)
    if key.kind != kind:
        raise CredentialError("algorithm_mismatch", f"A {key.kind} key does not sign with {algorithm}.")
    spend(SIGNATURE_COST)
    if kind == "Ed25519":
        # The library would take a key of small order, under which one signature is good for every text.
        return verify_ed25519(key.raw, compact.signing_input, compact.signature)
    model, held = JWSRegistry.algorithms[algorithm], jose_key(key)
    model.check_key(held)
    return model.verify(compact.signing_input, compact.signature, held)


class _Registry(JWSRegistry):
    """The library's registry with limits of our own."""

    max_header_length = _HEADER_BYTES
    max_signature_length = _SIGNATURE_BYTES


def _registry(limits: Limits) -> JWSRegistry:
    registry = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)
    registry.max_payload_length = limits.bytes * 4 // 3 + 4
    return registry


def _decode(part: bytes) -> bytes:
    """Decode base64url, of which there must be only one way to write it (RFC 7515, section 2; RFC 4648, 3.5)."""
    raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if _encode(raw) != part:
        raise ValueError
    return raw


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
