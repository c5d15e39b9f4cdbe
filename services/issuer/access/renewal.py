"""Signing the grants and withdrawals of API keys anew, so that the secret that signed them can be given up.

1. Leave out what the audit log does not know: whoever had the old secret could sign more than was ever granted.
2. Record in the audit log what is about to be signed anew.
3. Sign each with the present secret and publish it in the place of the old one. It is stored when it arrives.

Killed anywhere, both signatures count for as long as both public halves are in the file; doing it again goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libs.access.key_text import key_id
from libs.access.repository import KeyRepository
from libs.access.signatures import GrantSigner
from libs.audit.entry import Action, Cause, Details, Entry
from libs.audit.log import AuditLog
from libs.common.damage import Damage
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn

_AT_ONCE = 500
KeyEvent = ApiKeyGranted | ApiKeyWithdrawn


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is signed by another secret than the present one.

    Attributes:
        explained: what the audit log knows, and what may be signed anew.
        unexplained: what nobody is known to have asked for; it is left as it is.
    """

    explained: tuple[KeyEvent, ...]
    unexplained: tuple[KeyEvent, ...]


class GrantRenewal:
    """Signs anew what another secret signed."""

    def __init__(
        self,
        repository: KeyRepository,
        *,
        signer: GrantSigner,
        audit: AuditLog,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
    ) -> None:
        self._repository = repository
        self._signer = signer
        self._audit = audit
        self._publish = publish

    async def due(self) -> Renewal:
        """Return what `run` would sign anew, and what it would not; what cannot be read is neither, and in the log."""
        known = {
            ApiKeyGranted: await self._audit.subjects(Action.API_KEY_GRANTED),
            ApiKeyWithdrawn: await self._audit.subjects(Action.API_KEY_WITHDRAWN),
        }
        parts: tuple[list[KeyEvent], list[KeyEvent]] = ([], [])
        async for event in self._repository.everything(Damage(logged=True)):
            if event.signed_by != self._signer.public_key:
                parts[subject_of(event) not in known[type(event)]].append(event)  # 1
        return Renewal(tuple(parts[0]), tuple(parts[1]))

    async def run(self, cause: Cause, trace: str) -> Renewal:
        """Sign anew and publish; return what that was, and what was left as it is.

        Raises:
            PyMongoError, KafkaError: unavailable; doing it again goes on.
        """
        due = await self.due()
        for start in range(0, len(due.explained), _AT_ONCE):
            events = due.explained[start : start + _AT_ONCE]
            tenants = tuple(sorted({each.issuer_id for each in events}))
            details: Details = {"records": len(events), "signed_by": self._signer.public_key}
            entry = Entry(Action.API_KEYS_SIGNED_ANEW, cause, tenants, "api-keys", details=details)
            await self._audit.record(entry)  # 2
            await self._publish([Outgoing(self._signer.sign(each), trace) for each in events])  # 3
        return due


def subject_of(event: KeyEvent) -> str:
    """Return what the audit log calls the key that an event speaks of."""
    return f"api-key {key_id(event.key_sha256)}"
