"""Whether the keys of grants are those that this database's API keys were granted under, asked at every start.

With other files every API key that is made would be refused by the services whose file lacks its public half, and every
grant that is read again would count for nothing.

A database that was lost records none, and the topic of grants still tells. So a key is recorded only once the topic is
read, and none while what stands there was signed by others.
"""

from collections.abc import Awaitable, Callable, Sequence

from pymongo.errors import DuplicateKeyError

from libs.access.signatures import PUBLIC_VARIABLE, SECRET_VARIABLE, GrantKeys, GrantSigner
from libs.common.kafka import Kafka
from libs.common.mongo import Database, Document
from libs.common.topic_reading import reading
from libs.contracts import topics
from libs.contracts.events import SignedEvent

_DOCUMENT = "grant-key"
_NAMED = 3


class OtherGrantKeyError(Exception):
    """API keys were granted under a key whose public half is not in the file any more; the text names it."""


class GrantProbe:
    """What is recorded of it in the issuer service's database."""

    def __init__(self, database: Database) -> None:
        self._collection = database["authority"]

    async def require(self, keys: GrantKeys) -> None:
        """See that the public key that is recorded is in the file of public keys, where one is recorded.

        Raises:
            OtherGrantKeyError: it is not.
            PyMongoError: the database is unavailable.
        """
        await self._is_recorded(keys)

    async def make(
        self, signer: GrantSigner, keys: GrantKeys, published: Callable[[], Awaitable[Sequence[SignedEvent]]]
    ) -> None:
        """Record the signer's public key where none is recorded and what is published does not say otherwise.

        While all of it was signed by a key that is to be given up, none is recorded: each start asks again.

        Args:
            signer: what signs grants from now on.
            keys: those of the file of public keys.
            published: returns all that stands on the topic of grants; what is forged may be among it.

        Raises:
            OtherGrantKeyError: as of `require`, or no key of the file signed any of what is published.
            PyMongoError: the database is unavailable.
        """
        if await self._is_recorded(keys):
            return
        events = await published()
        genuine = {each.signed_by for each in events if keys.verify(each)}
        if events and not genuine:
            raise _other(", ".join(sorted({each.signed_by for each in events})[:_NAMED]), "that are published")
        if not events or signer.public_key in genuine:
            await self._insert(signer)
            await self._is_recorded(keys)

    async def replace(self, signer: GrantSigner) -> None:
        """Record that the grants are signed by this one now, so that the one before may be given up."""
        await self._collection.update_one({"_id": _DOCUMENT}, {"$set": _document(signer)}, upsert=True)

    async def _is_recorded(self, keys: GrantKeys) -> bool:
        """Return whether a public key is recorded, which is in the file."""
        recorded = await self._collection.find_one({"_id": _DOCUMENT})
        if recorded is None:
            return False
        if recorded["public_key"] not in keys:
            raise _other(recorded["public_key"], "in this database")
        return True

    async def _insert(self, signer: GrantSigner) -> None:
        try:
            await self._collection.insert_one({"_id": _DOCUMENT, **_document(signer)})
        except DuplicateKeyError:
            return


async def published_grants(kafka: Kafka) -> list[SignedEvent]:
    """Return everything that stands on the topic of grants.

    Raises:
        KafkaError: the brokers are unavailable.
        OSError: the topic is missing.
    """
    async with reading(kafka, topics.ACCESS_KEYS) as reader:
        events = reader.events({}, await reader.ends())
        return [each async for some in events for each in some if isinstance(each, SignedEvent)]


def _document(signer: GrantSigner) -> Document:
    return {"schema": 1, "public_key": signer.public_key}


def _other(public_keys: str, where: str) -> OtherGrantKeyError:
    return OtherGrantKeyError(
        f"the API keys {where} were granted under {public_keys}, which is not in the file of "
        f"{PUBLIC_VARIABLE}: put that file and the one of {SECRET_VARIABLE} back; to change the secret, keep "
        "its line until `bowerbird sign-grants-anew` has been run"
    )
