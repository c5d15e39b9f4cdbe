"""Ids derived from what they stand for, under secret keys: doing work again makes the same, and nobody guesses one.

An id is a UUIDv8 (RFC 9562, section 5.8): the first 122 bits of HMAC-SHA-256 (RFC 2104) of what it stands for, under a
key of its kind. Without the key nothing leads to an id, from one to another, or back (docs/privacy.md says what each
reveals, and to whom). Rows of a batch are the exception: whoever has the batch's id has theirs.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from unicodedata import normalize
from uuid import UUID

from libs.contracts.uuid_text import uuid_text

_BLOCK_BYTES = 64
# No id holds this character (every id is a slug, a UUID or one line of text), so joining is unambiguous.
_SEPARATOR = "\n"

LAST_ROW = 2**32 - 1
"""The highest number that a row of a batch can have."""

_VERSION_AND_VARIANT = 0xF000 << 64 | 0xC000 << 48
_VERSION_8 = 0x8000 << 64 | 0x8000 << 48
_BATCH_BITS = ~(0xF000 << 64 | LAST_ROW)
_ROW_VERSION_8 = 0x8000 << 64
# The first hexadecimal digit of the variant's octet: its two highest bits are 10.
_VARIANT_DIGIT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class _Hmac:
    """HMAC-SHA-256 (RFC 2104) under one key, whose blocks are hashed once: a dozen ids go with each award.

    That takes a third of the time of `hmac.digest`, which looks its hash up by name and hashes them each time.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Take a key of at most 64 bytes, the block of SHA-256."""
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        """Return the 32 bytes of the code."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Ids:
    """Derives every id of one authority."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the key of each kind of id by its label; keys of different labels tell nothing of each other.

        A label is part of every id of its kind: none is ever changed.
        """
        self._learner = _Hmac(key("learner id"))
        self._assessor = _Hmac(key("assessor id"))
        self._activity = _Hmac(key("activity id"))
        self._evidence = _Hmac(key("evidence id"))
        self._batch = _Hmac(key("batch id"))
        self._holding = _Hmac(key("holding id"))
        self._credential = _Hmac(key("credential id"))
        self._subject = _Hmac(key("subject id"))
        self._pseudonym = _Hmac(key("learner pseudonym"))
        self._event = _Hmac(key("event id"))
        self._delivery = _Hmac(key("delivery id"))
        # Asked for twice of each piece: when what is held is read, and when it is decided.
        self.holding_id = lru_cache(maxsize=4096)(self._holding_id)

    def learner_id(self, issuer_id: str, local_id: str) -> UUID:
        """The learner whom one issuer knows under `local_id`; seen by our services and that issuer alone."""
        return _derive(self._learner, issuer_id, local_id)

    def assessor_id(self, issuer_id: str, text: str) -> UUID:
        """The assessor whom one issuer writes as `text`, whatever its case and spaces: a reference, never a name."""
        return _derive(self._assessor, issuer_id, " ".join(normalize("NFKC", text).casefold().split()))

    def activity_id(self, issuer_id: str, text: str) -> UUID:
        """The activity that one issuer writes as `text`, whatever its case and spaces: tells equal from different."""
        return _derive(self._activity, issuer_id, " ".join(normalize("NFKC", text).casefold().split()))

    def evidence_id(self, issuer_id: str, source: str, source_id: str) -> UUID:
        """One piece of evidence, however often its sender sends it."""
        return _derive(self._evidence, issuer_id, source, source_id)

    def batch_id(self, issuer_id: str, idempotency_key: str) -> UUID:
        """The batch of an upload that its sender named, so that sending it again is the same batch."""
        return _derive(self._batch, issuer_id, idempotency_key)

    def _holding_id(self, learner: UUID, achievement: str, evidence: UUID | None = None) -> UUID:
        """All that one learner was ever awarded of one achievement, `OWNER/ID`, whatever its version or level.

        Of a repeatable one, all that was awarded for one piece of evidence: nobody's holding grows with each piece.
        """
        piece = () if evidence is None else (uuid_text(evidence),)
        return _derive(self._holding, uuid_text(learner), achievement, *piece)

    def credential_id(
        self, learner: UUID, achievement: str, level: str | None, *, evidence: UUID | None = None, number: int = 0
    ) -> UUID:
        """One award: its business key (docs/promises.md, 2) and its number among the awards of that key.

        Args:
            learner: who is awarded.
            achievement: `OWNER/ID`, without the version: a new version awards nothing again.
            level: the level shown; None where the achievement knows scores alone.
            evidence: of a repeatable achievement, the piece of evidence that this award is for.
            number: how many awards of this key were revoked before (promise 5).
        """
        piece = uuid_text(evidence) if evidence else "-"
        return _derive(self._credential, uuid_text(learner), achievement, level or "-", piece, str(number))

    def subject_id(self, learner: UUID, document: UUID) -> UUID:
        """The learner as one credential or record names its subject: another one in each, so that none leads to others.

        Args:
            learner: whom it is about.
            document: the id of the credential or record.
        """
        return _derive(self._subject, uuid_text(learner), uuid_text(document))

    def learner_pseudonym(self, learner: UUID) -> UUID:
        """The learner to partners of an authority that lets them link awards; it stands nowhere but in their events."""
        return _derive(self._pseudonym, uuid_text(learner))

    def event_id(self, event_type: str, natural_id: str) -> str:
        """Return the CloudEvents `id`, a UUID as text, of the one event of this type about `natural_id`."""
        return _event_id(self._event, event_type, natural_id)

    def delivery_id(self, credential: UUID, occasion: str) -> UUID:
        """The one mail about a credential on an occasion (docs/promises.md, 2)."""
        return _derive(self._delivery, uuid_text(credential), occasion)


def submission_id(batch_id: UUID, row: int) -> UUID:
    """Return the id of one row of one batch: one sending of a piece of evidence.

    UUIDv8: the first 96 bits are the batch id's but for the version, the last 32 are the row's number. So the rows of
    a batch lie side by side and in their order wherever they are kept by this id.
    """
    return UUID(int=batch_id.int & _BATCH_BITS | _ROW_VERSION_8 | row)


def unkeyed_event_id(event_type: str, natural_id: str) -> str:
    """Return an event's id as `Ids.event_id` does, under no key.

    For a process that has no secret of the authority, which publishes dead letters alone: those name a record by its
    place on Kafka, and only operators read them.
    """
    return _event_id(_KEYLESS, event_type, natural_id)


_KEYLESS = _Hmac(b"")


def _derive(key: _Hmac, *inputs: str) -> UUID:
    value = int.from_bytes(key.digest(_SEPARATOR.join(inputs).encode())[:16], "big")
    return UUID(int=value & ~_VERSION_AND_VARIANT | _VERSION_8)


def _event_id(key: _Hmac, *inputs: str) -> str:
    # As text at once: an object for each event would be made to be written once.
    digits = key.digest(_SEPARATOR.join(inputs).encode()).hex()
    variant = _VARIANT_DIGIT[digits[16]] + digits[17:20]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}-{digits[20:32]}"
