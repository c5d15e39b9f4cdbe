"""Asking for evidence to be withdrawn: the request is audited and kept, its events published, their end waited for.

1. Find the pieces; of one that was sent several times, the sending that counts.
2. Record the request in the audit log. Killed: an entry without effect.
3. Keep the request: should Kafka lose its events, they are made again of it. Killed: the caller asks again.
4. Publish an event for each piece, and wait for the confirmations. Killed: the caller has no answer and asks again.
5. Wait until all are applied, here or by another replica. Where that takes long, the caller is told so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.arrivals import Arrivals
from libs.common.errors import NotFoundError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import EvidenceWithdrawn, Outcome
from libs.contracts.ids import Ids
from libs.contracts.proofs import Proofs
from libs.contracts.reasons import WithdrawalReason
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.withdrawal_requests import WithdrawalRequests

_WAIT_SECONDS = 5.0


class SourceId(NamedTuple):
    """A piece of evidence by what its sender calls it."""

    source: str
    source_id: str


class Withdrawals:
    """Asks for evidence to be withdrawn."""

    def __init__(
        self,
        *,
        ids: Ids,
        decisions: MongoDecisions,
        requests: WithdrawalRequests,
        audit: AuditWriter,
        arrivals: Arrivals,
        proofs: Proofs,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._ids = ids
        self._decisions = decisions
        self._requests = requests
        self._audit = audit
        self._arrivals = arrivals
        self._proofs = proofs
        self._publish = publish
        self._clock = clock

    async def withdraw(
        self,
        issuer_id: str,
        named: Sequence[PieceId | SourceId],
        reason: WithdrawalReason,
        *,
        cause: Cause,
        trace: str,
    ) -> list[Decision]:
        """Withdraw these pieces; return the newest decision on each, which says whether it is withdrawn already.

        Raises:
            NotFoundError: one of them is not there, or is not this issuer's; nothing is withdrawn then.
        """
        pieces = await self._find(issuer_id, named)  # 1
        newest = await self._newest(pieces)
        asked = [each for each in newest if each.outcome is not Outcome.WITHDRAWN]
        if not asked:
            return newest
        entries = [
            Entry(Action.EVIDENCE_WITHDRAWN, cause, (issuer_id,), f"evidence {each.evidence.evidence_id}", reason.value)
            for each in asked
        ]
        await self._audit.record(*entries)  # 2
        at = self._clock()
        events = [self._event(each, reason, cause, at) for each in asked]
        await self._requests.keep(events)  # 3
        await self._publish([Outgoing(each, trace) for each in events])  # 4

        async def applied() -> bool:
            return all(each.outcome is Outcome.WITHDRAWN for each in await self._newest(pieces))

        await self._arrivals.wait_until(applied, _WAIT_SECONDS)  # 5
        return await self._newest(pieces)

    def _event(self, decision: Decision, reason: WithdrawalReason, cause: Cause, at: datetime) -> EvidenceWithdrawn:
        evidence = decision.evidence
        event = EvidenceWithdrawn(
            submission_id=evidence.submission_id,
            batch_id=evidence.batch_id,
            row=evidence.row,
            issuer_id=evidence.issuer_id,
            learner_id=evidence.learner_id,
            reason=reason,
            withdrawn_by=cause.principal,
            withdrawn_at=at,
        )
        return self._proofs.proven(event)

    async def _find(self, issuer_id: str, named: Sequence[PieceId | SourceId]) -> list[PieceId]:
        rows = await self._decisions.newest(each for each in named if isinstance(each, PieceId))
        by_row = {each.decision_id.piece: each for each in rows.values() if each.evidence.issuer_id == issuer_id}
        evidence_ids = [self._evidence_id(issuer_id, each, by_row) for each in named]
        owners = await self._decisions.owners(each for each in evidence_ids if each is not None)
        found: list[PieceId] = []
        for number, (each, evidence_id) in enumerate(zip(named, evidence_ids, strict=True)):
            owner = None if evidence_id is None else owners.get(evidence_id)
            row = by_row.get(each) if isinstance(each, PieceId) else None
            # What was sent under the source id of other evidence is not that evidence.
            if (
                owner is not None
                and owner.decision_id is not None
                and (row is None or owner.digest == row.evidence.digest)
            ):
                found.append(owner.decision_id.piece)
            elif row is not None:
                found.append(row.decision_id.piece)
            else:
                raise NotFoundError(f"your key may see no evidence of the name in evidence.{number}")
        return list(dict.fromkeys(found))

    def _evidence_id(
        self, issuer_id: str, named: PieceId | SourceId, by_row: Mapping[PieceId, Decision]
    ) -> UUID | None:
        if isinstance(named, SourceId):
            return self._ids.evidence_id(issuer_id, *named)
        row = by_row.get(named)
        return None if row is None else row.evidence.evidence_id

    async def _newest(self, pieces: Sequence[PieceId]) -> list[Decision]:
        newest = {each.decision_id.piece: each for each in (await self._decisions.newest(pieces)).values()}
        return [newest[each] for each in pieces if each in newest]
