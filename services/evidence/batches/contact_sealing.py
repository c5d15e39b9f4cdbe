"""Names and addresses as they were published, sealed: they stay with their rows until the notifier has read them."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import cramjam
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from libs.contracts.cloudevents import body_of
from libs.contracts.events import LearnerContact

_LEVEL: Final = 1


class SealedContacts(NamedTuple):
    """Contacts of a chunk of rows.

    Attributes:
        topic: the id of the topic that they were published on: one that is made anew has another.
        sealed: the contacts.
    """

    topic: str
    sealed: bytes


class ContactSealing:
    """Seals contacts under the authority's secret with AES-SIV (RFC 5297): sealed again they are the same."""

    def __init__(self, key: Callable[[str], bytes]) -> None:
        """Take what gives the authority's key of 32 bytes by its label (`libs.common.authority_secret`)."""
        self._cipher = AESSIV(key("sent contacts, authentication") + key("sent contacts, encryption"))

    def seal(self, first: UUID, issuer_id: str, contacts: Sequence[LearnerContact]) -> bytes:
        """Return the contacts of a chunk, whose first submission has this id, as one value."""
        packed = bytes(cramjam.zstd.compress(b"\n".join(map(body_of, contacts)), _LEVEL))
        return self._cipher.encrypt(packed, [first.bytes, issuer_id.encode()])

    def open(self, first: UUID, issuer_id: str, sealed: bytes) -> list[LearnerContact]:
        """Return the contacts.

        Raises:
            ValueError: they were not sealed here, or for another chunk.
        """
        try:
            packed = self._cipher.decrypt(sealed, [first.bytes, issuer_id.encode()])
        except InvalidTag:
            raise ValueError("the contacts were not sealed here, or not for these rows") from None
        lines = bytes(cramjam.zstd.decompress(packed)).split(b"\n")
        return [LearnerContact.model_validate_json(line) for line in lines]
