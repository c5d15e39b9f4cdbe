"""The authority's secret, from which every id is derived; a database that was filled under another one is refused.

There is one for the whole authority, for as long as its stores live: under another one the same learner would get
another id, and each badge would be issued again. Whoever has it can compute ids, and sign nothing.
"""

from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field

from libs.common.mongo import Collection, Database
from libs.common.secret_files import SECRET_BYTES, read_secret
from libs.common.settings import PREFIX, Settings, SettingsError

VARIABLE = f"{PREFIX}AUTHORITY_SECRET_FILE"

_SALT = b"bowerbird authority secret"
_ID_BYTES = 8
# What is stored about the secret: one document, which holds its id.
_DOCUMENT = "secret"


class AuthoritySettings(Settings):
    """The settings of a service that derives ids. The verifier derives none, and is not given the secret."""

    authority_secret_file: Path = Field(
        default=Path("var/secrets/authority-secret"),
        description="file with the secret that ids are derived from: 32 bytes in base64, mode 0600; the same for all "
        "services, for as long as their databases live",
    )


class OtherSecretError(SettingsError):
    """A database was filled under another secret than the one given; the text names both by their ids."""


class AuthoritySecret:
    """A secret of 32 bytes. What is derived from it under one label tells nothing of it, nor of any other label."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = self._derived(b"id", _ID_BYTES).hex()
        """Which secret this is, in hexadecimal; reveals nothing of it, and of what is derived from it."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the secret from its file.

        Raises:
            SettingsError: the file is missing, readable by others, or holds something else; says what to do.
        """
        return cls(read_secret(path, VARIABLE))

    def key(self, label: str) -> bytes:
        """Return the key of 32 bytes of this purpose: HKDF with SHA-256 (RFC 5869), the label in its `info`."""
        return self._derived(f"key {label}".encode(), SECRET_BYTES)

    def _derived(self, info: bytes, length: int) -> bytes:
        return HKDF(SHA256(), length, _SALT, info).derive(self._secret)


async def require_same(database: Database, secret: AuthoritySecret) -> None:
    """Record the secret's id in this database where none is recorded; from then on no other secret will do.

    Raises:
        OtherSecretError: another one is recorded.
        PyMongoError: the database is unavailable.
    """
    await _collection(database).update_one(
        {"_id": _DOCUMENT}, {"$setOnInsert": {"schema": 1, "secret_id": secret.id}}, upsert=True
    )
    await refuse_other(database, secret)


async def refuse_other(database: Database, secret: AuthoritySecret) -> None:
    """Do nothing where this secret is the one whose id is recorded in this database, or none is; it only reads.

    Raises:
        OtherSecretError: another one is recorded.
        PyMongoError: the database is unavailable.
    """
    recorded = await _collection(database).find_one({"_id": _DOCUMENT})
    if recorded is not None and recorded["secret_id"] != secret.id:
        raise OtherSecretError(
            f"{VARIABLE} holds the secret {secret.id}, and the ids in the database {database.name!r} were derived from "
            f"the secret {recorded['secret_id']}: put that file back; under another one every learner would be "
            "somebody else"
        )


def _collection(database: Database) -> Collection:
    return database["authority"]
