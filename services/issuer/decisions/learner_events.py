"""The handler of what comes on the topic of evidence: evidence, withdrawals, and what is to be looked at again.

All of it has the learner for its key, so one worker at a time has it, in its order.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import EvidenceSubmitted, EvidenceWithdrawn, ReconsiderHolding
from libs.contracts.proofs import ForgedEventError, Proofs
from services.issuer.decisions.reconsidering import Reconsidering
from services.issuer.decisions.withdrawing import Withdrawing
from services.issuer.decisions.worker import Awarding

LearnerEvent = EvidenceSubmitted | EvidenceWithdrawn | ReconsiderHolding


class LearnerEvents:
    """Hands each kind to what applies it, in their order."""

    def __init__(
        self,
        awarding: Awarding,
        withdrawing: Withdrawing,
        reconsidering: Reconsidering,
        *,
        proofs: Proofs,
        superseding_proofs: Proofs,
    ) -> None:
        """Take what applies each kind, what proves that this service made one, and that what ends a badge was asked."""
        self._parts: dict[type[LearnerEvent], Callable[[Any], Awaitable[Sequence[Outgoing]]]] = {
            EvidenceSubmitted: awarding.handle,
            EvidenceWithdrawn: withdrawing.apply,
            ReconsiderHolding: reconsidering.apply,
        }
        self._proofs = proofs
        self._superseding_proofs = superseding_proofs

    async def handle(self, batch: Sequence[Received[LearnerEvent]]) -> Sequence[Outgoing]:
        """Apply these; return what is still to be published.

        Raises:
            DecidingStuckError: the database refuses to record, and nothing recorded explains why.
            ForgedEventError: one that ends badges has not the proof of the service that was asked for it.
        """
        for each in batch:
            if each.event is not None and not self._is_proven(each.event):
                raise ForgedEventError(f"nobody here asked for {each.event.natural_id}")
        outgoing: list[Outgoing] = []
        for contract, some in _runs(batch):
            outgoing += await self._parts[contract](some)
        return outgoing

    def _is_proven(self, event: LearnerEvent) -> bool:
        """Return whether an event may be applied: all may, but what ends badges, and that with its proof alone."""
        if isinstance(event, EvidenceSubmitted):
            return event.supersedes is None or self._superseding_proofs.hold_for(event, event.proof)
        return self._proofs.hold_for(event, event.proof)


def _runs(batch: Sequence[Received[LearnerEvent]]) -> Iterator[tuple[type[LearnerEvent], list[Received[LearnerEvent]]]]:
    """Yield what stands beside each other and is of one kind."""
    for contract, some in groupby((each for each in batch if each.event is not None), lambda each: type(each.event)):
        yield contract, list(some)
