"""Decisions that are made again: recorded with what is revoked, and announced, the same each time."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.telemetry import trace_id
from libs.contracts.cloudevents import Outgoing
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Revocation, Target
from services.issuer.credentials.metrics import REVOCATIONS
from services.issuer.credentials.repository import CredentialStore
from services.issuer.credentials.worker import ChangedLists
from services.issuer.decision_ids import PieceId
from services.issuer.decisions import metrics
from services.issuer.decisions.deciding import Decided
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.published import PublishedHistory
from services.issuer.decisions.repository import DecisionStore
from services.issuer.decisions.worker import Awarding

# Of what was held against some credentials so much is decided again.
_MOST_OTHERS = 500


class MadeAgain:
    """Reads, records and announces decisions that are made again."""

    def __init__(
        self,
        awarding: Awarding,
        *,
        decisions: DecisionStore,
        history: PublishedHistory,
        credentials: CredentialStore,
        lists: ChangedLists,
        announcer: Announcer,
        audit: AuditWriter,
    ) -> None:
        self._awarding = awarding
        self._decisions = decisions
        self._history = history
        self._credentials = credentials
        self._lists = lists
        self._announcer = announcer
        self._audit = audit

    async def held_against(self, credential_ids: Sequence[UUID]) -> dict[UUID, Decision]:
        """Return the newest decisions on what earned nothing since one of these was held, by submission."""
        if not credential_ids:
            return {}
        return await self.newest(await self._decisions.held_against(credential_ids, _MOST_OTHERS))

    async def newest(self, pieces: Iterable[PieceId]) -> dict[UUID, Decision]:
        """Return the newest decisions on these, as they were published where the database was set back."""
        newest = await self._decisions.newest(pieces)
        return dict(await self._history.record({key: each.evidence for key, each in newest.items()}, newest))

    async def record(self, decided: Decided, traces: Mapping[UUID, str]) -> bool:
        """Record in the audit log what is revoked, then all of it; return whether it is recorded."""
        revocations = decided.changes.revocations
        await self._audit.record(*_revoked(revocations, next(iter(traces.values()))))
        done = await self._awarding.record(decided, traces)
        if done:
            REVOCATIONS.labels("revoked").inc(len(revocations))
        else:
            metrics.RECORD_CONFLICTS.inc()
        return done

    async def announce(self, newest: Mapping[UUID, Decision], traces: Mapping[UUID, str]) -> list[Outgoing]:
        """Count changes of status lists, publish, and return what tells of the revocations: the same each time."""
        if not newest:
            return []
        of_credential = {closed: traces[key] for key, each in newest.items() for closed in each.revoked}
        closed = await self._credentials.by_ids(of_credential)
        if moments := [each.revocation.at for each in closed.values() if each.revocation is not None]:
            await self._lists.changed(sorted({each.status.list_id for each in closed.values()}), min(moments))
        others = await self.held_against(list(of_credential))
        # What was decided again follows from these withdrawals.
        trace = next(iter(traces.values()))
        decisions = {**{key: each for key, each in others.items() if each.sequence > 1}, **newest}
        changed = await self._awarding.announce(decisions, {}, {**dict.fromkeys(decisions, trace), **traces})
        for key, each in closed.items():
            changed += self._announcer.of_closing(each, of_credential[key])
        return changed


def _revoked(revocations: Mapping[Target, Revocation], trace: str) -> list[Entry]:
    """Return the entries of the audit log about what is revoked since evidence was withdrawn."""
    cause = Cause.of_service("issuer", trace_id(trace))
    return [
        Entry(Action.CREDENTIAL_REVOKED, cause, (issuer_id,), f"credential {credential_id}", each.reason.value)
        for (credential_id, issuer_id), each in revocations.items()
    ]
