"""Rows as they were sent, sealed, so that those that fail can be given back: for a stated life, in this database alone.

Of a row that was taken in, name and address are left out: they have gone to the topic of contacts (promise 7).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import cramjam
import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from services.evidence.sources.columns import TABLE

Original = Mapping[str, str]
"""A row's texts by column, as they came; see also `failed_columns.TEXT`."""

LONGEST: Final = 16_384
"""Characters of a row that is kept as it was sent; a good one is half as long at most."""

_LEVEL: Final = 1
_PERSONAL: Final = frozenset(column.name for column in TABLE if column.personal)


def kept_of(sent: Mapping[str, str] | None, *, taken: bool) -> Original | None:
    """Return what is kept of a row as it was sent; None where there is nothing, or where it is too long."""
    if sent is None or sum(map(len, sent.values())) > LONGEST:
        return None
    return {name: text for name, text in sent.items() if text and not (taken and name in _PERSONAL)} or None


class OriginalSealing:
    """Seals rows of a batch under the authority's secret with AES-SIV (RFC 5297): sealed again they are the same."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._cipher = AESSIV(key("original rows, authentication") + key("original rows, encryption"))

    def seal(self, batch_id: UUID, issuer_id: str, rows: Sequence[tuple[int, Original]]) -> bytes:
        """Return these rows of a batch, with their numbers, as one value."""
        packed = bytes(cramjam.zstd.compress(orjson.dumps(rows), _LEVEL))
        return self._cipher.encrypt(packed, [batch_id.bytes, issuer_id.encode()])

    def open(self, batch_id: UUID, issuer_id: str, sealed: bytes) -> dict[int, Original]:
        """Return the rows by their numbers.

        Raises:
            InvalidTag: they were not sealed here, or for another batch.
        """
        packed = self._cipher.decrypt(sealed, [batch_id.bytes, issuer_id.encode()])
        return dict(orjson.loads(bytes(cramjam.zstd.decompress(packed))))
