"""Making, rotating and withdrawing API keys: recorded in the audit log, then signed and published.

Each change is published and has arrived in this service's database before it is answered.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.access.key_text import key_id, key_sha256, new_key
from libs.access.repository import KeyRepository, StoredKey
from libs.access.scopes import Scope
from libs.access.signatures import GrantSigner
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.common.errors import ConflictError, UnauthenticatedError, UnavailableError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn
from services.issuer.access.rights import grantable, life

MOST_KEYS = 100
"""So many working keys of an issuer are made by its own; an administrator's key makes more."""

_WAIT_SECONDS = 10.0
_AGAIN_SECONDS = 5.0


class EndReason(StrEnum):
    """Why a key ends before it expires."""

    WITHDRAWN = "withdrawn"
    ROTATED = "rotated"
    LEAKED = "leaked"
    NOT_SHOWN = "not_shown"
    MAKER_LEAKED = "maker_leaked"


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was made, and what is known of it. `key` is the secret, and is shown this once."""

    key: str
    stored: StoredKey


@dataclass(frozen=True, slots=True)
class By:
    """Who asks for a change, for the audit log too.

    Attributes:
        trace: the `traceparent` of the request.
        reason: why, in their own words; it stands in the audit log.
    """

    caller: Caller
    cause: Cause
    trace: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Why a key was made, and why it ends, in the words of who asked for it."""

    made: str | None = None
    ended: str | None = None


