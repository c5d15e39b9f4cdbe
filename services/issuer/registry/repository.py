"""The signed list of issuers in MongoDB: which version of it is published, and whose signature it has."""

from pymongo.read_concern import ReadConcern

from libs.common.mongo import Database, Document, insert_new
from services.issuer.renewal.repository import COUNTED, UNPUBLISHED, Versioned, VersionedRepository, number_in

LIST_ID = "issuers"


class IssuerListRepository(VersionedRepository[Versioned]):
    """The collection `issuer_list`: one document, which holds nothing of what the list says."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.get_collection("issuer_list", read_concern=ReadConcern("majority")))

    async def changed(self) -> None:
        """Count a change of what the list says. Where there is no list yet, its first version will say it."""
        await self.count_change([LIST_ID])

    async def signed_by(self, signer: str) -> None:
        """Create the list, and count a change where another key signed it before."""
        await insert_new(self._documents, [{"_id": LIST_ID, "schema": 1, "signer": signer, **UNPUBLISHED}])
        await self._documents.update_one(
            {"_id": LIST_ID, "signer": {"$ne": signer}, **COUNTED}, {"$set": {"signer": signer}, "$inc": {"version": 1}}
        )

    def _read(self, document: Document) -> Versioned:
        return Versioned(id=document["_id"], version=number_in(document, "version"))
