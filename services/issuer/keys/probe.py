"""Whether the key-encryption key is the one that this database's signing keys were sealed under, asked at every start.

A probe lies sealed in the database beside the keys. Under another key-encryption key nothing could be signed for any
issuer, and what is sealed anew meanwhile would need both: the process ends and says which file it needs.
"""

from bson import Binary
from pymongo.errors import DuplicateKeyError

from libs.common.mongo import Database
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import SigningKeyRepository

_DOCUMENT = "key-encryption-key"
_BOUND_TO = "the probe of the key-encryption key"
_PROBE = b"bowerbird"


class OtherKeyEncryptionKeyError(Exception):
    """The signing keys were sealed under another key-encryption key; the text names both by their ids."""


class KeyEncryptionProbe:
    """The probe of one database."""

    def __init__(self, database: Database, keys: SigningKeyRepository, encryption: FileKeyEncryption) -> None:
        self._collection = database["authority"]
        self._keys = keys
        self._encryption = encryption

    async def require(self) -> None:
        """Open the probe; make it where there is none and no signing key says otherwise.

        Raises:
            OtherKeyEncryptionKeyError: it was sealed under another key-encryption key, or all signing keys were.
            PyMongoError: the database is unavailable.
        """
        found = await self._collection.find_one({"_id": _DOCUMENT})
        if found is None:
            known = await self._keys.count_by_kek()
            if known and not any(self._encryption.knows(each) for each in known):
                raise _other(self._encryption, ", ".join(sorted(known)))
            await self._make()
            found = await self._collection.find_one({"_id": _DOCUMENT})
        sealed = Sealed(found["kek_id"], bytes(found["sealed"])) if found is not None else Sealed("none", b"")
        try:
            self._encryption.open(sealed, _BOUND_TO)
        except KeyUnavailableError:
            raise _other(self._encryption, sealed.kek_id) from None

    async def replace(self) -> None:
        """Seal the probe under the present key-encryption key, so that the one before may be given up.

        A probe that does not open stays: it says which key-encryption key is missing.

        Raises:
            PyMongoError: the database is unavailable; doing it again is safe.
        """
        try:
            await self.require()
        except OtherKeyEncryptionKeyError:
            return
        await self._collection.update_one({"_id": _DOCUMENT}, {"$set": self._document()})

    async def _make(self) -> None:
        try:
            await self._collection.insert_one({"_id": _DOCUMENT, **self._document()})
        except DuplicateKeyError:
            return

    def _document(self) -> dict[str, object]:
        sealed = self._encryption.seal(_PROBE, _BOUND_TO)
        return {"schema": 1, "kek_id": sealed.kek_id, "sealed": Binary(sealed.ciphertext)}


def _other(encryption: FileKeyEncryption, kek_id: str) -> OtherKeyEncryptionKeyError:
    return OtherKeyEncryptionKeyError(
        f"BOWERBIRD_KEK_FILE holds the key-encryption key {encryption.kek_id}, and the signing keys in this database "
        f"were sealed under {kek_id}: put that file back, or name it in BOWERBIRD_OTHER_KEK_FILE"
    )
