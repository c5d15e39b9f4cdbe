"""Checks the chain of an audit log: is each entry the one that was written, in its place, and is none missing? Pure."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from libs.audit.entry import FIRST_PREVIOUS, Recorded, chained
from libs.audit.stored_form import UnreadableEntryError, document_of, recorded_of
from libs.common.mongo import Document


class Fault(StrEnum):
    """What is wrong where a chain breaks."""

    MISSING = "missing"
    CHANGED = "changed"
    OUT_OF_PLACE = "out of place"
    UNREADABLE = "unreadable"
    OTHER_THAN_NOTED = "other than noted"
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a check of the whole chain found.

    Attributes:
        entries: how many hold, from the first on.
        head: the hash of the last of these; to be noted elsewhere, and compared with what was noted before.
        broken_at: the sequence of the first entry that does not hold; None where all do.
        fault: what is wrong with it.
        mentions: the sequences of the entries that speak of what was looked for.
    """

    entries: int
    head: str
    broken_at: int | None = None
    fault: Fault | None = None
    mentions: tuple[int, ...] = field(default=())


async def check_chain(
    stored: AsyncIterator[Document], *, noted: Mapping[int, str] | None = None, find: str | None = None
) -> ChainReport:
    """Read a log to its first fault and return what was found.

    Args:
        stored: every entry as it is stored, by its sequence.
        noted: hashes by sequence that were written down elsewhere. They show what a chain alone cannot: that its end
            was cut off, or that all of it from some entry on was written anew.
        find: an id, such as a credential's; entries that have it in their subject or details are told.
    """
    left, count, previous = dict(noted or {}), 0, FIRST_PREVIOUS
    mentions: list[int] = []
    async for document in stored:
        fault = _fault(document, count + 1, previous, left.pop(count + 1, None))
        if fault is not None:
            return ChainReport(count, previous, count + 1, fault, tuple(mentions))
        count, previous = count + 1, document["hash"]
        if find is not None and (find in document["subject"] or find in document["details"]):
            mentions.append(count)
    if left:
        return ChainReport(count, previous, count + 1, Fault.CUT_OFF, tuple(mentions))
    return ChainReport(count, previous, mentions=tuple(mentions))


def _fault(document: Document, sequence: int, previous: str, noted: str | None) -> Fault | None:
    if document["_id"] != sequence:
        return Fault.MISSING
    try:
        recorded = recorded_of(document)
        expected, written = _hash(recorded), document_of(recorded)
    except (UnreadableEntryError, AttributeError, TypeError, orjson.JSONEncodeError):
        return Fault.UNREADABLE
    # The hash covers what an entry says. Whatever else stands there was put there, for people to read.
    if recorded.hash != expected or document != written:
        return Fault.CHANGED
    if recorded.previous != previous:
        return Fault.OUT_OF_PLACE
    return None if noted in {None, recorded.hash} else Fault.OTHER_THAN_NOTED


def _hash(recorded: Recorded) -> Any:
    return chained(recorded.entry, recorded.sequence, recorded.at, recorded.previous).hash
