"""Reads a collection some documents at a time, so that an audit takes no more memory where there are more of them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from libs.common.mongo import Collection, Document

_AT_ONCE: Final = 500


async def some_of(
    collection: Collection, query: Mapping[str, Any], fields: Mapping[str, int]
) -> AsyncIterator[list[Document]]:
    """Yield what a query finds; an operator's, over all tenants."""
    cursor = collection.find(query, fields).batch_size(_AT_ONCE)
    while found := await cursor.to_list(_AT_ONCE):
        yield found
