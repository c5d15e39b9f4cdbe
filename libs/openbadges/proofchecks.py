"""Is a credential's proof good, and is its key the issuer's? Each answered pass, fail or unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.openbadges import times
from libs.openbadges.did import controller_of, find_method, resolve_did_key
from libs.openbadges.errors import CredentialError, LimitError, UndecidedError, UnknownContextError
from libs.openbadges.keys import read_public
from libs.openbadges.multibase import decode_multibase
from libs.openbadges.proofs import OFFERED, Cryptosuite, Unsecured
from libs.openbadges.report import Outcome, worst

MOST_PROOFS = 8
KEY_TYPES = ("Multikey", "Ed25519VerificationKey2020")

Documents = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question; `at` is set where it speaks of another moment than now."""

    outcome: Outcome
    code: str
    sentence: str
    at: datetime | None = None


def proofs_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer a document's proofs, one or a set; what is not an object is none."""
    proof = document.get("proof")
    return [one for one in (proof if isinstance(proof, list) else [proof]) if isinstance(one, dict)]


def issuer_of(document: dict[str, Any]) -> str | None:
    """Answer the identifier of the issuer, named or described."""
    issuer = document.get("issuer")
    identifier = issuer.get("id") if isinstance(issuer, dict) else issuer
    return identifier if isinstance(identifier, str) and identifier else None


