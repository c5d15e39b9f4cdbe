"""The DID document of an issuer: every key that it ever announced, with what its state means to a verifier."""

from collections.abc import Iterable
from typing import Any

import orjson

from libs.openbadges.crypto.did import DID_CONTEXT, MULTIKEY_CONTEXT, verification_method
from libs.openbadges.model import times
from services.issuer.keys.states import KeyState, SigningKey

_PAST = frozenset({KeyState.RETIRED, KeyState.COMPROMISED})


def did_document(did: str, keys: Iterable[SigningKey], previous: str | None = None) -> str:
    """Return the document as JSON text (DID Core 1.0, sections 5.2 and 5.3; Controlled Identifiers 1.0, section 2.2).

    A key that is next, active or retiring may sign. A retired one has `expires`, the moment of its retirement: what it
    signed before stays good. A compromised one has `revoked`, the moment from which its signatures are not trusted.

    Args:
        did: the issuer.
        keys: all of its keys in this database, the oldest first.
        previous: the document before this one. A key that stands there and not in `keys` (after a restore from an older
            backup) stays, since what it signed must verify.
    """
    methods = {verification_method(did, key.key_id): _method(did, key) for key in keys}
    past = {verification_method(did, key.key_id) for key in keys if key.state in _PAST}
    before: dict[str, Any] = {} if previous is None else orjson.loads(previous)
    lost = [each for each in before.get("verificationMethod", []) if each["id"] not in methods]
    listed = [*(each["id"] for each in lost), *methods]
    return orjson.dumps(
        {
            "@context": [DID_CONTEXT, MULTIKEY_CONTEXT],
            "id": did,
            "verificationMethod": [*lost, *methods.values()],
            "authentication": [each for each in methods if each not in past],
            "assertionMethod": listed,
        }
    ).decode()


def _method(did: str, key: SigningKey) -> dict[str, Any]:
    method: dict[str, Any] = {
        "id": verification_method(did, key.key_id),
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": key.key_id,
    }
    if KeyState.RETIRED in key.times:
        method["expires"] = times.write(key.times[KeyState.RETIRED])
    if key.distrusted_from is not None:
        method["revoked"] = times.write(key.distrusted_from)
    return method
