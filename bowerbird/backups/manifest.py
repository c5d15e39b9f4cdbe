"""What a backup holds, as its manifest says it: versions, the moment, places on topics, each file with its digest."""

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

NAME: Final = "manifest.json"
FORMAT: Final = 1


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text is a sentence that says why, and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Moment(_Part):
    """A moment of the replica set's clock, which orders its writes: seconds since 1970, and a counter in the second."""

    seconds: int = Field(ge=0, lt=2**32)
    increment: int = Field(ge=0, lt=2**32)


class DocumentsFile(_Part):
    """One collection in one file: BSON documents one behind the other, gzip around them."""

    path: str = Field(description="below the backup's directory")
    database: str
    collection: str
    documents: int = Field(ge=0)
    bytes: int = Field(ge=0, description="of the file, as it is stored")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file, as it is stored")

    @property
    def name(self) -> str:
        """DATABASE.COLLECTION."""
        return f"{self.database}.{self.collection}"


class Places(_Part):
    """Offsets on the topics of Kafka just before the moment, so that nothing behind them is known to be in the backup.

    Attributes:
        ends: by topic, the end offset of each partition.
        groups: by consumer group and topic, the committed offset of each partition that has one.
        topic_ids: of each topic whose brokers give one: a topic that was made anew since has another.
    """

    ends: dict[str, dict[int, int]]
    groups: dict[str, dict[str, dict[int, int]]]
    topic_ids: dict[str, str] = {}


class Manifest(_Part):
    """The manifest, `manifest.json`.

    Attributes:
        bowerbird: the version of the program that wrote it.
        mongodb: the version of the server that it was read from.
        created_at: when the backup was begun, by the clock of the machine that wrote it.
        moment: what was written up to here is in it, and nothing else.
        places: None where Kafka was not asked.
        sealed_keys: how many signing keys each key-encryption key sealed, by its id; a restore needs those keys.
        secret_ids: ids of the authority's secrets under which the databases were filled; a restore needs that secret.
    """

    format: int = FORMAT
    bowerbird: str
    mongodb: str
    created_at: AwareDatetime
    moment: Moment
    places: Places | None
    sealed_keys: dict[str, int]
    secret_ids: tuple[str, ...]
    files: tuple[DocumentsFile, ...]

    @property
    def documents(self) -> int:
        """How many documents it holds in all."""
        return sum(each.documents for each in self.files)

    @property
    def at(self) -> datetime:
        """The moment as a time, to the second."""
        return datetime.fromtimestamp(self.moment.seconds, tz=self.created_at.tzinfo)

    def text(self) -> bytes:
        """Return the manifest as it is stored."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)

    @property
    def digest(self) -> str:
        """Its SHA-256 in hexadecimal, which stands for the whole backup, since it holds the digest of each file."""
        return sha256(self.text()).hexdigest()


def read(folder: Path) -> Manifest:
    """Return the manifest of the backup in this directory.

    Raises:
        BackupError: there is none, or it is none of ours.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {path} cannot be read ({error.strerror}).") from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupError(f"{path} is no manifest of a backup, or not all of one.") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{path} has the form {manifest.format}, which this version does not read.")
    return manifest
