"""The two ways in which a document is secured, Data Integrity and JOSE, behind one interface."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.integrity.check import check_all_proofs
from libs.openbadges.jose.checks import check_token, owner_of
from libs.openbadges.jose.claims import CLOCK_SKEW, check_token_dates
from libs.openbadges.jose.tokens import Token
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import proofs_of
from libs.openbadges.verify.opening import Opened
from libs.openbadges.verify.run import Context


class Binding(NamedTuple):
    """What a presentation is bound to: the challenge that it repeats, and whom it was made for (one, several, none)."""

    challenge: Any
    audience: Any


class SecuringMechanism(Protocol):
    """How what a document says is tied to a key and that to its owner."""

    def owners(self, opened: Opened) -> list[str]:
        """Return whose DID documents (or controller documents) must hold the keys that signed it."""

    def check(self, contexts: Sequence[Context], purpose: str) -> list[tuple[Finding, Finding]]:
        """Check documents that are secured this way: their signatures, and whose keys those are.

        Args:
            contexts: documents with their canonical form.
            purpose: assertionMethod for credentials, whose issuers' keys are looked for, authentication for
                presentations and their holders (Data Integrity 1.0, section 2.3).
        """

    def check_dates(self, opened: Opened, now: datetime) -> None:
        """Check dates of its own, beside the document's.

        Raises:
            CredentialError: `expired`, `not_yet_valid`, `claim_form`.
        """

    def bindings(self, opened: Opened) -> list[Binding]:
        """Return what a presentation is bound to, by each signature on it."""


class DataIntegrity:
    """Proofs in the document itself (Data Integrity 1.0)."""

    def owners(self, opened: Opened) -> list[str]:
        """See `SecuringMechanism`."""
        return [controller_of(str(proof.get("verificationMethod", ""))) for proof in proofs_of(opened.document)]

    def check(self, contexts: Sequence[Context], purpose: str) -> list[tuple[Finding, Finding]]:
        """See `SecuringMechanism`."""
        if not contexts:
            return []
        run = contexts[0].run
        secured = [(one.document, one.canonical) for one in contexts]
        return check_all_proofs(secured, run.inputs.did_documents, run.now, purpose=purpose)

    def check_dates(self, opened: Opened, now: datetime) -> None:
        """See `SecuringMechanism`: when proofs were created. When one expires is checked with the proof."""
        for proof in proofs_of(opened.document):
            made = _created(proof)
            if made is not None and made > now + CLOCK_SKEW:
                text = f"A proof says that it was made on {times.write(made)}, in the future."
                raise CredentialError("not_yet_valid", text)

    def bindings(self, opened: Opened) -> list[Binding]:
        """The members `challenge` and `domain` (Data Integrity 1.0, section 2.1)."""
        return [Binding(proof.get("challenge"), proof.get("domain")) for proof in proofs_of(opened.document)]


class Jose:
    """A JSON Web Token around the document (Open Badges 3.0, section 8.2; VC-JOSE-COSE 1.0)."""

    def owners(self, opened: Opened) -> list[str]:
        """See `SecuringMechanism`."""
        return [owner_of(_token(opened)) or ""]

    def check(self, contexts: Sequence[Context], purpose: str) -> list[tuple[Finding, Finding]]:
        """See `SecuringMechanism`; a token's type tells what it was made for, whatever the purpose asked about."""
        return [check_token(_token(one.opened), one.run.inputs.did_documents, one.run.now) for one in contexts]

    def check_dates(self, opened: Opened, now: datetime) -> None:
        """See `SecuringMechanism`: the claims `exp`, `nbf` and `iat`."""
        check_token_dates(_token(opened), now)

    def bindings(self, opened: Opened) -> list[Binding]:
        """The claims `nonce` and `aud` (RFC 7519, section 4.1.3)."""
        claims = _token(opened).claims
        return [Binding(claims.get("nonce"), claims.get("aud"))]


_DATA_INTEGRITY: Final = DataIntegrity()
_JOSE: Final = Jose()
MECHANISMS: Final[tuple[SecuringMechanism, ...]] = (_DATA_INTEGRITY, _JOSE)


def mechanism_of(opened: Opened) -> SecuringMechanism:
    """Return how a document is secured, or would be if it were at all."""
    return _DATA_INTEGRITY if opened.token is None else _JOSE


def _created(proof: Mapping[str, Any]) -> datetime | None:
    """Return when a proof says that it was made; None where it does not, or in no form: its check says so."""
    try:
        return times.read_lenient(proof["created"]) if "created" in proof else None
    except CredentialError:
        return None


def _token(opened: Opened) -> Token:
    assert opened.token is not None  # noqa: S101  for mypy: `mechanism_of` tells
    return opened.token
