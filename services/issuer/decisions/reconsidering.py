"""The handler of `holding.reconsider`: whether a badge that is held, or no longer, brings others about or ends them.

It is asked where an achievement is published that asks to hold what somebody holds already, and where a badge was
revoked. The steps are those of `withdrawing.py`. What follows is another decision on the piece that the badge was
issued for, which says the same of the piece; where nothing follows, nothing is recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ReconsiderHolding
from libs.contracts.reasons import RevocationReason
from services.issuer.credentials.credential import Credential, Revocation
from services.issuer.credentials.hindrance import Pair
from services.issuer.credentials.repository import CredentialStore
from services.issuer.decisions.deciding import Decided
from services.issuer.decisions.decision import Changes, Decision, Reason
from services.issuer.decisions.made_again import MadeAgain
from services.issuer.decisions.withdrawal import reconsider
from services.issuer.decisions.worker import Awarding, DecidingStuckError, pause

_ATTEMPTS: Final = 10
# Decided and recorded at once: each may take some ms.
_TOGETHER: Final = 20


class Reconsidering:
    """Looks again at what follows from badges."""

    def __init__(
        self,
        awarding: Awarding,
        again: MadeAgain,
        credentials: CredentialStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._awarding = awarding
        self._again = again
        self._credentials = credentials
        self._clock = clock

    async def apply(self, batch: Sequence[Received[ReconsiderHolding]]) -> list[Outgoing]:
        """Go through the steps; return what is still to be published.

        Raises:
            DecidingStuckError: the database refuses to record, and nothing recorded explains why.
        """
        outgoing: list[Outgoing] = []
        for start in range(0, len(batch), _TOGETHER):
            outgoing += await self._apply(batch[start : start + _TOGETHER])
        return outgoing

    async def _apply(self, batch: Sequence[Received[ReconsiderHolding]]) -> list[Outgoing]:
        events = {each.event.credential_id: each for each in batch if each.event is not None}
        trace = next(each.trace for each in events.values())
        for attempt in range(_ATTEMPTS):
            await pause(attempt)
            asked = [
                each
                for key, each in (await self._credentials.by_ids(events)).items()
                if (event := events[key].event) is not None and event.issuer_id == each.issuer_id
            ]
            newest = await self._again.newest({each.decision_id.piece for each in asked})
            decided = await self._decide(asked, newest)
            traces = dict.fromkeys(newest, trace)
            if not decided.decisions or await self._again.record(decided, traces):
                # Of what is unchanged, what was decided when it was looked at before: its announcement may be lost.
                told = {key: each for key, each in {**newest, **decided.decisions}.items() if each.sequence > 1}
                return await self._again.announce(told, traces)
        raise DecidingStuckError(f"{len(events)} credentials were refused {_ATTEMPTS} times")

    async def _decide(self, asked: Sequence[Credential], newest: Mapping[UUID, Decision]) -> Decided:
        deciding, at = self._awarding.deciding, self._clock()
        keys: dict[UUID, list[str]] = {}
        for credential in asked:
            for key, each in newest.items():
                if each.decision_id.piece == credential.decision_id.piece:
                    keys.setdefault(key, []).append(credential.achievement.rpartition("/")[0])
        unwritable: set[UUID] = set()
        parked: dict[Pair, Reason] = {}
        while True:
            pieces = [newest[key].evidence for key in keys]
            issuers, context = await deciding.context(pieces, newest, unwritable, parked=parked)
            outcomes = [reconsider(newest[key], some, context) for key, some in keys.items()]
            signed = await deciding.sign(outcomes, newest, issuers, at)
            if not signed.refused and not signed.hindered:
                break
            unwritable |= signed.refused
            parked |= signed.hindered
        decisions: dict[UUID, Decision] = {}
        for outcome in outcomes:
            if outcome.stacked or outcome.revoked:
                key = outcome.evidence.submission_id
                decisions[key] = replace(
                    newest[key],
                    sequence=newest[key].sequence + 1,
                    owns_evidence=False,
                    decided_at=at,
                    stacked=outcome.stacked,
                    revoked=outcome.revoked,
                )
        revocations = {
            (closed, each.evidence.issuer_id): Revocation(at, RevocationReason.STACKED_ON_REVOKED)
            for each in decisions.values()
            for closed in each.revoked
        }
        kept = [context.kept[each] for each in context.changed] if decisions else []
        return Decided(decisions, signed.credentials, kept, Changes(revocations=revocations))
