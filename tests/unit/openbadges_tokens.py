"""Keys, tokens and a way to bend them, for the tests of JSON Web Tokens."""

import base64
from datetime import datetime
from functools import cache
from typing import Any

import orjson

from libs.openbadges.crypto.did import did_document_with_jwk, did_key, verification_method
from libs.openbadges.crypto.jwk import PrivateKey, public_of, thumbprint, write_jwk
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.crypto.rsa import RsaKey
from libs.openbadges.issue.jwt import sign_open_badge_jwt, sign_vc_jwt
from libs.openbadges.issue.signing import prepare
from libs.openbadges.jose import algorithm_of
from libs.openbadges.verify import ResolvedInputs, verify
from tests.unit.openbadges_samples import DID, NOW, badge, material

ED25519 = Ed25519Key.from_seed(bytes(range(32)))
P256 = P256Key.from_secret(b"\x01" * 32)
KINDS = ("Ed25519", "P-256", "RSA")


@cache
def rsa_key() -> RsaKey:
    return RsaKey.generate()


def key_of(kind: str) -> PrivateKey:
    return rsa_key() if kind == "RSA" else P256 if kind == "P-256" else ED25519


def kid_of(key: PrivateKey) -> str:
    return verification_method(DID, thumbprint(public_of(key)))


def given(*keys: PrivateKey, **changes: Any) -> ResolvedInputs:
    """What is looked up for the sample issuer when these are its keys, as JWKs."""
    document = did_document_with_jwk(DID, {}, "none")
    document["verificationMethod"] = [
        {"id": kid_of(key), "type": "JsonWebKey", "controller": DID, "publicKeyJwk": write_jwk(public_of(key))}
        for key in keys
    ]
    document["assertionMethod"] = document["authentication"] = [kid_of(key) for key in keys]
    return ResolvedInputs({DID: {**document, **changes}}, material().status_lists)


def badge_jwt(key: PrivateKey, number: int = 1, **changes: Any) -> str:
    return sign_open_badge_jwt(
        prepare(badge(number, status=None, **changes)), key, algorithm=algorithm_of(key), kid=kid_of(key)
    )


def vc_jwt(key: PrivateKey, number: int = 1, **changes: Any) -> str:
    return sign_vc_jwt(
        prepare(badge(number, status=None, **changes)), key, algorithm=algorithm_of(key), kid=kid_of(key)
    )


def own_vc_jwt(key: Ed25519Key | P256Key, number: int = 1) -> str:
    """A credential whose issuer is the key itself, so that nothing needs to be looked up."""
    did = did_key(key.public_multibase)
    document = badge(number, status=None)
    document["issuer"]["id"] = did
    return sign_vc_jwt(
        prepare(document), key, algorithm=algorithm_of(key), kid=verification_method(did, key.public_multibase)
    )


def encode(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part: str) -> Any:
    return orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def resigned(token: str, key: PrivateKey, header: Any = None, claims: Any = None, drop: tuple[str, ...] = ()) -> str:
    """The token with members of its header and claims changed or dropped, signed again: a liar with the right key."""
    first, second, _ = token.split(".")
    new_header, new_claims = {**decode(first), **(header or {})}, {**decode(second), **(claims or {})}
    for name in drop:
        new_header.pop(name, None)
        new_claims.pop(name, None)
    text = f"{encode(new_header)}.{encode(new_claims)}"
    return f"{text}.{encode(key.sign(text.encode()))}"


def as_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else orjson.dumps(value)


def codes(token: Any, material: ResolvedInputs, moment: datetime = NOW) -> dict[str, str]:
    """The checks that do not pass, by name."""
    report = verify(token, material, moment)
    return {check.name: f"{check.outcome} {check.code}" for check in report.checks if check.outcome != "pass"}