class _Keys:
    """The keys that a document's proofs name, each looked for once."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._found: dict[str, Mapping[str, Any] | CredentialError | None] = {}

    def find(self, method: str) -> Mapping[str, Any] | None:
        """Find a key; None where its owner's document is not there.

        Raises:
            UndecidedError, CredentialError: see `_resolve`.
        """
        if method not in self._found:
            try:
                self._found[method] = _resolve(method, self._documents)
            except CredentialError as error:
                self._found[method] = error
        found = self._found[method]
        if isinstance(found, CredentialError):
            raise found
        return found


def check_proofs(
    document: dict[str, Any], unsecured: Unsecured | CredentialError, documents: Documents, now: datetime
) -> tuple[Finding, Finding]:
    """Check every proof of a document, each by its own key; then whether a good one is the issuer's.

    A proof that fails rules over all others. One that cannot be checked is passed over where another is good:
    Open Badges 3.0 (section 8.2) asks for any one proof.

    Args:
        document: the credential with its proofs.
        unsecured: the same without, or why it could not be had.
        documents: DID documents by DID.
        now: the moment to judge expiry by.

    Returns:
        What was found about the proofs, and about the issuer.
    """
    proofs = proofs_of(document)
    if not proofs or (isinstance(document["proof"], list) and len(proofs) != len(document["proof"])):
        missing = Finding("fail", "proof_missing", "The credential carries no proof.")
        return missing, Finding("fail", "issuer_unproven", "Nothing ties the credential to an issuer.")
    if len(proofs) > MOST_PROOFS:
        many = Finding("unknown", "too_many_proofs", "The credential carries more proofs than are checked.")
        return many, many
    keys = _Keys(documents)
    findings = [_check_proof(unsecured, proof, proofs, keys, now) for proof in proofs]
    outcomes = {finding.outcome for finding in findings}
    ruling: Outcome = "pass" if outcomes == {"pass", "unknown"} else worst(outcomes)
    proven = next(finding for finding in findings if finding.outcome == ruling)
    return proven, _check_issuer(document, list(zip(proofs, findings, strict=True)), keys)


def _check_proof(
    document: Unsecured | CredentialError,
    proof: dict[str, Any],
    proofs: list[dict[str, Any]],
    keys: _Keys,
    now: datetime,
) -> Finding:
    try:
        suite = _suite_of(proof)
        _check_form(proof, now)
        if isinstance(document, CredentialError):
            raise document
        options = {name: value for name, value in proof.items() if name != "proofValue"}
        message = suite.signing_input(_with_previous(document, proof, proofs), options)
        key = keys.find(proof["verificationMethod"])
        if key is None:
            owner = controller_of(proof["verificationMethod"])
            return Finding("unknown", "key_unavailable", f"The document of {owner} could not be had.")
        good = suite.verify(read_public(key["publicKeyMultibase"]), message, decode_multibase(proof["proofValue"]))
    except (LimitError, UnknownContextError, UndecidedError) as error:
        return Finding("unknown", error.code, str(error))
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    if not good:
        return Finding("fail", "proof_invalid", "The proof is not that of this text: one of the two was changed.")
    return Finding("pass", "proof_valid", "The text is as it was signed.")


def _suite_of(proof: dict[str, Any]) -> Cryptosuite:
    """Answer the suite that checks a proof.

    Raises:
        UndecidedError: a kind of proof that is not checked here.
    """
    suite = OFFERED.of(proof)
    if suite is None:
        name = proof.get("cryptosuite", proof.get("type"))
        raise UndecidedError("cryptosuite_unknown", f"Proofs of the kind {name} are not checked here.")
    return suite


def _check_form(proof: dict[str, Any], now: datetime) -> None:
    """Check what does not need cryptography (Data Integrity 1.0, section 4.4).

    Raises:
        CredentialError: a proof that is wrong whatever its value.
    """
    if proof.get("proofPurpose") != "assertionMethod":
        raise CredentialError("proof_purpose", "The proof was made for another purpose than to assert a credential.")
    if not isinstance(proof.get("verificationMethod"), str) or not isinstance(proof.get("proofValue"), str):
        raise CredentialError("proof_form", "The proof does not name its key, or has no value.")
    if "created" in proof:
        times.read(proof["created"], "/proof/created")
    if "expires" in proof and times.read(proof["expires"], "/proof/expires") <= now:
        raise CredentialError("proof_expired", f"The proof was good until {proof['expires']}.")


def _with_previous(document: Unsecured, proof: dict[str, Any], proofs: list[dict[str, Any]]) -> Unsecured:
    """Add to the document the proofs that this one rests on and signs with it (Data Integrity 1.0, section 4.3).

    Raises:
        CredentialError: one of them is not there, or there more than once.
    """
    if "previousProof" not in proof:
        return document
    previous = proof["previousProof"]
    named = previous if isinstance(previous, list) else [previous]
    found = [one for one in proofs if one is not proof and one.get("id") in named]
    if not named or sorted(str(one["id"]) for one in found) != sorted(map(str, named)):
        raise CredentialError("proof_chain", "The proof rests on another proof that is not here.", "/proof")
    return OFFERED.unsecured({**document.content, "proof": found})


def _check_issuer(document: dict[str, Any], checked: list[tuple[dict[str, Any], Finding]], keys: _Keys) -> Finding:
    """Check that the key of a good proof belongs to the issuer, who allows it to sign credentials.

    Where no proof is good, the keys that proofs name are looked at all the same; the verdict is no pass anyhow.
    """
    issuer = issuer_of(document)
    own = [
        (str(proof.get("verificationMethod")), finding)
        for proof, finding in checked
        if controller_of(str(proof.get("verificationMethod"))) == issuer
    ]
    if not own:
        other = controller_of(str(checked[0][0].get("verificationMethod")))
        return Finding("fail", "issuer_mismatch", f"The key is that of {other}, the issuer is {issuer}.")
    good = [method for method, finding in own if finding.outcome == "pass"]
    if not good and any(finding.outcome == "pass" for _, finding in checked):
        return Finding("unknown", "issuer_unproven", "The proof by the issuer's own key could not be checked.")
    try:
        found = [keys.find(method) for method in good or [method for method, _ in own]]
    except UndecidedError as error:
        return Finding("unknown", error.code, str(error))
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    if None in found:
        return Finding("unknown", "issuer_unavailable", f"The document of {issuer} could not be had.")
    return Finding("pass", "issuer_key", f"The key belongs to {issuer}, who allows it to sign credentials.")


def _resolve(method: str, documents: Documents) -> Mapping[str, Any] | None:
    """Find a verification method in what was looked up; None where its owner's document is not there.

    Raises:
        UndecidedError: what was looked up is another's document, or holds a key that cannot be read.
        CredentialError: the document is there and does not allow the key.
    """
    owner = controller_of(method)
    document = resolve_did_key(owner) if owner.startswith("did:key:") else documents.get(owner)
    if document is None:
        return None
    if document.get("id") != owner:
        raise UndecidedError("did_mismatch", f"The document given for {owner} is that of {document.get('id')}.")
    found = find_method(dict(document), method)
    if found.get("type") not in KEY_TYPES or not isinstance(found.get("publicKeyMultibase"), str):
        raise UndecidedError("key_kind", f"The key {method} is of a kind that is not read here.")
    return found
