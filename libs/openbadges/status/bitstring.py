"""Bitstring Status List 1.0: a bit per credential, which bit is whose, and the credential that publishes them."""

import base64
import binascii
import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

from libs.openbadges.model import times
from libs.openbadges.model.budget import spend
from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.errors import CredentialError, LimitError

MINIMUM_SIZE: Final = 131_072
"""Entries that a list has at least, so that one credential hides among many (section 6.1)."""

MAXIMUM_BYTES: Final = 4 * 1024 * 1024
"""What a list may have unpacked: 33 million entries."""

_BYTES_A_UNIT: Final = 400
"""Bytes that are unpacked for a unit of work (`budget`)."""

WIDEST: Final = 16
"""Bits of the widest status that is read or written."""

PURPOSES: Final = ("revocation", "suspension", "refresh", "message")


class StatusList:
    """A list of bits, all unset at first; the most significant bit of the first byte is entry 0 (section 2.2)."""

    def __init__(self, size: int = MINIMUM_SIZE, *, bits: bytes | None = None, minimum: int = MINIMUM_SIZE) -> None:
        """Make a list of `size` entries, a multiple of 8, or take its bits as they are, of `minimum` entries or more.

        Raises:
            CredentialError: fewer entries than the standard asks for (`STATUS_LIST_LENGTH_ERROR`).
        """
        if bits is None and (size % 8 or size < MINIMUM_SIZE):
            raise CredentialError("STATUS_LIST_LENGTH_ERROR", f"A list has {MINIMUM_SIZE} entries or more, in eights.")
        self._bits = bytearray(size // 8) if bits is None else bytearray(bits)
        if len(self._bits) * 8 < minimum:
            raise CredentialError("STATUS_LIST_LENGTH_ERROR", f"A list has {minimum} entries or more.")

    def __len__(self) -> int:
        return len(self._bits) * 8

    def get(self, index: int) -> bool:
        """Read an entry.

        Raises:
            CredentialError: no such entry (`RANGE_ERROR`).
        """
        return bool(self._bits[self._byte(index)] & (0x80 >> index % 8))

    def set(self, index: int, value: bool = True) -> bool:
        """Write an entry; answers whether that changed it.

        Raises:
            CredentialError: no such entry (`RANGE_ERROR`).
        """
        changed = self.get(index) != value
        if changed:
            self._bits[index // 8] ^= 0x80 >> index % 8
        return changed

    def entries(self) -> Iterator[int]:
        """Return the entries that are set, in their order."""
        return (
            place * 8 + bit for place, byte in enumerate(self._bits) if byte for bit in range(8) if byte & 0x80 >> bit
        )

    def value(self, index: int, size: int = 1, minimum: int = MINIMUM_SIZE) -> int:
        """Read an entry of several bits, its first bit the most significant (Bitstring Status List 1.0, section 3.2).

        Args:
            index: of the entry, counted in entries.
            size: bits of every entry on the list.
            minimum: entries that the list must have.

        Raises:
            CredentialError: no such entry (`RANGE_ERROR`), too few entries of this size (`STATUS_LIST_LENGTH_ERROR`).
        """
        if len(self) // size < minimum:
            raise CredentialError(
                "STATUS_LIST_LENGTH_ERROR", f"A list has {minimum} entries or more, also of {size} bits."
            )
        value = 0
        for place in range(index * size, index * size + size):
            value = value << 1 | self.get(place)
        return value

    def set_value(self, index: int, value: int, size: int) -> bool:
        """Write an entry of several bits; answers whether that changed it.

        Raises:
            CredentialError: see `value`; a value that does not fit (`RANGE_ERROR`).
        """
        if not 0 <= value < 1 << size:
            raise CredentialError("RANGE_ERROR", f"A status of {size} bits is 0 to {(1 << size) - 1}, not {value}.")
        changed = self.value(index, size) != value
        for place in range(size):
            self.set(index * size + place, bool(value >> (size - 1 - place) & 1))
        return changed

    def to_bytes(self) -> bytes:
        """The bits as they are, to be stored; `StatusList(bits=…)` takes them back."""
        return bytes(self._bits)

    def encode(self) -> str:
        """Write the list as its credential carries it: u, then base64url of gzip. The same bits give the same text."""
        packed = gzip.compress(self._bits, compresslevel=6, mtime=0)
        return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")

    @classmethod
    def decode(cls, encoded: str, maximum_bytes: int = MAXIMUM_BYTES, minimum: int = MINIMUM_SIZE) -> Self:
        """Read an encoded list of `minimum` entries or more without unpacking more than the limit.

        Raises:
            CredentialError: not such text (`MALFORMED_VALUE_ERROR`), too short (`STATUS_LIST_LENGTH_ERROR`).
            LimitError: unpacks to more than the limit.
        """
        if not isinstance(encoded, str) or not encoded.startswith("u"):
            raise CredentialError("MALFORMED_VALUE_ERROR", "An encoded list begins with u, for base64url.")
        if len(encoded) > maximum_bytes * 2:
            raise LimitError("too_large", "The encoded list is longer than any that is read.")
        try:
            packed = base64.b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4), altchars=b"-_", validate=True)
            inflater = zlib.decompressobj(wbits=31)
            bits = inflater.decompress(packed, maximum_bytes + 1)
        except (binascii.Error, ValueError, zlib.error) as error:
            raise CredentialError("MALFORMED_VALUE_ERROR", "The encoded list is not gzip in base64url.") from error
        spend(len(bits) // _BYTES_A_UNIT)
        if len(bits) > maximum_bytes:
            raise LimitError("too_large", f"The list unpacks to more than {maximum_bytes} bytes.")
        if not inflater.eof or inflater.unused_data:
            raise CredentialError("MALFORMED_VALUE_ERROR", "The encoded list ends early or late.")
        return cls(bits=bits, minimum=minimum)

    def _byte(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise CredentialError("RANGE_ERROR", f"The list has entries 0 to {len(self) - 1}, not {index}.")
        return index // 8


class StatusIndexes:
    """Unique indexes that nobody can guess from a counter, without a table: a keyed permutation of 0 … size-1.

    A Feistel network over the next even number of bits, its rounds keyed BLAKE2b, walked until the result lies
    inside (Black and Rogaway 2002, cycle walking). The next index says nothing about how many there were before.

    A round sees half of the bits, a few hundred values: what it makes of each is remembered.
    """

    _ROUNDS: Final = 8

    def __init__(self, key: bytes, size: int) -> None:
        """Take the list's secret key (16 to 64 bytes) and its number of entries.

        Raises:
            CredentialError: a key that is too short or too long, or a size below 2.
        """
        if not 16 <= len(key) <= 64:
            raise CredentialError("key_form", "The key of a status list has 16 to 64 bytes.")
        if size < 2:
            raise CredentialError("RANGE_ERROR", "A list of fewer than two entries hides nothing.")
        self._size = size
        self._half = ((size - 1).bit_length() + 1) // 2
        self._mask = (1 << self._half) - 1
        self._rounds: list[tuple[Any, dict[int, int]]] = [
            (hashlib.blake2b(key=key, digest_size=8, person=b"statusindex", salt=bytes([number])), {})
            for number in range(self._ROUNDS)
        ]

    def index(self, counter: int) -> int:
        """Return the index of the `counter`-th credential on the list.

        Raises:
            CredentialError: the list is full (`RANGE_ERROR`).
        """
        if not 0 <= counter < self._size:
            raise CredentialError("RANGE_ERROR", f"The list has {self._size} entries; {counter} is none of them.")
        value = self._permute(counter)
        while value >= self._size:
            value = self._permute(value)
        return value

    def _permute(self, value: int) -> int:
        left, right = value >> self._half, value & self._mask
        for keyed, known in self._rounds:
            mixed = known.get(right)
            if mixed is None:
                state = keyed.copy()
                state.update(right.to_bytes(8, "big"))
                mixed = known[right] = int.from_bytes(state.digest(), "big") & self._mask
            left, right = right, left ^ mixed
        return left << self._half | right


def entry(
    list_url: str,
    index: int,
    purpose: str = "revocation",
    *,
    messages: Sequence[str] = (),
    reference: str | None = None,
) -> dict[str, Any]:
    """Write the status entry that a credential carries.

    Args:
        list_url: where the list is published.
        index: of the entry, counted in entries.
        purpose: one of `PURPOSES`.
        messages: what each value of the status means, from 0 on; as many as its bits have values.
        reference: where the messages are explained.

    Raises:
        CredentialError: a number of messages that is no power of two up to 2^16 (`RANGE_ERROR`).
    """
    written: dict[str, Any] = {
        "id": f"{list_url}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": list_url,
    }
    if messages:
        size = len(messages).bit_length() - 1
        if not 1 <= size <= WIDEST or len(messages) != 1 << size:
            raise CredentialError("RANGE_ERROR", "There is one message for each value of a status.")
        if size > 1:
            written["statusSize"] = size
        written["statusMessage"] = [
            {"status": hex(value), "message": message} for value, message in enumerate(messages)
        ]
    if reference is not None:
        written["statusReference"] = reference
    return written


def list_document(
    list_url: str,
    issuer: str,
    statuses: StatusList,
    *,
    valid_from: datetime,
    purpose: str = "revocation",
    valid_until: datetime | None = None,
    ttl: timedelta | None = None,
) -> dict[str, Any]:
    """Write the BitstringStatusListCredential of a list, to be prepared and signed like any other credential.

    Args:
        list_url: where it is published; the credential's id.
        issuer: the DID of who signs it: the issuer of the credentials on the list, or the did:web above the URL.
        statuses: the bits.
        valid_from: from when on it is to be taken; the proof says when it was signed.
        purpose: what a set bit means.
        valid_until: until when a copy may be relied on.
        ttl: for how long a copy may be kept before it is fetched again (section 2.2); written in milliseconds.
    """
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "id": list_url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": times.write(valid_from),
        "credentialSubject": {
            "id": f"{list_url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": statuses.encode(),
        },
    }
    if valid_until is not None:
        document["validUntil"] = times.write(valid_until)
    if ttl is not None:
        document["credentialSubject"]["ttl"] = ttl // timedelta(milliseconds=1)
    return document
