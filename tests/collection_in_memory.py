"""A MongoDB collection of documents that are found by their id alone, in memory."""

from typing import Any

from pymongo.errors import DuplicateKeyError


class MemoryCollection:
    """Keeps documents by `_id`."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    async def find_one(self, query: dict[str, Any]) -> dict[str, Any] | None:
        return self.kept.get(query["_id"])

    async def insert_one(self, document: dict[str, Any]) -> None:
        if document["_id"] in self.kept:
            raise DuplicateKeyError("there is one")
        self.kept[document["_id"]] = document

    async def update_one(self, query: dict[str, Any], change: dict[str, Any]) -> None:
        if query["_id"] in self.kept:
            self.kept[query["_id"]] |= change["$set"]
