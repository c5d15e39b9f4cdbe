"""What is stored of an upload, sealed: it goes to a topic from which a database that was set back takes it up.

Comments, assessors and rows as they were sent are the school's alone, and of no concern to others who read the broker.
"""

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from libs.contracts.events import BatchStored
from libs.contracts.ids import submission_id
from services.evidence.batches.batch import NewRow, Progress, RowFault, RowWarning
from services.evidence.batches.documents import progress_fields

# Of rows in one record, before they are compressed: in base64, and incompressible, still less than the topic takes.
_LARGEST_BYTES: Final = 512 * 1024
_LEVEL: Final = 1


class DoesNotOpenError(Exception):
    """A record was not sealed by this authority for this batch and these rows."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a batch is from its beginning."""

    batch_id: UUID
    issuer_id: str
    source: str
    format: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows of a batch, and how far its upload has come with them; no progress where more rows belong to the step."""

    header: Header
    rows: tuple[NewRow, ...]
    progress: Progress | None


class BatchSealing:
    """Seals what is stored under the authority's secret with AES-SIV (RFC 5297): sealed again it is the same again."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._cipher = AESSIV(key("stored batch, authentication") + key("stored batch, encryption"))

    def seal(self, stored: StoredRows, now: datetime, *, accepted: bool) -> list[BatchStored]:
        """Return the events for what is stored now, in their order: one, or more where the rows are long.

        Args:
            stored: with its progress.
            now: when it is stored, and accepted where it is.
            accepted: the upload is whole with it.
        """
        return [self._event(part, now, accepted=accepted and part.progress is not None) for part in _parts(stored)]

    def _event(self, part: StoredRows, now: datetime, *, accepted: bool) -> BatchStored:
        header = part.header
        row = part.rows[-1].row if part.progress is None else part.progress.row
        event = BatchStored(
            batch_id=header.batch_id,
            issuer_id=header.issuer_id,
            row=row,
            accepted=accepted,
            sealed="",
            stored_at=now,
        )
        sealed = self._cipher.encrypt(zlib.compress(_packed(part), _LEVEL), _bound_to(event))
        return event.model_copy(update={"sealed": base64.b64encode(sealed).decode()})

    def open(self, event: BatchStored) -> StoredRows:
        """Return what was stored.

        Raises:
            DoesNotOpenError: it was sealed elsewhere, or for something else.
        """
        try:
            packed = self._cipher.decrypt(base64.b64decode(event.sealed), _bound_to(event))
        except (InvalidTag, ValueError):
            raise DoesNotOpenError("what is stored was not sealed here, or not for this batch") from None
        return _unpacked(zlib.decompress(packed), event)


def _parts(stored: StoredRows) -> Iterator[StoredRows]:
    """Yield the rows in parts that fit into a record; the last one has the progress."""
    part: list[NewRow] = []
    size = 0
    for row in stored.rows:
        length = len(_row_json(row))
        if part and size + length > _LARGEST_BYTES:
            yield replace(stored, rows=tuple(part), progress=None)
            part, size = [], 0
        part.append(row)
        size += length
    yield replace(stored, rows=tuple(part))


def _bound_to(event: BatchStored) -> list[bytes]:
    place = f"{event.row}/{event.accepted}/{event.stored_at.isoformat()}"
    return [event.batch_id.bytes, event.issuer_id.encode(), place.encode()]


def _row_json(row: NewRow) -> bytes:
    # All but the id, which is made of batch and row.
    return orjson.dumps(row[1:], default=tuple)


def _packed(part: StoredRows) -> bytes:
    header = part.header
    return orjson.dumps(
        {
            "source": header.source,
            "format": header.format,
            "created_at": header.created_at,
            "progress": None if part.progress is None else progress_fields(part.progress),
            "rows": [orjson.Fragment(_row_json(row)) for row in part.rows],
        }
    )


def _unpacked(packed: bytes, event: BatchStored) -> StoredRows:
    said = orjson.loads(packed)
    header = Header(
        event.batch_id, event.issuer_id, said["source"], said["format"], datetime.fromisoformat(said["created_at"])
    )
    progress = None if said["progress"] is None else Progress(**said["progress"])
    return StoredRows(header, tuple(_row(event.batch_id, each) for each in said["rows"]), progress)


def _row(batch_id: UUID, said: Sequence[Any]) -> NewRow:
    *values, warnings, also, original = said
    return NewRow(submission_id(batch_id, values[0]), *values)._replace(
        warnings=tuple(RowWarning(*each) for each in warnings),
        also=tuple(RowFault(*each) for each in also),
        original=original,
    )
