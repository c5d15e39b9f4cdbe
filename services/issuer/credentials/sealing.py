"""The issuer's own record of a credential, sealed: it stands beside the document on its topic, for the issuer alone.

A database that was set back takes it up from there (docs/issuance.md). The document does not say whose it is.
"""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from struct import Struct
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from libs.contracts.events import CredentialDocument
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.credential import Credential, Revocation, TakeDown
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry

# Form; learner, holding, evidence, batch; row, sequence, index; issued at; revoked at, by request; taken down likewise.
_FIXED = Struct(">B16s16s16s16sIHIqq16sq16s")
_FORM, _FORM_WITH_LINKS = 1, 2
# Of what may be absent; no id and no moment is 0.
_NO_ID, _NO_MOMENT = bytes(16), 0
# None of the texts behind it holds this character.
_SEPARATOR = "\n"
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class RecordDoesNotOpenError(Exception):
    """A record was not sealed by this authority for this credential and document, or there is none."""


class RecordSealing:
    """Seals records under the authority's secret, each for its credential and its document.

    AES-SIV (RFC 5297): what is sealed again is the same again, as an event that is published again must be.
    """

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._cipher = AESSIV(key("credential record, authentication") + key("credential record, encryption"))

    def seal(self, credential: Credential) -> str:
        """Return the record in base64: some 270 characters, of which the levels' and achievements' names differ."""
        sealed = self._cipher.encrypt(_packed(credential), _bound_to(credential.credential_id, credential.document))
        return base64.b64encode(sealed).decode()

    def open(self, event: CredentialDocument) -> Credential:
        """Return the credential as it was published.

        Raises:
            RecordDoesNotOpenError: the record is none of ours, or was sealed for something else.
        """
        if event.record is None:
            raise RecordDoesNotOpenError("there is no record")
        bound_to = _bound_to(event.credential_id, event.document)
        try:
            packed = self._cipher.decrypt(base64.b64decode(event.record), bound_to)
        except (InvalidTag, ValueError):
            raise RecordDoesNotOpenError("the record was not sealed here, or not for this document") from None
        return _unpacked(packed, event)


def _bound_to(credential_id: UUID, document: str | None) -> list[bytes]:
    return [credential_id.bytes, b"" if document is None else document.encode()]


def _packed(credential: Credential) -> bytes:
    revocation, take_down, decision = credential.revocation, credential.take_down, credential.decision_id
    # One that has a part in no superseding is sealed as it was before there was any: again it is the same again.
    links = (credential.supersedes, None if revocation is None else revocation.successor_id)
    fixed = _FIXED.pack(
        _FORM_WITH_LINKS if any(links) else _FORM,
        credential.learner_id.bytes,
        credential.holding_id.bytes,
        _id_bytes(credential.evidence_id),
        decision.batch_id.bytes,
        decision.row,
        decision.sequence,
        credential.status.index,
        _microseconds(credential.issued_at),
        _NO_MOMENT if revocation is None else _microseconds(revocation.at),
        _NO_ID if revocation is None else _id_bytes(revocation.request_id),
        _NO_MOMENT if take_down is None else _microseconds(take_down.at),
        _NO_ID if take_down is None else _id_bytes(take_down.request_id),
    )
    texts = (
        credential.achievement,
        "" if credential.level is None else credential.level.value,
        credential.status.list_id,
        "" if revocation is None else revocation.reason.value,
        "" if take_down is None else take_down.reason.value,
        *(("" if each is None else str(each) for each in links) if any(links) else ()),
    )
    return fixed + _SEPARATOR.join(texts).encode()


def _unpacked(packed: bytes, event: CredentialDocument) -> Credential:
    if packed[0] not in {_FORM, _FORM_WITH_LINKS}:
        raise RecordDoesNotOpenError(
            f"its form is {packed[0]}, and this version reads none above {_FORM_WITH_LINKS}: use a newer one"
        )
    _, learner, holding, evidence, batch, row, sequence, index, issued, revoked, request, taken, down_request = (
        _FIXED.unpack_from(packed)
    )
    texts = packed[_FIXED.size :].decode().split(_SEPARATOR)
    if packed[0] == _FORM:
        texts += ["", ""]
    achievement, level, list_id, revoked_for, taken_for, supersedes, successor = texts
    revocation = take_down = None
    if revoked_for:
        successor_id = UUID(successor) if successor else None
        revocation = Revocation(_moment(revoked), RevocationReason(revoked_for), _id(request), successor_id)
    if taken_for:
        take_down = TakeDown(_moment(taken), TakeDownReason(taken_for), _id(down_request))
    return Credential(
        credential_id=event.credential_id,
        issuer_id=event.issuer_id,
        learner_id=UUID(bytes=learner),
        holding_id=UUID(bytes=holding),
        achievement=achievement,
        level=SoloLevel(level) if level else None,
        evidence_id=_id(evidence),
        decision_id=DecisionId(UUID(bytes=batch), row, sequence),
        status=StatusEntry(list_id, index),
        issued_at=_moment(issued),
        document=event.document,
        revocation=revocation,
        take_down=take_down,
        supersedes=UUID(supersedes) if supersedes else None,
    )


def _id_bytes(value: UUID | None) -> bytes:
    return _NO_ID if value is None else value.bytes


def _id(value: bytes) -> UUID | None:
    return None if value == _NO_ID else UUID(bytes=value)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
