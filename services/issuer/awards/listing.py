"""Lists of an issuer's credentials, with the school's own reference to the evidence that each rests on."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.errors import NotFoundError
from libs.common.spreadsheets import csv_lines
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.sought import Place, SoughtCredentials
from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.decision import Decision
from services.issuer.urls import Urls

COLUMNS: Final = (
    "credential_id",
    "url",
    "issuer_id",
    "learner_id",
    "achievement",
    "level",
    "state",
    "issued_at",
    "revoked_at",
    "revocation_reason",
    "taken_down_at",
    "take_down_reason",
    "batch_id",
    "row",
    "source",
    "source_id",
    "supersedes",
    "superseded_by",
)
"""The columns of the file of awards."""

_TOGETHER: Final = 500


class Source(NamedTuple):
    """The system that a piece of evidence came from, and its id there."""

    source: str
    source_id: str


class CredentialPages(Protocol):
    """Reads credentials in pages."""

    async def page(
        self, issuer_id: str, sought: SoughtCredentials, after: Place | None, limit: int
    ) -> list[Credential]:
        """Return credentials of this issuer, the newest first, without their documents."""
        ...

    async def find(self, credential_id: UUID, issuer_id: str) -> Credential | None:
        """Return one credential of this tenant, None where there is none."""
        ...

    async def not_found(self, credential_id: UUID, issuer_id: str) -> NotFoundError:
        """Return the error of a credential that this tenant does not have."""
        ...


class KeptDecisions(Protocol):
    """Has the decisions that were made."""

    async def of(self, decision_ids: Iterable[DecisionId]) -> list[Decision]:
        """Return those of these decisions that there are."""
        ...


class ListedCredential(NamedTuple):
    """A credential without its document, and where the evidence that it rests on came from, if that is known."""

    credential: Credential
    source: Source | None


class CredentialLists:
    """Reads them."""

    def __init__(self, credentials: CredentialPages, decisions: KeptDecisions, urls: Urls, audit: AuditWriter) -> None:
        self._credentials = credentials
        self._decisions = decisions
        self._urls = urls
        self._audit = audit

    async def page(
        self, issuer_id: str, sought: SoughtCredentials, after: Place | None, limit: int
    ) -> list[ListedCredential]:
        """Return those that are sought, the newest first."""
        found = await self._credentials.page(issuer_id, sought, after, limit)
        sources = await self.sources(issuer_id, found)
        return [ListedCredential(each, sources.get(each.decision_id)) for each in found]

    async def one(self, issuer_id: str, credential_id: UUID) -> ListedCredential:
        """Return one credential of this issuer.

        Raises:
            NotFoundError: there is none.
        """
        found = await self._credentials.find(credential_id, issuer_id)
        if found is None:
            raise await self._credentials.not_found(credential_id, issuer_id)
        return ListedCredential(found, (await self.sources(issuer_id, [found])).get(found.decision_id))

    async def sources(self, issuer_id: str, credentials: Sequence[Credential]) -> dict[DecisionId, Source]:
        """Return where the evidence of these credentials came from, by the decision that each was issued by."""
        found = await self._decisions.of([each.decision_id for each in credentials])
        return {
            DecisionId(each.evidence.batch_id, each.evidence.row, each.sequence): Source(
                each.evidence.source, each.evidence.source_id
            )
            for each in found
            if each.evidence.issuer_id == issuer_id
        }

    async def export(self, issuer_id: str, sought: SoughtCredentials, cause: Cause) -> AsyncIterator[str]:
        """Record that those that are sought are handed out; return them as `file` does.

        Raises:
            PyMongoError: it may not be recorded, so they are not.
        """
        details = {
            name: str(value) for name, value in asdict(sought).items() if value is not None and name != "learner_id"
        }
        if sought.learner_id is not None:
            details["learners"] = "one"
        subject = f"credentials of {issuer_id}"
        await self._audit.record(Entry(Action.CREDENTIALS_EXPORTED, cause, (issuer_id,), subject, details=details))
        return self.file(issuer_id, sought)

    async def file(self, issuer_id: str, sought: SoughtCredentials) -> AsyncIterator[str]:
        """Yield those that are sought as CSV, the newest first, some at a time."""
        yield "\ufeff" + csv_lines([COLUMNS])
        after: Place | None = None
        while page := await self.page(issuer_id, sought, after, _TOGETHER):
            yield csv_lines(map(self._cells, page))
            last = page[-1].credential
            after = Place(last.issued_at, last.credential_id)

    def _cells(self, listed: ListedCredential) -> list[str]:
        each, source = listed
        revocation, take_down = each.revocation, each.take_down
        return [
            str(each.credential_id),
            self._urls.credential(each.credential_id),
            each.issuer_id,
            str(each.learner_id),
            each.achievement,
            "" if each.level is None else each.level.value,
            each.state.value,
            each.issued_at.isoformat(),
            "" if revocation is None else revocation.at.isoformat(),
            "" if revocation is None else revocation.reason.value,
            "" if take_down is None else take_down.at.isoformat(),
            "" if take_down is None else take_down.reason.value,
            str(each.decision_id.batch_id),
            str(each.decision_id.row),
            "" if source is None else source.source,
            "" if source is None else source.source_id,
            "" if each.supersedes is None else str(each.supersedes),
            "" if each.superseded_by is None else str(each.superseded_by),
        ]
