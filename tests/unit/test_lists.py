"""Lists: places of pages survive their text, and the file of awards runs no formula and names whose evidence it was."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import NotFoundError
from libs.common.page_places import place_of, place_text
from libs.contracts.events import Outcome
from libs.contracts.reasons import RevocationReason
from services.issuer.awards.listing import CredentialLists
from services.issuer.credentials.credential import Credential, Revocation
from services.issuer.credentials.sought import Place, SoughtCredentials
from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.decision import Decision
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from tests.issuer_doubles import NOW, evidence


@given(st.integers(0, 10**14 - 1), st.uuids())
def test_a_place_survives_its_text(milliseconds: int, id_: UUID) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert place_of(place_text(moment, id_)) == (moment, id_)


def credential(number: int) -> Credential:
    return Credential(
        credential_id=UUID(int=number),
        issuer_id="wattle",
        learner_id=UUID(int=7),
        holding_id=UUID(int=8),
        achievement="wattle/resilience/1",
        level=None,
        evidence_id=None,
        decision_id=DecisionId(evidence().batch_id, number, 1),
        status=StatusEntry("1-1", number),
        issued_at=NOW,
        document=None,
    )


class Kept:
    """Credentials of one issuer, and the decisions on them; that of the last is another issuer's."""

    def __init__(self, credentials: list[Credential]) -> None:
        self.credentials = credentials

    async def page(self, issuer_id: str, _sought: object, after: Place | None, limit: int) -> list[Credential]:
        of_issuer = [each for each in self.credentials if each.issuer_id == issuer_id]
        return [each for each in of_issuer if after is None or each.credential_id > after.credential_id][:limit]

    async def find(self, credential_id: UUID, issuer_id: str) -> Credential | None:
        return next(
            (each for each in self.credentials if (each.credential_id, each.issuer_id) == (credential_id, issuer_id)),
            None,
        )

    async def not_found(self, _credential_id: UUID, _issuer_id: str) -> NotFoundError:
        return NotFoundError.for_caller()

    async def record(self, *_: object) -> None:
        """Add nothing: what is recorded is shown elsewhere."""

    async def of(self, decision_ids: Iterable[DecisionId]) -> list[Decision]:
        said: Any = {"outcome": Outcome.ISSUED, "reason": None, "achievement": None, "rule_version": "", "sequence": 1}
        said |= {"credential_id": None, "owns_evidence": True, "waits_until": None, "decided_at": NOW}
        issuers = {2: "banksia"}
        return [
            Decision(evidence=evidence(each.row, issuer_id=issuers.get(each.row, "wattle"), source_id="=1+1"), **said)
            for each in decision_ids
        ]


async def test_whose_badge_it_is_is_told_by_the_schools_own_ids_and_to_that_school_alone() -> None:
    kept = Kept([credential(1)])
    lists = CredentialLists(kept, kept, Urls("https://badges.example"), kept)
    listed = await lists.one("wattle", UUID(int=1))
    assert (listed.credential.decision_id.row, listed.source) == (1, ("file", "=1+1"))
    for issuer_id, asked in (("banksia", 1), ("wattle", 2)):
        with pytest.raises(NotFoundError):
            await lists.one(issuer_id, UUID(int=asked))


async def test_the_file_of_awards_has_each_once_and_no_cell_that_a_spreadsheet_runs() -> None:
    revoked = replace(credential(1), revocation=Revocation(NOW, RevocationReason.WRONG_LEARNER))
    kept = Kept([revoked, *map(credential, range(2, 1_203))])
    lists = CredentialLists(kept, kept, Urls("https://badges.example"), kept)
    text = "".join([part async for part in lists.file("wattle", SoughtCredentials())])
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [int(each["row"]) for each in rows] == list(range(1, 1_203))
    assert (rows[0]["state"], rows[0]["revocation_reason"]) == ("revoked", "wrong_learner")
    assert [each["source_id"] for each in rows[:3]] == ["'=1+1", "", "'=1+1"]
