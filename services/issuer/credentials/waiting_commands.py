"""Commands that wait for their credential: one of each kind for a credential and issuer, the first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new
from libs.common.stored import MOMENT, all_readable
from libs.contracts.events import RevokeCredential, TakeDownCredential
from services.issuer.credentials.requests import RequestKind

INDEXES: Sequence[Index] = (Index("waiting_commands", ["credential_id"]), Index("waiting_commands", ["since"]))

Command = RevokeCredential | TakeDownCredential


@dataclass(frozen=True, slots=True)
class WaitingCommand:
    """A command whose credential was not in the database when it was read.

    Attributes:
        trace: of who asked.
        since: when it was read first.
    """

    command: Command
    trace: str
    since: datetime

    @property
    def kind(self) -> RequestKind:
        """Return what is asked for."""
        return RequestKind.REVOKE if isinstance(self.command, RevokeCredential) else RequestKind.TAKE_DOWN

    @property
    def key(self) -> str:
        """Return credential, kind and issuer: one with the same key waits once."""
        return f"{self.command.credential_id}/{self.kind}/{self.command.issuer_id}"


class WaitingPage(NamedTuple):
    """Some of what waits, in the order of the keys; the next ones come after `after`, and none where that is empty."""

    commands: list[WaitingCommand]
    after: str


class WaitingCommandStore(Protocol):
    """What closing needs of commands that wait; unit tests run against a fake."""

    async def keep(self, commands: Sequence[WaitingCommand]) -> None:
        """Store these; of one key the first stays."""
        ...

    async def about(self, credential_ids: Iterable[UUID]) -> list[WaitingCommand]:
        """Return what waits for these credentials, in the order in which it was asked for."""
        ...

    async def page(self, after: str, limit: int) -> WaitingPage:
        """Return what waits, beginning after `after`."""
        ...

    async def remove(self, commands: Iterable[WaitingCommand]) -> None:
        """Forget these: they are applied, or given up."""
        ...

    async def count(self) -> int:
        """Return about how many wait."""
        ...

    async def oldest(self) -> datetime | None:
        """Return since when the one waits that has waited longest; None where nothing waits."""
        ...


class WaitingCommands:
    """The collection `waiting_commands`. Its loop and its operators serve all tenants; each command names its own."""

    def __init__(self, database: Database) -> None:
        self._collection = database["waiting_commands"]

    async def keep(self, commands: Sequence[WaitingCommand]) -> None:
        """See `WaitingCommandStore`."""
        await insert_new(self._collection, [_document(each) for each in commands])

    async def about(self, credential_ids: Iterable[UUID]) -> list[WaitingCommand]:
        """See `WaitingCommandStore`."""
        found = await find_by_ids(self._collection, "credential_id", credential_ids)
        commands = all_readable(waiting_command, found, self._collection)
        return sorted(commands, key=lambda each: (each.command.requested_at, each.key))

    async def page(self, after: str, limit: int) -> WaitingPage:
        """See `WaitingCommandStore`."""
        found = await self._collection.find({"_id": {"$gt": after}}).sort("_id", 1).limit(limit).to_list(None)
        last = found[-1]["_id"] if len(found) == limit else ""
        return WaitingPage(all_readable(waiting_command, found, self._collection), last)

    async def remove(self, commands: Iterable[WaitingCommand]) -> None:
        """See `WaitingCommandStore`."""
        await self._collection.delete_many({"_id": {"$in": [each.key for each in commands]}})

    async def count(self) -> int:
        """See `WaitingCommandStore`."""
        return await self._collection.estimated_document_count()

    async def oldest(self) -> datetime | None:
        """See `WaitingCommandStore`."""
        found = await self._collection.find({"since": MOMENT}, {"since": 1}).sort("since", 1).limit(1).to_list(None)
        return found[0]["since"] if found else None


def _document(waiting: WaitingCommand) -> Document:
    command = waiting.command
    document = {
        "_id": waiting.key,
        "schema": 1,
        "credential_id": command.credential_id,
        "issuer_id": command.issuer_id,
        "kind": waiting.kind,
        "request_id": command.request_id,
        "reason": command.reason,
        "requested_at": command.requested_at,
        "trace": waiting.trace,
        "since": waiting.since,
    }
    return {name: value for name, value in document.items() if value is not None}


def waiting_command(stored: Document) -> WaitingCommand:
    """Return what a document of the collection says.

    Raises:
        ValueError, KeyError, TypeError: it was damaged: it says something else than its id, too.
    """
    contract = RevokeCredential if RequestKind(stored["kind"]) is RequestKind.REVOKE else TakeDownCredential
    command: Command = contract(
        credential_id=stored["credential_id"],
        issuer_id=stored["issuer_id"],
        request_id=stored.get("request_id"),
        reason=stored["reason"],
        requested_at=stored["requested_at"],
    )
    waiting = WaitingCommand(command, stored["trace"], stored["since"])
    if waiting.key != stored["_id"] or not isinstance(waiting.since, datetime) or not isinstance(waiting.trace, str):
        raise ValueError("what is stored is no command as it was kept")
    return waiting
