"""The configuration that conformance suites are given: which endpoint does what, under which name, with which key."""

import json
from typing import Any, Final

from conformance.issuing.api import PATH
from conformance.issuing.instances import INSTANCES, Instances

_BOTH: Final = {"vc": ["1.1", "2.0"]}
_NEWER: Final = {"vc": ["2.0"]}
_ALL_SUITES: Final = ["eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019", "Ed25519Signature2020"]
_EVERYTHING: Final = [*_ALL_SUITES, "vc2.0", "vc-api", "BitstringStatusList", "EnvelopingProof", "vc-jose-cose"]
_TAGS: Final = {
    "eddsa-rdfc-2022": ["eddsa-rdfc-2022", "vc2.0", "vc-api"],
    "eddsa-jcs-2022": ["eddsa-jcs-2022"],
    "ecdsa-rdfc-2019": ["ecdsa-rdfc-2019"],
    "ecdsa-jcs-2019": ["ecdsa-jcs-2019"],
    "revocation": ["BitstringStatusList", "Revocation"],
    "suspension": ["BitstringStatusList", "Suspension"],
    "enveloped": ["EnvelopingProof", "vc-jose-cose"],
}


def configuration(instances: Instances, base: str, key: str) -> dict[str, Any]:
    """One implementation as the suites list them, with absolute URLs and the header that opens them."""
    opened = {"headers": {"Authorization": f"Bearer {key}"}}
    # The suite of Bitstring Status List posts to the URL that it is given and sends no header.
    in_url = f"?access_token={key}"
    issuers, status_lists = [], []
    for one in INSTANCES.values():
        issuer = {
            "id": instances.did(one.curve),
            "endpoint": f"{base}{PATH}/{one.name}/credentials/issue{'' if one.purpose is None else in_url}",
            # Status entries and envelopes came with version 2.0.
            "supports": _BOTH if one.cryptosuite is not None and one.purpose is None else _NEWER,
            "tags": [*_TAGS[one.name], "localhost"],
            **opened,
        }
        if one.curve == "P-256":
            issuer["supportedEcdsaKeyTypes"] = ["P-256"]
        issuers.append(issuer)
        if one.purpose is not None:
            status_lists.append(
                {
                    "id": issuer["id"],
                    "endpoint": f"{base}/credentials/status",
                    "tags": [*_TAGS[one.name], "localhost"],
                    **opened,
                }
            )
    verifier = {"supports": _BOTH, "supportedEcdsaKeyTypes": ["P-256"], "tags": [*_EVERYTHING, "localhost"]}
    named = {"id": instances.did("Ed25519"), **verifier}
    return {
        "name": "Bowerbird",
        "implementation": "Bowerbird",
        # The suites' list of implementations leaves out a local one that does not say so.
        "only": True,
        "issuers": issuers,
        "verifiers": [{**named, "endpoint": f"{base}/credentials/verify"}],
        "vpVerifiers": [{**named, "endpoint": f"{base}/presentations/verify"}],
        "statusLists": status_lists,
    }


def as_json(implementation: dict[str, Any]) -> str:
    """As a manifest of its own."""
    return json.dumps(implementation, indent=2) + "\n"


def as_local_config(implementation: dict[str, Any]) -> str:
    """As localConfig.cjs, which the suites read beside their package.json."""
    whole = {
        "settings": {"enableInteropTests": False, "testAllImplementations": False},
        "implementations": [implementation],
    }
    return f"module.exports = {json.dumps(whole, indent=2)};\n"
