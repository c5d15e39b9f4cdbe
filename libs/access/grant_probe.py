"""Whether the keys of grants are those that this database's API keys were granted under, asked at every start.

With other files every API key that is made would be refused by the services whose file lacks its public half, and every
grant that is read again would count for nothing.
"""

from libs.access.signatures import PUBLIC_VARIABLE, SECRET_VARIABLE, GrantKeys, GrantSigner
from libs.common.mongo import Database

_DOCUMENT = "grant-key"


class OtherGrantKeyError(Exception):
    """API keys were granted under a key whose public half is not in the file any more; the text names it."""


class GrantProbe:
    """What is recorded of it in the issuer service's database."""

    def __init__(self, database: Database) -> None:
        self._collection = database["authority"]

    async def require(self, signer: GrantSigner, keys: GrantKeys) -> None:
        """Record the signer's public key where none is recorded; the recorded one must be in the file of public keys.

        Raises:
            OtherGrantKeyError: it is not.
            PyMongoError: the database is unavailable.
        """
        first = {"schema": 1, "public_key": signer.public_key}
        await self._collection.update_one({"_id": _DOCUMENT}, {"$setOnInsert": first}, upsert=True)
        recorded = await self._collection.find_one({"_id": _DOCUMENT})
        public_key = "none" if recorded is None else recorded["public_key"]
        if public_key not in keys:
            raise OtherGrantKeyError(
                f"the API keys in this database were granted under {public_key}, which is not in the file of "
                f"{PUBLIC_VARIABLE}: put that file and the one of {SECRET_VARIABLE} back; to change the secret, keep "
                "its line until `bowerbird sign-grants-anew` has been run"
            )

    async def replace(self, signer: GrantSigner) -> None:
        """Record that the grants are signed by this one now, so that the one before may be given up."""
        changed = {"schema": 1, "public_key": signer.public_key}
        await self._collection.update_one({"_id": _DOCUMENT}, {"$set": changed}, upsert=True)
