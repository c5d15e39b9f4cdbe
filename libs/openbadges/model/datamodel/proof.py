"""What a Data Integrity proof must be, before any cryptography (Data Integrity 1.0, section 2.1)."""

from typing import Any

from libs.openbadges.model import times
from libs.openbadges.model.datamodel.forms import is_url
from libs.openbadges.model.errors import CredentialError


def check_proof_kind(proof: dict[str, Any]) -> None:
    """Check that a proof says of which kind it is.

    Raises:
        CredentialError: no type, or a Data Integrity proof without a cryptosuite (`proof_form`).
    """
    if not isinstance(proof.get("type"), str) or not proof["type"]:
        raise _wrong("A proof has one type, as text.", "type")
    suite = proof.get("cryptosuite")
    if ("cryptosuite" in proof or proof["type"] == "DataIntegrityProof") and not isinstance(suite, str):
        raise _wrong("A Data Integrity proof names its cryptosuite, as text.", "cryptosuite")


def check_proof_form(proof: dict[str, Any]) -> None:
    """Check the parts of one proof that mean the same for every suite.

    Raises:
        CredentialError: something is missing or of the wrong kind (`proof_form`), or a malformed date.
    """
    check_proof_kind(proof)
    for name in ("verificationMethod", "proofPurpose", "proofValue"):
        if not isinstance(proof.get(name), str) or not proof[name]:
            raise _wrong("This is text, and a proof has it.", name)
    for name in ("challenge", "nonce"):
        if name in proof and not isinstance(proof[name], str):
            raise _wrong("This is text.", name)
    for name in ("domain", "previousProof"):
        if name in proof and not _is_texts(proof[name]):
            raise _wrong("This is one or more texts.", name)
    for name in ("id", "verificationMethod"):
        if name in proof and not is_url(proof[name]):
            raise _wrong("This is a URL.", name)
    for name in ("created", "expires"):
        if name in proof:
            times.read_lenient(proof[name], f"/proof/{name}")


def _is_texts(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(one, str) for one in listed)


def _wrong(message: str, name: str) -> CredentialError:
    return CredentialError("proof_form", message, f"/proof/{name}")
