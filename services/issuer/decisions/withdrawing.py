"""The handler of `evidence.withdrawn`: what was decided on the evidence is decided again, in one transaction.

1. Read the newest decision on each piece, as `worker.py` does. Those that are withdrawn are only announced again.
2. to 4. Decide what follows (`withdrawal.py`), in memory; sign what is still earned.
5. Record in the audit log what is revoked, then in one transaction the decisions and credentials, what is kept to count
   together, and the revocations. Killed: all of it is there, or none, and the event comes again.
6. Count a change of each status list; publish the announcements, made from what is recorded. Killed: again from 1; the
   lists are published once more with the same bits.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import EvidenceSubmitted, EvidenceWithdrawn, Outcome
from libs.contracts.reasons import RevocationReason
from services.issuer.credentials.credential import Revocation, Target
from services.issuer.credentials.hindrance import Pair
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.claims import holding_of
from services.issuer.decisions.context import DecisionContext, RuleOutcome
from services.issuer.decisions.deciding import Decided
from services.issuer.decisions.decision import Changes, Decision, Reason
from services.issuer.decisions.made_again import MadeAgain
from services.issuer.decisions.withdrawal import Taken, withdraw
from services.issuer.decisions.worker import Awarding, DecidingStuckError, pause

_ATTEMPTS = 10
# Decided and recorded at once: each may take some ms.
_TOGETHER = 20


class Withdrawing:
    """Applies withdrawals of evidence."""

    def __init__(self, awarding: Awarding, again: MadeAgain, clock: Callable[[], datetime]) -> None:
        self._awarding = awarding
        self._again = again
        self._clock = clock

    async def apply(self, batch: Sequence[Received[EvidenceWithdrawn]]) -> list[Outgoing]:
        """Go through the steps; return what is still to be published.

        Raises:
            DecidingStuckError: the database refuses to record, and nothing recorded explains why.
        """
        outgoing: list[Outgoing] = []
        for start in range(0, len(batch), _TOGETHER):
            outgoing += await self._apply(batch[start : start + _TOGETHER])
        return outgoing

    async def _apply(self, batch: Sequence[Received[EvidenceWithdrawn]]) -> list[Outgoing]:
        events = {each.event.submission_id: each.event for each in batch if each.event is not None}
        traces = {each.event.submission_id: each.trace for each in batch if each.event is not None}
        for attempt in range(_ATTEMPTS):
            await pause(attempt)
            newest = await self._newest(events)  # 1
            undecided = [each for each in newest.values() if each.outcome is not Outcome.WITHDRAWN]
            if not undecided:
                return await self._again.announce(newest, traces)  # 6
            decided = await self._decide(undecided, events)  # 2, 3, 4
            if await self._again.record(decided, traces):  # 5
                newest = {key: decided.decisions.get(key, each) for key, each in newest.items()}
                return await self._again.announce(newest, traces)  # 6
        raise DecidingStuckError(f"{len(events)} withdrawals were refused {_ATTEMPTS} times")

    async def _newest(self, events: Mapping[UUID, EvidenceWithdrawn]) -> dict[UUID, Decision]:
        """Return the newest decision on each piece that its issuer takes back."""
        newest = await self._again.newest(PieceId(each.batch_id, each.row) for each in events.values())
        for key, event in events.items():
            if key not in newest or newest[key].evidence.issuer_id != event.issuer_id:
                newest.pop(key, None)
                get_logger().error("evidence is withdrawn that was never decided", submission=str(key))
        return newest

    async def _decide(self, undecided: Sequence[Decision], events: Mapping[UUID, EvidenceWithdrawn]) -> Decided:
        """Steps 2 to 4; what follows and cannot be signed is not awarded."""
        deciding, at = self._awarding.deciding, self._clock()
        taken = [Taken(each, Reason(events[each.evidence.submission_id].reason.value)) for each in undecided]
        own = {each.evidence.submission_id: each for each in undecided}
        issued = [each.issued_id for each in undecided if each.issued_id is not None]
        others = {key: each for key, each in (await self._again.held_against(issued)).items() if _is_held_against(each)}
        others = {key: each for key, each in others.items() if key not in own}
        by_credential: dict[UUID, list[EvidenceSubmitted]] = {}
        for other in others.values():
            if other.credential_id is not None:
                by_credential.setdefault(other.credential_id, []).append(other.evidence)
        newest = {**others, **own}
        unwritable: set[UUID] = set()
        parked: dict[Pair, Reason] = {}
        while True:
            pieces = [each.evidence for each in newest.values()]
            issuers, context = await deciding.context(pieces, newest, unwritable, parked=parked)  # 2
            outcomes = withdraw(taken, by_credential, context)  # 3
            signed = await deciding.sign(outcomes, newest, issuers, at)  # 4
            if not signed.refused and not signed.hindered:
                break
            unwritable |= signed.refused
            parked |= signed.hindered
        decisions = {
            each.evidence.submission_id: each.decision(newest[each.evidence.submission_id].sequence + 1, at, None)
            for each in outcomes
        }
        changes = Changes(frozenset(context.disowned), _revocations(outcomes, events, context))
        return Decided(decisions, signed.credentials, [context.kept[each] for each in context.changed], changes)


def _is_held_against(decision: Decision) -> bool:
    return decision.outcome is Outcome.DUPLICATE and decision.credential_id is not None


def _revocations(
    outcomes: Sequence[RuleOutcome], events: Mapping[UUID, EvidenceWithdrawn], context: DecisionContext
) -> dict[Target, Revocation]:
    """Return what is revoked with these outcomes, and why, at the moment at which their evidence was withdrawn."""
    revocations: dict[Target, Revocation] = {}
    for each in outcomes:
        if each.achievement is not None and each.revoked:
            awards = context.holdings.get(holding_of(each.evidence, each.achievement, context.ids), ())
            own, at = {award.credential_id for award in awards}, events[each.evidence.submission_id].withdrawn_at
            for closed in each.revoked:
                reason = RevocationReason.EVIDENCE_WITHDRAWN if closed in own else RevocationReason.STACKED_ON_REVOKED
                revocations[closed, each.evidence.issuer_id] = Revocation(at, reason)
    return revocations
