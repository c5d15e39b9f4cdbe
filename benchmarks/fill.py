"""Fill the stores with credentials, so that a measurement meets collections of their later size.

A small upload is issued through the stack, and every document that it left in MongoDB is copied under other ids, as
often as it takes: what is stored is what the services store, whatever its form. All ids of a copy are the first ones
with the same bits turned, so that documents still refer to each other, the rows of a batch still lie side by side, and
all other ids scatter as fresh ones do. Topics are not filled: their records are read once and never searched.
"""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any
from uuid import UUID, uuid4

from cyclopts import App, Parameter
from pymongo import MongoClient, WriteConcern
from rich.console import Console

from benchmarks import tenant
from demo.api import Api
from demo.command import endpoints_of
from deploy.embedded.commands import start, told

Document = dict[str, Any]

PIECES = 2_000
# Where the services keep what grows with the number of credentials.
_COLLECTIONS = (
    ("evidence", "batches"),
    ("evidence", "row_blocks"),
    ("evidence", "rows"),
    ("issuer", "decisions"),
    ("issuer", "credentials"),
    ("verifier", "documents"),
    ("notifier", "deliveries"),
)
# The last bits of a submission's id are the row's number, and stay as they are.
_TURNED_BYTES = 12
_UUID_BYTES = 16
_SETTLE_SECONDS = 120.0

app = App(name="fill", help="Fill the embedded stack's stores with issued credentials.")
_OUT = Console(highlight=False)


@app.default
def main(*, credentials: Annotated[int, Parameter(help="how many at least")] = 2_000_000) -> int:
    """Issue a few credentials, then copy what that stored until there are this many more."""
    return told(lambda: asyncio.run(_fill(credentials)))


async def _fill(credentials: int) -> int:
    layout = start("auto")
    issuer_id = await issue(layout)
    with MongoClient[Document](
        f"mongodb://{layout.address('mongodb')}/?directConnection=true", uuidRepresentation="standard", tz_aware=True
    ) as client:
        found = await asyncio.to_thread(settled, client, issuer_id)
        copies = -(-credentials // tenant.credentials_of(0, PIECES))
        await asyncio.to_thread(copy, client, found, copies)
    return 0


async def issue(layout: Any) -> str:
    """Return the id of a new school, whose evidence is handed in."""
    endpoints = endpoints_of(layout)
    async with Api(_OUT.print) as api:
        school = await tenant.found(api, endpoints)
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid4())}
        body = b"".join(tenant.evidence(0, PIECES))
        await api.upload(f"{endpoints.evidence}/v1/batches", body, headers, school.key)
    return school.issuer_id


def settled(client: MongoClient[Document], issuer_id: str) -> dict[tuple[str, str], list[Document]]:
    """Return what the upload left in each collection, once every service has taken its part in."""
    expected = tenant.credentials_of(0, PIECES)
    give_up_at = monotonic() + _SETTLE_SECONDS
    while True:
        found = {place: list(client[place[0]][place[1]].find({"issuer_id": issuer_id})) for place in _COLLECTIONS}
        last = ("issuer", "credentials"), ("verifier", "documents"), ("notifier", "deliveries")
        if len(found["evidence", "rows"]) == PIECES and all(len(found[place]) == expected for place in last):
            return found
        if monotonic() > give_up_at:
            raise TimeoutError(f"not stored in time: { {place: len(each) for place, each in found.items()} }")


def copy(client: MongoClient[Document], found: Mapping[tuple[str, str], list[Document]], copies: int) -> None:
    """Store so many copies of what an upload left."""
    started = monotonic()
    collections = {place: client[place[0]].get_collection(place[1], write_concern=WriteConcern(w=1)) for place in found}
    for number in range(1, copies + 1):
        turn = Turn.fresh(f"-{number}-{secrets.token_hex(4)}")
        for place, documents in found.items():
            collections[place].insert_many([turn.of(each) for each in documents], ordered=False)
        if number % 50 == 0 or number == copies:
            done = number * len(found["issuer", "credentials"])
            _OUT.print(f"  {done:,} credentials stored, {done / (monotonic() - started):,.0f} a second")


@dataclass(frozen=True, slots=True)
class Turn:
    """One copy: the bits that are turned in every id, and what its status lists have behind their names."""

    bits: int
    suffix: str

    @classmethod
    def fresh(cls, suffix: str) -> "Turn":
        """Return a turn that gives ids which nobody has; versions and variants stay (RFC 9562)."""
        keep = 0xF000 << 64 | 0xC000 << 48
        random = int.from_bytes(secrets.token_bytes(_TURNED_BYTES)) << 8 * (_UUID_BYTES - _TURNED_BYTES)
        return cls(random & ~keep, suffix)

    def of(self, document: Document) -> Document:
        """Return the copy of a document."""
        copied = {name: self._value(value) for name, value in document.items()}
        if "status_list" in copied:
            copied["status_list"] += self.suffix
        if "document" in copied:
            before, after = str(_credential_of(document)), str(_credential_of(copied))
            copied["document"] = copied["document"].replace(before, after)
        return copied

    def _value(self, value: Any) -> Any:
        if isinstance(value, UUID):
            return self._uuid(value)
        if isinstance(value, bytes) and len(value) >= _UUID_BYTES:
            head, rest = UUID(bytes=bytes(value[:_UUID_BYTES])), bytes(value[_UUID_BYTES:])
            return self._uuid(head).bytes + rest
        return value

    def _uuid(self, value: UUID) -> UUID:
        return UUID(int=value.int ^ self.bits)


def _credential_of(document: Document) -> UUID:
    named = document.get("credential_id") or document["_id"]
    assert isinstance(named, UUID)  # noqa: S101  # what documents with a text are named by
    return named


if __name__ == "__main__":
    sys.exit(app())
