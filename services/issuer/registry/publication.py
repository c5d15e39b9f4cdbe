"""Publishing the signed list of issuers: what the catalogue says, within seconds of a change and before it ends."""

import asyncio
import base64
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from libs.audit.entry import Action, AuditWriter
from libs.common.secret_files import read_secret
from libs.common.settings import PREFIX
from libs.contracts.events import IssuerListPublished, IssuerPublished
from libs.openbadges.crypto.did import did_key
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.trust import Party, Suspension, write_issuer_list
from services.issuer.registry.metrics import ISSUER_LIST
from services.issuer.registry.repository import LIST_ID, IssuerListRepository
from services.issuer.renewal.publication import Freshness, Publication, Publish, Signed
from services.issuer.renewal.repository import Versioned

KEY_VARIABLE = f"{PREFIX}ISSUER_LIST_KEY_FILE"


class RegisteredIssuers(Protocol):
    """Knows who is registered."""

    def everybody(self) -> AsyncIterator[Sequence[IssuerPublished]]:
        """Return the newest version of every issuer, some at a time, sorted by id."""
        ...


def read_list_key(path: Path) -> Ed25519Key:
    """Return the key that signs the list, from a file with 32 bytes in base64.

    Raises:
        SettingsError: the file is missing, readable by others, or holds something else.
    """
    return Ed25519Key.from_seed(read_secret(path, KEY_VARIABLE))


class IssuerListPublication(Publication[Versioned]):
    """Publishes the list of all issuers, signed with a key that the authority has for this alone."""

    def __init__(
        self,
        lists: IssuerListRepository,
        *,
        issuers: RegisteredIssuers,
        key: Ed25519Key,
        name: str,
        audit: AuditWriter,
        publish: Publish,
        clock: Callable[[], datetime],
        freshness: Freshness,
    ) -> None:
        """Take what is needed; `name` is what readers call this installation."""
        super().__init__(
            lists,
            action=Action.ISSUER_LIST_SIGNED,
            audit=audit,
            publish=publish,
            clock=clock,
            freshness=freshness,
            metrics=ISSUER_LIST,
        )
        self._lists = lists
        self._issuers = issuers
        self._key = key
        self._name = name
        self._signed_by: str | None = None

    async def tick(self) -> float:
        """Publish the list where it changed or is due; return the seconds until it is worth looking again."""
        signer = did_key(self._key.public_multibase)
        if self._signed_by != signer:
            await self._lists.signed_by(signer)
            self._signed_by = signer
        delay = await self.repair()
        await self.renew()
        return delay

    async def _sign(self, current: Versioned, now: datetime) -> Signed:
        parties: list[Party] = []
        async for some in self._issuers.everybody():
            parties += [listing(issuer) for issuer in some]
        ends = now + self._freshness.valid_for
        text, compressed = await asyncio.to_thread(self._written, parties, now, ends)
        event = IssuerListPublished(list_id=LIST_ID, compressed=compressed, ends_at=ends, published_at=now)
        return Signed(event, text, {"version": current.version})

    def _written(self, parties: Sequence[Party], now: datetime, ends: datetime) -> tuple[str, str]:
        """Return the signed list, and the same as the event has it."""
        text = write_issuer_list(parties, name=self._name, key=self._key, at=now, ends=ends)
        return text, base64.b64encode(zlib.compress(text.encode("ascii"))).decode("ascii")


def listing(issuer: IssuerPublished) -> Party:
    """Return the issuer as the list has it: from its registration on, and while it is suspended until that moment."""
    held = issuer.suspension
    return Party(
        issuer.did,
        issuer.name,
        issuer.url,
        issuer.issuer_id,
        begins=issuer.registered_at,
        ends=None if held is None else held.since,
        suspension=None if held is None else Suspension(held.since, held.reason.value),
    )
