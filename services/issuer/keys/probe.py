"""Whether the key-encryption key is the one that this database's signing keys were sealed under, asked at every start.

A probe lies sealed in the database beside the keys. Under another key-encryption key nothing could be signed for any
issuer, and what is sealed anew meanwhile would need both: the process ends and says which file it needs.

A database that was lost has neither probe nor keys, and the topic of their sealed copies still tells. So a probe is
made only once the copies are read, and never by a key-encryption key under which none of what is there was sealed.
"""

from collections.abc import Collection

from bson import Binary
from pymongo.errors import DuplicateKeyError

from libs.common.mongo import Database
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import SigningKeyRepository

_DOCUMENT = "key-encryption-key"
_BOUND_TO = "the probe of the key-encryption key"
_PROBE = b"bowerbird"
_HERE = "in this database"


class OtherKeyEncryptionKeyError(Exception):
    """The signing keys were sealed under another key-encryption key; the text names both by their ids."""


class KeyEncryptionProbe:
    """The probe of one database."""

    def __init__(self, database: Database, keys: SigningKeyRepository, encryption: FileKeyEncryption) -> None:
        self._collection = database["authority"]
        self._keys = keys
        self._encryption = encryption

    async def require(self) -> None:
        """Open the probe; where there is none, see that some signing key in the database was sealed under a known key.

        Raises:
            OtherKeyEncryptionKeyError: it was sealed under another key-encryption key, or all signing keys were.
            PyMongoError: the database is unavailable.
        """
        if not await self._opens():
            await self._known()

    async def make(self, copied_under: Collection[str]) -> None:
        """Make the probe where there is none and the sealed copies of signing keys do not say otherwise.

        While all keys are sealed under the one that is to be given up, none is made: each start asks them again.

        Args:
            copied_under: the ids of the key-encryption keys of all copies that are published.

        Raises:
            OtherKeyEncryptionKeyError: as of `require`, or all copies were sealed under another one.
            PyMongoError: the database is unavailable.
        """
        if await self._opens():
            return
        self._require_any(copied_under, "on the topic of their copies")
        known = {*await self._known(), *copied_under}
        if not known or self._encryption.kek_id in known:
            await self._insert()
            await self._opens()

    async def _opens(self) -> bool:
        """Return whether there is a probe, which opens."""
        found = await self._collection.find_one({"_id": _DOCUMENT})
        if found is None:
            return False
        sealed = Sealed(found["kek_id"], bytes(found["sealed"]))
        try:
            self._encryption.open(sealed, _BOUND_TO)
        except KeyUnavailableError:
            raise _other(self._encryption, sealed.kek_id, _HERE) from None
        return True

    async def _known(self) -> Collection[str]:
        """Return the ids of the key-encryption keys of the signing keys in the database, of which one is known."""
        found = await self._keys.count_by_kek()
        self._require_any(found, _HERE)
        return found.keys()

    def _require_any(self, kek_ids: Collection[str], where: str) -> None:
        if kek_ids and not any(self._encryption.knows(each) for each in kek_ids):
            raise _other(self._encryption, ", ".join(sorted(kek_ids)), where)

    async def replace(self) -> None:
        """Seal the probe under the present key-encryption key, so that the one before may be given up.

        A probe that does not open stays: it says which key-encryption key is missing. Where there is none, the next
        start makes it.

        Raises:
            PyMongoError: the database is unavailable; doing it again is safe.
        """
        try:
            await self.require()
        except OtherKeyEncryptionKeyError:
            return
        await self._collection.update_one({"_id": _DOCUMENT}, {"$set": self._document()})

    async def _insert(self) -> None:
        try:
            await self._collection.insert_one({"_id": _DOCUMENT, **self._document()})
        except DuplicateKeyError:
            return

    def _document(self) -> dict[str, object]:
        sealed = self._encryption.seal(_PROBE, _BOUND_TO)
        return {"schema": 1, "kek_id": sealed.kek_id, "sealed": Binary(sealed.ciphertext)}


def _other(encryption: FileKeyEncryption, kek_id: str, where: str) -> OtherKeyEncryptionKeyError:
    return OtherKeyEncryptionKeyError(
        f"BOWERBIRD_KEK_FILE holds the key-encryption key {encryption.kek_id}, and the signing keys {where} "
        f"were sealed under {kek_id}: put that file back, or name it in BOWERBIRD_OTHER_KEK_FILE"
    )
