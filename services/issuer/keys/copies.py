"""Sealed copies of signing keys on the topic `signing.keys`: from them a database that lost keys gets them back.

1. A key is made, changed or sealed anew, and stored; the store notes that its copy is behind.
2. Its copy is published and confirmed by the broker.
3. The store notes that the copy is current, unless the key has changed since it was read: then from 2.

Killed anywhere, the next call for the issuer or `repair` goes on. A copy that another process overtook is not the last:
whoever published it finds in 3 that the key has changed, and publishes again. Only after 3 may a key stand in a DID
document or sign (`SigningKeys`), so every key that anybody relies on is in two places. A secret that does not open is
never copied: it may be damaged here, and the copy that is there the last good one.
"""

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.failpoints import failpoint
from libs.common.telemetry import get_logger, new_trace
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import SigningKeySealed, SigningKeyState
from services.issuer.keys.encryption import KeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import UNREADABLE, SigningKeyRepository, StoredKey
from services.issuer.keys.sealing import opened
from services.issuer.keys.states import Copy, KeyState, SigningKey

_TOLD: dict[KeyState, SigningKeyState] = {
    KeyState.NEXT: "next",
    KeyState.ACTIVE: "active",
    KeyState.RETIRING: "retiring",
    KeyState.RETIRED: "retired",
    KeyState.COMPROMISED: "compromised",
}


@dataclass(frozen=True, slots=True)
class Republished:
    """How many copies were published, and why those of the other keys were not."""

    count: int
    problems: tuple[str, ...]


class KeyCopies:
    """Publishes the copies of signing keys."""

    def __init__(
        self,
        repository: SigningKeyRepository,
        encryption: KeyEncryption,
        *,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._repository = repository
        self._encryption = encryption
        self._publish = publish
        self._clock = clock

    async def confirm(self, issuer_id: str) -> None:
        """Return when the copies of this issuer's keys tell what is stored.

        Raises:
            KafkaError: a copy was not confirmed; doing it again is safe.
        """
        await self._copy(await self._repository.uncopied_of(issuer_id))

    async def repair(self) -> None:
        """Publish the copies that a crash, or sealing anew, left behind; one issuer's damaged keys hold up no other's.

        Raises:
            KafkaError: a copy was not confirmed; doing it again is safe.
        """
        for issuer_id in await self._repository.uncopied_issuers():
            try:
                await self.confirm(issuer_id)
            except UNREADABLE as error:
                get_logger().error("keys cannot be read", issuer=issuer_id, problem=repr(error))

    async def republish(self) -> Republished:
        """Publish the copies of all keys, for a topic that was lost.

        Raises:
            KafkaError: a copy was not confirmed; doing it again is safe.
        """
        count, problems = 0, list[str]()
        for issuer_id in await self._repository.issuers():
            try:
                found, damaged = await self._repository.readable([issuer_id])
                closed = await self._copy(found[issuer_id])
            except UNREADABLE as error:
                problems.append(f"the keys of issuer {issuer_id} cannot be read: {error!r}")
            else:
                count += len(found[issuer_id]) - len(closed)
                unread = (f"signing key {each} of issuer {issuer_id} cannot be read" for each in sorted(damaged))
                problems += [*closed, *unread]
        return Republished(count, tuple(problems))

    async def again(self, found: Sequence[StoredKey]) -> Republished:
        """Publish the copies of these keys, whatever is said of their copies.

        Raises:
            KafkaError: a copy was not confirmed; doing it again is safe.
        """
        closed = await self._copy(found)
        return Republished(len(found) - len(closed), tuple(closed))

    async def _copy(self, found: Sequence[StoredKey]) -> list[str]:
        """Publish the copies of these; return why those that do not open are left out."""
        found, problems = self._open(found)
        while found:
            trace, at = new_trace(), self._clock()
            await self._publish([Outgoing(sealed_event(each, at), trace) for each in found])  # 2
            failpoint("issuer.signing_keys.2")
            found, changed = self._open(await self._repository.mark_copied(found))  # 3
            problems += changed
        failpoint("issuer.signing_keys.3")
        return problems

    def _open(self, found: Sequence[StoredKey]) -> tuple[list[StoredKey], list[str]]:
        """Return those of these that open, and why the others do not."""
        good, problems = list[StoredKey](), list[str]()
        for each in found:
            try:
                opened(each, self._encryption)
                good.append(each)
            except KeyUnavailableError as error:
                problems.append(str(error))
        return good, problems


def sealed_event(stored: StoredKey, at: datetime) -> SigningKeySealed:
    """Return the copy of this key."""
    key, sealed = stored
    return SigningKeySealed(
        key_id=key.key_id,
        issuer_id=key.issuer_id,
        state=_TOLD[key.state],
        times={_TOLD[state]: moment for state, moment in key.times.items()},
        distrusted_from=key.distrusted_from,
        kek_id=sealed.kek_id,
        sealed=b64encode(sealed.ciphertext).decode(),
        copied_at=at,
    )


def stored_key(event: SigningKeySealed) -> StoredKey:
    """Return the key that this copy tells of.

    Raises:
        ValueError: the secret is not in base64.
    """
    key = SigningKey(
        key_id=event.key_id,
        issuer_id=event.issuer_id,
        state=KeyState(event.state),
        times={KeyState(state): moment for state, moment in event.times.items()},
        distrusted_from=event.distrusted_from,
        copy=Copy.CURRENT,
    )
    return StoredKey(key, Sealed(event.kek_id, b64decode(event.sealed, validate=True)))
