"""Taking up credentials, and how each ended, as they were published."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

from libs.common.telemetry import get_logger
from libs.contracts import topics
from libs.contracts.events import CredentialDocument, Event
from services.issuer.credentials.credential import Credential, Revocation, Target
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.sealing import RecordDoesNotOpenError, RecordSealing
from services.issuer.decision_ids import DecisionId
from services.issuer.recovery import metrics


class CredentialAdoption:
    """Takes credentials up in one reading of their topic: `lacking` and `adopt` of some at a time, then `settle`."""

    def __init__(
        self,
        credentials: MongoCredentials,
        sealing: RecordSealing,
        remove_evidence_texts: Callable[[Sequence[DecisionId]], Awaitable[None]],
    ) -> None:
        self._credentials = credentials
        self._sealing = sealing
        self._remove_evidence_texts = remove_evidence_texts
        self._contradicting: dict[UUID, Credential] = {}
        self._superseded: dict[Target, Revocation] = {}

    async def lacking(self, events: Sequence[Event]) -> list[Credential]:
        """Return those of these credentials that are not here, or not what became of them."""
        opened: dict[UUID, Credential] = {}
        for event in events:
            if isinstance(event, CredentialDocument):
                try:
                    opened[event.credential_id] = self._sealing.open(event)
                except RecordDoesNotOpenError as error:
                    metrics.NOT_ADOPTED.labels(event.topic.name).inc()
                    get_logger().error("not adopted", credential=str(event.credential_id), problem=str(error))
        # What took the place of another is published before the end of that one is: killed there, it alone says so.
        for each in opened.values():
            if each.supersedes is not None and each.superseding is not None:
                self._superseded[each.supersedes, each.issuer_id] = each.superseding
        return await self._credentials.lacking(list(opened.values()))

    async def adopt(self, lacking: Sequence[Credential]) -> None:
        """Take these up; what contradicts something that is here waits for `settle`."""
        self._contradicting |= {each.credential_id: each for each in await self._credentials.adopt(lacking)}
        withheld = [each.decision_id for each in lacking if each.take_down is not None]
        if withheld:
            await self._remove_evidence_texts(withheld)

    async def settle(self) -> None:
        """Take up what contradicted something that has ended since: an award that was earned anew, or replaced.

        What another took the place of has ended, whatever was published of it.
        """
        contradicting, superseded = self._contradicting, self._superseded
        self._contradicting, self._superseded = {}, {}
        await self._credentials.close(superseded, {})
        ended = [_ended(each, superseded.get((each.credential_id, each.issuer_id))) for each in contradicting.values()]
        for each in await self._credentials.adopt(ended):
            metrics.NOT_ADOPTED.labels(topics.CREDENTIAL_DOCUMENTS.name).inc()
            get_logger().error("not adopted", credential=str(each.credential_id), problem="it contradicts another")


def _ended(credential: Credential, superseded: Revocation | None) -> Credential:
    """Return a credential that ended as another took its place, unless it ended before."""
    return credential if credential.revocation is not None else replace(credential, revocation=superseded)
