"""Is a credential's proof good, and is its key the issuer's? Each answered pass, fail or unknown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.crypto.key_state import check_state
from libs.openbadges.crypto.keys import PublicKey
from libs.openbadges.crypto.methods import Documents, public_key, resolve
from libs.openbadges.crypto.multibase import decode_multibase
from libs.openbadges.integrity.suites import VERIFY_SUITES, Cryptosuite
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model import times
from libs.openbadges.model.budget import SIGNATURE_COST, spend
from libs.openbadges.model.datamodel import check_proof_form, check_proof_kind
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.model.findings import Finding, Outcome, worst
from libs.openbadges.model.members import holder_of, issuer_of, proofs_of

MOST_PROOFS = 8


_MISSING: Final = Finding("fail", "proof_missing", "The document carries no proof.")
_NO_MAP: Final = Finding("fail", "proof_not_map", "What stands where the proof belongs is none.")
_UNPROVEN: Final = Finding("fail", "issuer_unproven", "Nothing ties the document to anybody.")
_TOO_MANY: Final = Finding("unknown", "too_many_proofs", "The document carries more proofs than are checked.")


class _Keys:
    """The keys that a document's proofs name for a purpose, each looked for once."""

    def __init__(self, documents: Documents, purpose: str, now: datetime) -> None:
        self._documents = documents
        self._now = now
        self.purpose = purpose
        self._found: dict[str, Mapping[str, Any] | CredentialError | None] = {}

    def of(self, proof: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the key of a proof, in force when that was created; None where its owner's document is not there.

        Raises:
            UndecidedError, CredentialError: see `methods.resolve` and `key_state.check_state`.
        """
        found = self._find(str(proof.get("verificationMethod")))
        if found is not None:
            check_state(found, partial(_created, proof), self._now)
        return found

    def _find(self, method: str) -> Mapping[str, Any] | None:
        if method not in self._found:
            try:
                self._found[method] = resolve(method, self._documents, self.purpose)
            except CredentialError as error:
                self._found[method] = error
        found = self._found[method]
        if isinstance(found, CredentialError):
            raise found
        return found


def check_all_proofs(
    secured: Sequence[tuple[dict[str, Any], CanonicalDocument | CredentialError]],
    documents: Documents,
    now: datetime,
    *,
    purpose: str = "assertionMethod",
) -> list[tuple[Finding, Finding]]:
    """Check every proof of each document, each by its own key; then whether a good one is the issuer's.

    A proof that fails takes precedence over all others. One that cannot be checked is passed over where another is
    good: Open Badges 3.0 (section 8.2) asks for any one proof. Each step is done for all documents before the next,
    since a step's code that is in the processor's cache takes less.

    Args:
        secured: each document with its proofs, and the same without, or why that is not available.
        documents: DID documents by DID.
        now: the moment to judge expiry by.
        purpose: what every proof must have been made for (Data Integrity 1.0, section 2.3): assertionMethod for a
            credential, whose issuer's key is looked for, authentication for a presentation and its holder.

    Returns:
        Of each document, what was found about the proofs, and about the issuer.
    """
    keys = _Keys(documents, purpose, now)
    inputs = [_signature_inputs(document, unsecured, keys, now) for document, unsecured in secured]
    found = [read if isinstance(read, Finding) else [_checked(one) for one in read] for read in inputs]
    return [
        (findings, _UNPROVEN if findings in (_MISSING, _NO_MAP) else findings)
        if isinstance(findings, Finding)
        else _combined(document, findings, keys)
        for (document, _), findings in zip(secured, found, strict=True)
    ]


class SignatureInput(NamedTuple):
    """What a signature is checked with: that a key signed a message."""

    suite: Cryptosuite
    key: PublicKey
    message: bytes
    signature: bytes


def _signature_inputs(
    document: dict[str, Any], unsecured: CanonicalDocument | CredentialError, keys: _Keys, now: datetime
) -> list[SignatureInput | Finding] | Finding:
    """Read the signatures of a document's proofs, each or what is wrong with it; or what is wrong with all."""
    proofs = proofs_of(document)
    given = document.get("proof", [])
    if len(proofs) != (len(given) if isinstance(given, list) else 1):
        return _NO_MAP
    if not proofs:
        return _MISSING
    if len(proofs) > MOST_PROOFS:
        return _TOO_MANY
    return [_signature_input(unsecured, proof, proofs, keys, now) for proof in proofs]


def _signature_input(
    document: CanonicalDocument | CredentialError,
    proof: dict[str, Any],
    proofs: list[dict[str, Any]],
    keys: _Keys,
    now: datetime,
) -> SignatureInput | Finding:
    try:
        suite = _suite_of(proof)
        _check_form(proof, now, keys.purpose)
        if isinstance(document, CredentialError):
            raise document
        # Whatever costs little comes before hashing, whose cost the document's author chooses.
        key = keys.of(proof)
        if key is None:
            owner = controller_of(proof["verificationMethod"])
            return Finding("unknown", "key_unavailable", f"The document of {owner} is not available.")
        public, signature = public_key(key), decode_multibase(proof["proofValue"])
        options = {name: value for name, value in proof.items() if name != "proofValue"}
        message = suite.signing_input(_with_previous(document, proof, proofs), options)
        spend(SIGNATURE_COST)
        return SignatureInput(suite, public, message, signature)
    except CredentialError as error:
        return Finding.of(error)


def _checked(read: SignatureInput | Finding) -> Finding:
    """Return whether a signature is that of its key over the text."""
    if isinstance(read, Finding):
        return read
    if not read.suite.verify(read.key, read.message, read.signature):
        return Finding("fail", "proof_invalid", "The proof is not that of this text: one of the two was changed.")
    return Finding("pass", "proof_valid", "The text is as it was signed.")


def _combined(document: dict[str, Any], findings: list[Finding], keys: _Keys) -> tuple[Finding, Finding]:
    """Return what the findings about a document's proofs come to, and whether a good proof is the issuer's."""
    outcomes = {finding.outcome for finding in findings}
    outcome: Outcome = "pass" if outcomes == {"pass", "unknown"} else worst(outcomes)
    proven = next(finding for finding in findings if finding.outcome == outcome)
    checked = list(zip(proofs_of(document), findings, strict=True))
    if keys.purpose == "assertionMethod":
        return proven, _check_owner(issuer_of(document), "issuer", checked, keys)
    holder = holder_of(document)
    if holder is None:
        return proven, Finding("pass", "holder_unnamed", "The presentation does not say whose it is.")
    return proven, _check_owner(holder, "holder", checked, keys)


def _suite_of(proof: dict[str, Any]) -> Cryptosuite:
    """Return the suite that checks a proof.

    Raises:
        UndecidedError: a kind of proof that is not checked here.
        CredentialError: a proof that does not say of which kind it is.
    """
    check_proof_kind(proof)
    suite = VERIFY_SUITES.of(proof)
    if suite is None:
        name = proof.get("cryptosuite", proof.get("type"))
        raise UndecidedError("cryptosuite_unknown", f"Proofs of the kind {name} are not checked here.")
    return suite


def _check_form(proof: dict[str, Any], now: datetime, purpose: str) -> None:
    """Check what does not need cryptography (Data Integrity 1.0, section 4.4).

    Raises:
        CredentialError: a proof that is wrong whatever its value.
    """
    check_proof_form(proof)
    if proof["proofPurpose"] != purpose:
        raise CredentialError("proof_purpose", f"The proof was made for another purpose than {purpose}.")
    if "expires" in proof and times.read_lenient(proof["expires"], "/proof/expires") <= now:
        raise CredentialError("proof_expired", f"The proof was good until {proof['expires']}.")


def _with_previous(
    document: CanonicalDocument, proof: dict[str, Any], proofs: list[dict[str, Any]]
) -> CanonicalDocument:
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
    return VERIFY_SUITES.canonical({**document.document, "proof": found}, profile=document.profile)


def _check_owner(owner: str | None, role: str, checked: list[tuple[dict[str, Any], Finding]], keys: _Keys) -> Finding:
    """Check that the key of a good proof belongs to the issuer (or holder), who allows it for the purpose.

    Where no proof is good, the keys that proofs name are looked at all the same; the verdict is no pass anyhow.
    """
    own = [
        (proof, finding) for proof, finding in checked if controller_of(str(proof.get("verificationMethod"))) == owner
    ]
    if not own:
        other = controller_of(str(checked[0][0].get("verificationMethod")))
        return other_owner(role, owner, other)
    good = [proof for proof, finding in own if finding.outcome == "pass"]
    if not good and any(finding.outcome == "pass" for _, finding in checked):
        return Finding("unknown", f"{role}_unproven", f"The proof by the {role}'s own key could not be checked.")
    try:
        found = [keys.of(proof) for proof in good or [proof for proof, _ in own]]
    except CredentialError as error:
        return Finding.of(error)
    if None in found:
        return Finding("unknown", f"{role}_unavailable", f"The document of {owner} is not available.")
    return key_of_owner(role, owner)


def other_owner(role: str, owner: str | None, other: str | None) -> Finding:
    """Return that a key belongs to another than the issuer (or holder), as far as their names tell.

    The document of a key at an https URL says whose it is, and the URL alone does not: whoever may publish at one URL
    of a host may be another than who publishes at the next, or the same.
    """
    if all(one is not None and one.startswith("https://") for one in (owner, other)):
        return Finding("unknown", "key_owner_unknown", f"The key at {other} does not say that it is {owner}'s.")
    return Finding("fail", f"{role}_mismatch", f"The key is that of {other}, the {role} is {owner}.")


def key_of_owner(role: str, owner: str | None) -> Finding:
    """Return that a key is the issuer's (or holder's) own."""
    act = "sign" if role == "issuer" else "show"
    return Finding("pass", f"{role}_key", f"The key belongs to {owner}, who allows it to {act} credentials.")


def _created(proof: Mapping[str, Any]) -> datetime | None:
    """Return when a proof says that it was created (Data Integrity 1.0, section 2.1)."""
    return times.read_lenient(proof["created"], "/proof/created") if "created" in proof else None
