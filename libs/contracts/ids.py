"""Deterministic ids: UUIDv5 or v8 (RFC 9562) of stated inputs, so that doing work again makes the same ids."""

import hashlib
from hashlib import sha1
from unicodedata import normalize
from uuid import NAMESPACE_DNS, UUID, uuid5

_ROOT = uuid5(NAMESPACE_DNS, "bowerbird")
_LEARNER = sha1(uuid5(_ROOT, "learner").bytes, usedforsecurity=False)
_ASSESSOR = sha1(uuid5(_ROOT, "assessor").bytes, usedforsecurity=False)
_EVIDENCE = sha1(uuid5(_ROOT, "evidence").bytes, usedforsecurity=False)
_BATCH = sha1(uuid5(_ROOT, "batch").bytes, usedforsecurity=False)
_HOLDING = sha1(uuid5(_ROOT, "holding").bytes, usedforsecurity=False)
_CREDENTIAL = sha1(uuid5(_ROOT, "credential").bytes, usedforsecurity=False)
_EVENT = sha1(uuid5(_ROOT, "event").bytes, usedforsecurity=False)
_DELIVERY = sha1(uuid5(_ROOT, "delivery").bytes, usedforsecurity=False)

# No id holds this character (every id is a slug, a UUID or one line of text), so joining is unambiguous.
_SEPARATOR = "\n"

LAST_ROW = 2**32 - 1
"""The highest number that a row of a batch can have."""

_VERSION_AND_VARIANT = 0xF000 << 64 | 0xC000 << 48
_VERSION_8 = 0x8000 << 64
_BATCH_BITS = ~(0xF000 << 64 | LAST_ROW)
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48
# The first hexadecimal digit of the variant's octet: its two highest bits are 10.
_VARIANT_DIGIT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _hash(kind: "hashlib._Hash", *inputs: str) -> bytes:
    # What uuid5 does, in a third of its time: the hash of the namespace is taken once, and four ids go with each row.
    digest = kind.copy()
    digest.update(_SEPARATOR.join(inputs).encode())
    return digest.digest()


def _derive(kind: "hashlib._Hash", *inputs: str) -> UUID:
    value = int.from_bytes(_hash(kind, *inputs)[:16], "big")
    return UUID(int=value & ~_VERSION_AND_VARIANT | _VERSION_5)


def learner_id(issuer_id: str, local_id: str) -> UUID:
    """The learner whom one issuer knows under `local_id`."""
    return _derive(_LEARNER, issuer_id, local_id)


def assessor_id(issuer_id: str, text: str) -> UUID:
    """The assessor whom one issuer writes as `text`, whatever its case and spaces: a reference, never a name."""
    return _derive(_ASSESSOR, issuer_id, " ".join(normalize("NFKC", text).casefold().split()))


def evidence_id(issuer_id: str, source: str, source_id: str) -> UUID:
    """One piece of evidence, however often its sender sends it."""
    return _derive(_EVIDENCE, issuer_id, source, source_id)


def batch_id(issuer_id: str, idempotency_key: str) -> UUID:
    """The batch of an upload that its sender named, so that sending it again is the same batch."""
    return _derive(_BATCH, issuer_id, idempotency_key)


def submission_id(batch_id: UUID, row: int) -> UUID:
    """Return the id of one row of one batch: one sending of a piece of evidence.

    UUIDv8: the first 96 bits are the batch id's but for the version, the last 32 are the row's number. So the rows of
    a batch lie side by side and in their order wherever they are kept by this id.
    """
    return UUID(int=batch_id.int & _BATCH_BITS | _VERSION_8 | row)


def holding_id(learner: UUID, achievement: str) -> UUID:
    """All that one learner was ever awarded of one achievement, `OWNER/ID`, whatever its version or level."""
    return _derive(_HOLDING, str(learner), achievement)


def credential_id(
    learner: UUID, achievement: str, level: str | None, *, evidence: UUID | None = None, number: int = 0
) -> UUID:
    """One award: its business key (docs/promises.md, 2) and its number among the awards of that key.

    Args:
        learner: who is awarded.
        achievement: `OWNER/ID`, without the version: a new version awards nothing again.
        level: the level shown; None where the achievement knows scores alone.
        evidence: of a repeatable achievement, the piece of evidence that this award is for.
        number: how many awards of this key were revoked before (promise 5).
    """
    return _derive(
        _CREDENTIAL, str(learner), achievement, level or "-", str(evidence) if evidence else "-", str(number)
    )


def event_id(event_type: str, natural_id: str) -> str:
    """Return the CloudEvents `id`, a UUID as text, of the one event of this type about `natural_id`."""
    digits = _hash(_EVENT, event_type, natural_id).hex()
    variant = _VARIANT_DIGIT[digits[16]] + digits[17:20]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}-{digits[20:32]}"


def delivery_id(credential: UUID, occasion: str) -> UUID:
    """The one mail about a credential on an occasion (docs/promises.md, 2)."""
    return _derive(_DELIVERY, str(credential), occasion)