class KeyAdministration:
    """The API keys of issuers."""

    def __init__(
        self,
        repository: KeyRepository,
        *,
        signer: GrantSigner,
        audit: AuditLog,
        arrivals: Arrivals,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._repository = repository
        self._signer = signer
        self._audit = audit
        self._arrivals = arrivals
        self._publish = publish
        self._clock = clock
        self._not_shown: dict[str, tuple[StoredKey, By]] = {}

    async def keys(self, issuer_id: str) -> list[StoredKey]:
        """Return all keys that the issuer ever had, the oldest first."""
        return await self._repository.of_issuer(issuer_id)

    async def words(self, issuer_id: str, keys: Iterable[StoredKey]) -> dict[str, Words]:
        """Return, by the digests of these keys, why they were made and end, as the audit log has it."""
        made, ended = dict[str, str | None](), dict[tuple[str, str | None], str | None]()
        for each in await self._audit.of_actions(issuer_id, (Action.API_KEY_GRANTED, Action.API_KEY_WITHDRAWN)):
            if each.action is Action.API_KEY_GRANTED:
                made[each.subject] = each.reason
            else:
                note = each.details.get("note")
                ended[each.subject, each.reason] = note if isinstance(note, str) else None
        return {
            each.sha256: Words(made.get(_subject(each.sha256)), ended.get((_subject(each.sha256), each.end_reason)))
            for each in keys
        }

    async def make(
        self,
        issuer_id: str,
        name: str,
        scopes: Iterable[Scope],
        expires_at: datetime | None,
        by: By,
    ) -> Made:
        """Make a key with at most the rights and the life of the caller's own.

        Raises:
            ForbiddenError: more rights or a longer life than the caller has.
            InvalidRequestError: a life that no key can have.
            ConflictError: the issuer has as many keys as its own may make.
            UnauthenticatedError: the caller's key ended meanwhile; what it made has ended too.
            UnavailableError: the key has not arrived; it is not shown, and was withdrawn.
        """
        now = self._clock()
        given = grantable(by.caller, frozenset(scopes))
        expires = life(by.caller, expires_at, now)
        # Not of administrators, who must be able to help an issuer whose keys somebody used up.
        of_issuer = by.caller.issuer_id != ALL_ISSUERS
        if of_issuer and sum(each.ends_at > now for each in await self.keys(issuer_id)) >= MOST_KEYS:
            raise ConflictError(f"an issuer has at most {MOST_KEYS} keys at a time; withdraw one first")
        key = new_key()
        grant = self._signer.sign(
            ApiKeyGranted(
                key_sha256=key_sha256(key),
                issuer_id=issuer_id,
                name=name,
                scopes=tuple(sorted(given)),
                granted_at=now,
                granted_by=by.caller.principal,
                granted_with=by.caller.key_id or None,
                expires_at=expires,
            )
        )
        await self._audit.record(
            Entry(
                Action.API_KEY_GRANTED,
                by.cause,
                (issuer_id,),
                _subject(grant.key_sha256),
                by.reason,
                details={"name": name, "scopes": " ".join(grant.scopes), "expires_at": expires.isoformat()},
            )
        )
        # Nobody has a key that is not shown, so it is to work for nobody: whatever arrives first, it has ended.
        try:
            await self._publish([Outgoing(grant, by.trace)])
            stored = await self._arrived(issuer_id, grant.key_sha256, lambda _: True)
        except BaseException:
            # It may be published all the same, also where nobody waits for the answer any more.
            self._not_shown[grant.key_sha256] = _granted(grant), by
            raise
        if stored is None:
            self._not_shown[grant.key_sha256] = _granted(grant), by
            await self.end_not_shown()
            raise UnavailableError(
                f"the key {key_id(grant.key_sha256)} has not arrived in time and is not shown; it was withdrawn, and"
                " stands so in the list of keys once it arrives: ask for another one"
            )
        # Whoever withdrew the maker meanwhile may have looked for what it made before this arrived.
        if await self._has_ended(issuer_id, by.caller.key_id):
            await self._end([stored], self._clock(), EndReason.MAKER_LEAKED, by)
            raise UnauthenticatedError("the API key was withdrawn")
        return Made(key, stored)

    async def end_not_shown(self) -> float:
        """Withdraw keys that were not shown, as often as it takes; return the seconds until the next time.

        A store may be away at that moment too. Should the process end before, the key is in the list of keys still, and
        nobody has it.

        Raises:
            PyMongoError, KafkaError: one is not withdrawn yet.
        """
        for sha256, (key, by) in list(self._not_shown.items()):
            await self._announce_end([key], self._clock(), EndReason.NOT_SHOWN, by)
            self._not_shown.pop(sha256, None)
        return _AGAIN_SECONDS

    async def rotate(self, issuer_id: str, id_: str, overlap: timedelta, by: By) -> Made:
        """Make a key of the same name and scopes; the one that it follows works for the overlap still.

        The new key lives as long as a new one does, and no longer than the caller's own.

        Raises:
            NotFoundError: the issuer has no such key, or it has ended.
            ForbiddenError: it has more rights than the caller.
            BowerbirdError: as `make` does.
        """
        old = await self._live(issuer_id, id_)
        scopes = [each for each in Scope if each.value in old.scopes]
        made = await self.make(issuer_id, old.name, scopes, None, by)
        await self._end([old], self._clock() + overlap, EndReason.ROTATED, by)
        return made

    async def withdraw(
        self, issuer_id: str, id_: str, reason: EndReason, *, with_made: bool, by: By
    ) -> list[StoredKey]:
        """Withdraw a key at once, and with it every key that was made with it, directly or through others, if asked.

        Returns:
            The keys that were withdrawn; the asked one is the first.

        Raises:
            NotFoundError: the issuer has no such key.
            UnavailableError: published, and not arrived yet.
        """
        every = await self.keys(issuer_id)
        chosen = [each for each in every if key_id(each.sha256) == id_]
        if not chosen:
            raise await self._repository.not_found(issuer_id, id_, "no API key")
        await self._end(chosen, self._clock(), reason, by)
        made: list[StoredKey] = []
        if with_made:
            # Until none is left: they make further ones while they are being ended.
            while alive := [
                each for each in _made_with(chosen[0], await self.keys(issuer_id)) if each.ends_at > self._clock()
            ]:
                await self._end(alive, self._clock(), EndReason.MAKER_LEAKED, by)
                made += alive
        ended = {key_id(each.sha256) for each in (*chosen, *made)}
        found = [each for each in await self.keys(issuer_id) if key_id(each.sha256) in ended]
        return sorted(found, key=lambda each: key_id(each.sha256) != id_)

    async def _end(self, keys: Sequence[StoredKey], at: datetime, reason: EndReason, by: By) -> None:
        ending = [each for each in keys if each.ends_at > at]
        if not ending:
            return
        await self._announce_end(ending, at, reason, by)
        for each in ending:
            if await self._arrived(each.issuer_id, each.sha256, lambda stored: stored.ends_at <= at) is None:
                raise UnavailableError("it is published and has not arrived here yet; ask again, that is safe")

    async def _announce_end(self, ending: Sequence[StoredKey], at: datetime, reason: EndReason, by: By) -> None:
        """Record that these keys end, and publish it."""
        now = self._clock()
        events = [
            self._signer.sign(
                ApiKeyWithdrawn(
                    key_sha256=each.sha256, issuer_id=each.issuer_id, ends_at=at, reason=reason, requested_at=now
                )
            )
            for each in ending
        ]
        await self._audit.record(
            *(
                Entry(
                    Action.API_KEY_WITHDRAWN,
                    by.cause,
                    (each.issuer_id,),
                    _subject(each.sha256),
                    reason.value,
                    {"name": each.name, "ends_at": at.isoformat()} | ({"note": by.reason} if by.reason else {}),
                )
                for each in ending
            )
        )
        await self._publish([Outgoing(each, by.trace) for each in events])

    async def _has_ended(self, issuer_id: str, id_: str) -> bool:
        now = self._clock()
        return any(key_id(each.sha256) == id_ and each.ends_at <= now for each in await self.keys(issuer_id))

    async def _live(self, issuer_id: str, id_: str) -> StoredKey:
        now = self._clock()
        for each in await self.keys(issuer_id):
            if key_id(each.sha256) == id_ and each.ends_at > now:
                return each
        raise await self._repository.not_found(issuer_id, id_, "no API key that works")

    async def _arrived(self, issuer_id: str, sha256: str, as_wanted: Callable[[StoredKey], bool]) -> StoredKey | None:
        found: list[StoredKey] = []

        async def arrived() -> bool:
            found[:] = [each for each in await self.keys(issuer_id) if each.sha256 == sha256 and as_wanted(each)]
            return bool(found)

        return found[0] if await self._arrivals.wait_until(arrived, _WAIT_SECONDS) else None


def _granted(grant: ApiKeyGranted) -> StoredKey:
    """Return the key as it is stored where its grant arrives."""
    return StoredKey(
        grant.key_sha256,
        grant.issuer_id,
        grant.name,
        frozenset(grant.scopes),
        grant.granted_at,
        grant.granted_by,
        grant.granted_with,
        grant.expires_at,
        grant.expires_at,
    )


def _subject(sha256: str) -> str:
    return f"api-key {key_id(sha256)}"


def _made_with(key: StoredKey, every: Sequence[StoredKey]) -> list[StoredKey]:
    """Return the keys that were made with this one, or with one of those; `every` has the oldest first."""
    makers, made = {key_id(key.sha256)}, list[StoredKey]()
    for each in every:
        if each.granted_with in makers:
            makers.add(key_id(each.sha256))
            made.append(each)
    return made
