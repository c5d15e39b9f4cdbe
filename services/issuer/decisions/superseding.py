"""Awards in the place of others: what ends with them, and telling of it, the same each time.

Both stand in the transaction of the decision. What follows it is done again whenever that decision is announced again:

1. Count a change of each status list, after the credentials. Killed: once more, of the same bits.
2. Announce the end, behind the credential that takes the place, and have what stacked on it looked at (by the loop).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.audit.entry import Action, Cause, Entry
from libs.common.failpoints import failpoint
from libs.common.telemetry import trace_id
from libs.contracts.cloudevents import Outgoing
from libs.contracts.reasons import RevocationReason
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Revocation, Target
from services.issuer.credentials.repository import CredentialStore
from services.issuer.credentials.worker import ChangedLists, StackedUpon
from services.issuer.decisions.context import RuleOutcome
from services.issuer.decisions.decision import Decision


class Superseding:
    """Counts and announces what ended as something else was issued in its place."""

    def __init__(
        self, *, credentials: CredentialStore, lists: ChangedLists, announcer: Announcer, stacked: StackedUpon
    ) -> None:
        self._credentials = credentials
        self._lists = lists
        self._announcer = announcer
        self._stacked = stacked

    async def announce(self, decisions: Iterable[Decision], traces: Mapping[UUID, str]) -> list[Outgoing]:
        """Count changes of status lists; return what tells of the credentials that these decisions ended."""
        ended = {each.superseded_id: each for each in decisions if each.superseded_id is not None}
        if not ended:
            return []
        closed = [
            (each, each.revocation.at, traces[ended[key].evidence.submission_id])
            for key, each in (await self._credentials.by_ids(ended)).items()
            if each.revocation is not None and each.revocation.successor_id == ended[key].issued_id
        ]
        if not closed:
            return []
        await self._lists.changed(
            sorted({each.status.list_id for each, *_ in closed}), min(at for _, at, _ in closed)
        )  # 1
        failpoint("issuer.superseding.1")
        told: list[Outgoing] = []
        for credential, _, trace in closed:
            told += self._announcer.of_closing(credential, trace)
            told += [Outgoing(each, trace) for each in await self._stacked.reconsider([credential])]
        return told  # 2


def superseding(outcomes: Iterable[RuleOutcome], at: datetime) -> dict[Target, Revocation]:
    """Return what ends with these outcomes, and what takes its place; `at` is when they were decided."""
    return {
        (each.superseded, each.evidence.issuer_id): Revocation(
            each.issued_at or at, RevocationReason.SUPERSEDED, successor_id=each.credential_id
        )
        for each in outcomes
        if each.superseded is not None
    }


def superseding_entries(decisions: Sequence[Decision], ended: Mapping[Target, Revocation], trace: str) -> list[Entry]:
    """Return the entries of the audit log about what ends with these decisions, and who asked for that."""
    asked = {each.superseded_id: each.evidence.by_hand for each in decisions}
    cause = Cause.of_service("issuer", trace_id(trace))
    return [
        Entry(
            Action.CREDENTIAL_REVOKED,
            cause,
            (issuer_id,),
            f"credential {credential_id}",
            revocation.reason.value,
            {
                "superseded_by": str(revocation.successor_id),
                "asked_by": hand.awarded_by,
                "why": hand.reason.value,
            },
        )
        for (credential_id, issuer_id), revocation in ended.items()
        if (hand := asked.get(credential_id)) is not None
    ]
