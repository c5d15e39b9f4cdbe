"""The DID document of an issuer: every key that it ever announced, with what its state means to a verifier."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from libs.common.stored import UNREADABLE
from libs.common.telemetry import get_logger
from libs.openbadges.crypto.did import DID_CONTEXT, MULTIKEY_CONTEXT, verification_method
from libs.openbadges.model import times
from services.issuer.keys.states import KeyState, SigningKey

# What says that a key signs no longer.
_ENDS = frozenset({"expires", "revoked"})


def did_document(did: str, keys: Iterable[SigningKey], previous: str | None = None) -> str:
    """Return the document as JSON text (DID Core 1.0, sections 5.2 and 5.3; Controlled Identifiers 1.0, section 2.2).

    A key that is next, active or retiring may sign. A retired one has `expires`, the moment of its retirement: what it
    signed before stays good. A compromised one has `revoked`, the moment from which its signatures are not trusted.

    Args:
        did: the issuer.
        keys: all of its keys in this database, the oldest first.
        previous: the document before this one. After a restore from an older backup, `keys` may know less than it: a
            key that is not there stays, since what it signed must verify, and the end of one stays, since what is
            distrusted must not verify again.
    """
    said = {} if previous is None else _methods_of(previous)
    methods: dict[str, dict[str, Any]] = {}
    for key in keys:
        name = verification_method(did, key.key_id)
        methods[name] = _method(name, did, key, said.pop(name, {}))
    lost = list(said.values())
    listed = [*(each["id"] for each in lost), *methods]
    return orjson.dumps(
        {
            "@context": [DID_CONTEXT, MULTIKEY_CONTEXT],
            "id": did,
            "verificationMethod": [*lost, *methods.values()],
            "authentication": [name for name, method in methods.items() if not _ENDS & method.keys()],
            "assertionMethod": listed,
        }
    ).decode()


def _methods_of(previous: str) -> dict[str, dict[str, Any]]:
    """Return what the document before this one says of keys; of one that cannot be read, by which nothing verifies."""
    try:
        return {each["id"]: each for each in orjson.loads(previous).get("verificationMethod", [])}
    except UNREADABLE as error:
        get_logger().error("a DID document cannot be read, and is made of the keys alone", problem=type(error).__name__)
        return {}


def _method(name: str, did: str, key: SigningKey, said: Mapping[str, Any]) -> dict[str, Any]:
    method: dict[str, Any] = {
        "id": name,
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": key.key_id,
    }
    for end, moment in (("expires", key.times.get(KeyState.RETIRED)), ("revoked", key.distrusted_from)):
        # Both are written in UTC to the second, so the earlier one is the lesser text.
        moments = [*([said[end]] if end in said else []), *([] if moment is None else [times.write(moment)])]
        if moments:
            method[end] = min(moments)
    return method
