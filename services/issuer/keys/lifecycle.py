"""Changes of an issuer's signing keys: stored first, then announced by the next version of its DID document."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.errors import ConflictError, UnavailableError
from libs.common.telemetry import get_logger, new_trace, trace_id
from libs.contracts.events import AuthorityPublished, IssuerPublished
from services.issuer.keys import states
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import MOST_KEYS, KeyState, SigningKey

_REPAIR_SECONDS = 5.0


class PublishedIssuers(Protocol):
    """Publishes the DID documents of issuers and of the authority."""

    async def current(self, issuer_id: str) -> IssuerPublished | AuthorityPublished:
        """Return the newest version.

        Raises:
            NotFoundError: there is no such issuer.
        """
        ...

    async def publish_keys(self, issuer_id: str, trace: str, cause: Cause) -> object:
        """Publish a version that tells of the keys as they are stored, unless the newest one does.

        Raises:
            ConflictError: others publish versions of this issuer all the time.
            UnavailableError: the version is published, and does not arrive here.
        """
        ...


class KeyLifecycle:
    """Adds keys and moves them from state to state. Every change can be asked for again until it is answered.

    1. Record the change in the audit log and store it, if it is none already.
    2. Have its sealed copy confirmed.
    3. Publish the DID document that tells of it. A crash before leaves a key whose state is not copied or published,
       and `repair` or the next call goes on.
    """

    def __init__(
        self,
        *,
        issuers: PublishedIssuers,
        signing_keys: SigningKeys,
        copies: KeyCopies,
        repository: SigningKeyRepository,
        audit: AuditWriter,
        clock: Callable[[], datetime],
    ) -> None:
        self._issuers = issuers
        self._signing_keys = signing_keys
        self._copies = copies
        self._repository = repository
        self._audit = audit
        self._clock = clock

    async def keys(self, issuer_id: str) -> Sequence[SigningKey]:
        """Return all keys that the issuer ever had, the oldest first.

        Raises:
            NotFoundError: there is no such issuer.
        """
        await self._issuers.current(issuer_id)
        return await self._repository.of_issuer(issuer_id)

    async def add(
        self, issuer_id: str, trace: str, cause: Cause, *, reason: str | None = None, most: int = MOST_KEYS
    ) -> tuple[SigningKey, bool]:
        """Return the issuer's next key, generating and announcing one where there is none; and whether it is new.

        `reason` is why, in the words of who asks; `most`, how many keys the issuer may have had for that.

        Raises:
            NotFoundError: there is no such issuer.
            ConflictError: its DID stands for one key alone (did:key), or it has had too many keys.
        """
        issuer = await self._issuers.current(issuer_id)
        if issuer.did.startswith("did:key:"):
            raise ConflictError(
                f"{issuer_id} is a did:key, which is the name of one key and can have no other; an issuer whose keys "
                "can change is a did:web"
            )
        known = await self._repository.of_issuer(issuer_id)
        if len(known) >= most:
            raise ConflictError(f"an issuer has at most {most} keys, since all of them stay in its DID document")
        if all(each.state is not KeyState.NEXT for each in known):
            details = {"state": KeyState.NEXT.value}
            await self._audit.record(
                Entry(Action.SIGNING_KEY_ADDED, cause, (issuer_id,), f"issuer {issuer_id}", reason, details)
            )
        key, new = await self._signing_keys.create(issuer_id, KeyState.NEXT, self._clock())  # 1, 2
        await self._issuers.publish_keys(issuer_id, trace, cause)  # 3
        return await self._stored(issuer_id, key.key_id), new

    async def activate(
        self, issuer_id: str, key_id: str, trace: str, cause: Cause, *, reason: str | None = None
    ) -> SigningKey:
        """Sign with the next key from now on; the key that signed so far retires.

        Raises:
            NotFoundError: there is no such issuer, or no such key of it.
            ConflictError: the key is not next and announced, or another change came first.
        """

        def change(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
            return states.activate(keys, key_id, now)

        return await self._change(issuer_id, key_id, change, trace, cause, reason=reason)

    async def retire(
        self, issuer_id: str, key_id: str, trace: str, cause: Cause, *, reason: str | None = None
    ) -> SigningKey:
        """Sign never again with this key; what it signed stays good.

        Raises:
            NotFoundError: there is no such issuer, or no such key of it.
            ConflictError: the key signs or signed a moment ago, is compromised, or another change came first.
        """

        def change(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
            return states.retire(keys, key_id, now)

        return await self._change(issuer_id, key_id, change, trace, cause, reason=reason)

    async def distrust(
        self,
        issuer_id: str,
        key_id: str,
        since: datetime | None,
        trace: str,
        cause: Cause,
        *,
        reason: str | None = None,
    ) -> SigningKey:
        """Sign never again with this key, and trust nothing that it signed from `since` (now) on.

        Where it was the active key, the next one is active from now on.

        Raises:
            NotFoundError: there is no such issuer, or no such key of it.
            ConflictError: `since` lies in the future or before the key was made, the active key has no announced
                successor, or another change came first.
        """

        def change(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
            return states.distrust(keys, key_id, now, now if since is None else since)

        return await self._change(issuer_id, key_id, change, trace, cause, reason=reason)

    async def repair(self) -> float:
        """Copy and announce what a crash left behind; returns the delay in seconds until the next time.

        What cannot be announced now is tried again then: the catalogue is slow, somebody else publishes, or what is
        stored of one issuer is at fault, which holds up no other.
        """
        await self._copies.repair()
        for issuer_id in await self._repository.unpublished_issuers():
            try:
                trace = new_trace()
                await self._issuers.publish_keys(issuer_id, trace, Cause.of_service("issuer", trace_id(trace)))
            except UnavailableError as error:
                get_logger().warning("keys are not announced yet", issuer=issuer_id, problem=error.code)
                break
            except (PyMongoError, KafkaError, OSError):
                raise
            except Exception as error:  # noqa: BLE001  # whatever is wrong with one issuer stops no other's keys
                get_logger().warning("keys are not announced yet", issuer=issuer_id, problem=type(error).__name__)
        return _REPAIR_SECONDS

    async def _change(
        self,
        issuer_id: str,
        key_id: str,
        change: Callable[[Sequence[SigningKey], datetime], list[SigningKey]],
        trace: str,
        cause: Cause,
        *,
        reason: str | None,
    ) -> SigningKey:
        keys = await self.keys(issuer_id)
        if all(each.key_id != key_id for each in keys):
            raise await self._repository.not_found(issuer_id, key_id)
        changed = change(keys, self._clock())
        await self._audit.record(*(_entry(issuer_id, each, cause, reason) for each in changed))
        if changed and not await self._repository.update(keys, changed):  # 1
            raise ConflictError("the keys of this issuer were changed at the same moment; read them and try again")
        self._signing_keys.forget(issuer_id)
        await self._copies.confirm(issuer_id)  # 2
        await self._issuers.publish_keys(issuer_id, trace, cause)  # 3
        return await self._stored(issuer_id, key_id)

    async def _stored(self, issuer_id: str, key_id: str) -> SigningKey:
        return next(each for each in await self._repository.of_issuer(issuer_id) if each.key_id == key_id)


def _entry(issuer_id: str, changed: SigningKey, cause: Cause, reason: str | None) -> Entry:
    subject = f"signing-key {changed.key_id}"
    return Entry(
        Action.SIGNING_KEY_CHANGED, cause, (issuer_id,), subject, reason, details={"state": changed.state.value}
    )
