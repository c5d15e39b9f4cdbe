"""Kept evidence in MongoDB: a document of a learner and an achievement, replaced whole by whoever read the newest."""

from typing import Any, NamedTuple
from uuid import UUID

from pymongo import ReplaceOne

from libs.common.mongo import Document
from libs.common.stored import Count, typed
from libs.contracts.events import Counted
from libs.contracts.results import SoloLevel
from services.issuer.decisions.kept import Kept, KeptPiece, NotedAward


def replacement(kept: Kept) -> ReplaceOne[Document]:
    """Return what stores it, unless somebody else has stored it since it was read."""
    # Where there is none yet, and somebody else inserts one, the upsert is refused by its id.
    query = {"_id": kept.holding_id, "version": kept.version}
    return ReplaceOne(query, kept_document(kept), upsert=kept.version == 0)


def kept_document(kept: Kept) -> Document:
    """Return it as its next version is stored."""
    return {
        "_id": kept.holding_id,
        "schema": 1,
        "issuer_id": kept.issuer_id,
        "learner_id": kept.learner_id,
        "achievement": kept.achievement,
        "version": kept.version + 1,
        "pieces": [_piece_document(each) for each in kept.pieces],
        "awards": [{"credential_id": each.credential_id, **counted_document(each.counted)} for each in kept.awards],
    }


class _Stored(NamedTuple):
    """What is stored under a holding."""

    id: UUID
    issuer_id: str
    learner_id: UUID
    achievement: str
    version: Count
    pieces: list[dict[str, Any]]
    awards: list[dict[str, Any]]


_read, _piece = typed(_Stored, id="_id"), typed(KeptPiece)


def kept_of(found: Document) -> Kept:
    """Return what was stored.

    Raises:
        ValueError, KeyError, TypeError: it was damaged.
    """
    stored = _read(found)
    return Kept(
        holding_id=stored.id,
        issuer_id=stored.issuer_id,
        learner_id=stored.learner_id,
        achievement=stored.achievement,
        version=stored.version,
        pieces=tuple(map(_piece, stored.pieces)),
        awards=tuple(NotedAward(each["credential_id"], counted_of(each)) for each in stored.awards),
    )


def counted_document(counted: Counted) -> Document:
    """Return what an award was made of, as it is stored."""
    return {
        "level": None if counted.level is None else counted.level.value,
        "evidence": list(counted.evidence),
        "credentials": list(counted.credentials),
    }


def counted_of(stored: Document) -> Counted:
    """Return what an award was made of."""
    level = stored.get("level")
    return Counted(
        level=None if level is None else SoloLevel(level),
        evidence=tuple(stored["evidence"]),
        credentials=tuple(stored["credentials"]),
    )


def _piece_document(piece: KeptPiece) -> Document:
    document = {
        "evidence_id": piece.evidence_id,
        "source": piece.source,
        "source_id": piece.source_id,
        "level": None if piece.level is None else piece.level.value,
        "score": piece.score,
        "observed_on": piece.observed_on.isoformat(),
        "activity": piece.activity,
        "class_id": piece.class_id,
        "term": piece.term,
        "assessor_id": piece.assessor_id,
    }
    return {name: value for name, value in document.items() if value is not None}
