"""Finds whether an upload under a known Idempotency-Key is the same file again, and what of it is new. Pure."""

import hmac
from collections.abc import Sequence

import orjson

from libs.common.errors import ConflictError
from services.evidence.batches.batch import Progress, UploadLease
from services.evidence.sources.reader import RawRow
from services.evidence.sources.refusals import Refusal

_OTHER_FILE = (
    "This Idempotency-Key stands for another file: what it holds differs from what came under this key before."
    " Send it under a new key, or without one; evidence that was sent before is recognised by its source id."
)


class Repeat:
    """Follows the rows of an upload beside what earlier uploads of its batch have done.

    The fingerprint is an HMAC under the sender's key, which is not stored: nobody can guess a row's text from it.
    """

    def __init__(self, lease: UploadLease, idempotency_key: str | None) -> None:
        self._lease = lease
        self._mac = None if idempotency_key is None else _fingerprint(idempotency_key)
        known = (lease.progress, lease.announced)
        # What is to be compared, at its last row.
        self._checks = sorted((each for each in known if each.received), key=lambda each: each.row)
        self._row = 0
        self._received = 0

    @property
    def progress(self) -> Progress:
        """Up to the last row that `is_new` was asked about."""
        return Progress(self._row, self._received, "" if self._mac is None else self._mac.hexdigest())

    def is_new(self, raw: RawRow) -> bool:
        """Whether this row is beyond what is proven to be on Kafka and stored.

        Raises:
            ConflictError: the file is not the one that the batch was begun with.
        """
        number = raw[0]
        new = number > self._lease.progress.row
        if new and self._lease.accepted:
            raise ConflictError(_OTHER_FILE)
        if self._mac is not None:
            self._mac.update(_said(raw))
        self._row = number
        self._received += 1
        self._compare()
        return new

    def _compare(self) -> None:
        while self._checks and (self._row >= self._checks[0].row or self._received >= self._checks[0].received):
            if self.progress != self._checks.pop(0):
                raise ConflictError(_OTHER_FILE)

    @property
    def is_same(self) -> bool:
        """Whether all rows that an earlier upload may have published are seen, and are the same here."""
        return not self._checks

    def check_same(self) -> None:
        """Hold the end of the file against what earlier uploads have published.

        Raises:
            ConflictError: it ends before that.
        """
        if self._checks:
            raise ConflictError(_OTHER_FILE)


def first_progress(idempotency_key: str | None, rows: Sequence[RawRow]) -> Progress:
    """Return how far its first rows bring the upload of a new batch; without a key there is nothing to compare."""
    if idempotency_key is None:
        return Progress()
    mac = _fingerprint(idempotency_key)
    for raw in rows:
        mac.update(_said(raw))
    return Progress(rows[-1][0], len(rows), mac.hexdigest())


def _fingerprint(idempotency_key: str) -> hmac.HMAC:
    return hmac.new(idempotency_key.encode(), digestmod="sha256")


def _said(raw: RawRow) -> bytes:
    number, fields = raw
    return orjson.dumps([number, fields.reason] if isinstance(fields, Refusal) else [number, fields])
