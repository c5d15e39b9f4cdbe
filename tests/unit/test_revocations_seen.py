"""How long revocations took until the verifier serves them: measured where they become visible, and each once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from libs.contracts.cloudevents import EventT, Received
from libs.contracts.events import CredentialDocument, StatusListPublished
from libs.contracts.reasons import RevocationReason
from services.verifier.material.metrics import REVOCATION_SECONDS
from services.verifier.material.repository import StoredLists
from services.verifier.material.worker import Projection

NOW = datetime(2026, 11, 23, 16, 20, tzinfo=UTC)


class Store:
    """A database that had a first version of each list, and each document as it was issued."""

    def __init__(self, *, had_all: bool = True) -> None:
        self.had_all = had_all

    async def store_documents(self, events: Sequence[CredentialDocument]) -> bool:
        return self.had_all

    async def store_status_lists(self, placed: Sequence[tuple[StatusListPublished, int]]) -> StoredLists:
        return StoredLists([event for event, _ in placed] if self.had_all else ())


class Seen:
    """What is counted while it is looked at."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._before = self._now()

    def _now(self) -> tuple[float, float]:
        samples = {each.name: each.value for each in self._samples()}
        prefix = "bowerbird_verifier_revocation_seconds"
        return samples[f"{prefix}_count"], samples[f"{prefix}_sum"]

    def _samples(self) -> list[Any]:
        (metric,) = REVOCATION_SECONDS.collect()
        return [each for each in metric.samples if each.labels["shown"] == self._where]

    @property
    def more(self) -> Any:
        """How many, and their seconds together."""
        count, seconds = self._now()
        return count - self._before[0], seconds - self._before[1]


def projection(*, had_all: bool = True) -> Projection:
    store: Any = Store(had_all=had_all)
    return Projection(store, lambda: NOW)


def received(event: EventT, *, known: bool = False) -> Received[EventT]:
    return Received(event, event.key, "", known=known)


def listed(version: int, waited: float | None) -> StatusListPublished:
    return StatusListPublished(
        list_id="1790000000-1",
        purpose="revocation",
        epoch=1_790_000_000,
        version=version,
        credential="{}",
        published_at=NOW,
        revoked_since=None if waited is None else NOW - timedelta(seconds=waited),
    )


def document(waited: float, state: str = "revoked") -> CredentialDocument:
    given: dict[str, Any] = {"revocation_reason": RevocationReason.WRONG_LEARNER} if state == "revoked" else {}
    return CredentialDocument(
        credential_id=uuid4(),
        issuer_id="wattle",
        state=state,
        document="{}",
        changed_at=NOW - timedelta(seconds=waited),
        **given,
    )


async def test_a_revocation_in_a_list_is_measured_from_when_it_was_asked_for_until_the_list_is_stored() -> None:
    seen = Seen("list")
    # Joined in one batch: both were waited for. One that was signed again for its age tells of none.
    await projection().status_lists([received(listed(2, 90)), received(listed(3, 1.5)), received(listed(4, None))])
    assert seen.more == (2, pytest.approx(91.5))


async def test_a_revoked_document_is_measured_when_its_page_can_show_it_and_one_that_is_issued_is_not() -> None:
    seen = Seen("page")
    await projection().documents([received(document(2)), received(document(700, "active")), received(document(70))])
    assert seen.more == (2, pytest.approx(72))


@pytest.mark.parametrize("known", [True, False])
async def test_what_is_read_again_or_by_a_new_database_was_seen_long_ago_and_is_not_measured(known: bool) -> None:
    pages, lists = Seen("page"), Seen("list")
    reader = projection(had_all=known)
    await reader.documents([received(document(9000), known=known)])
    await reader.status_lists([received(listed(7, 9000), known=known)])
    assert (pages.more, lists.more) == ((0, 0), (0, 0))


async def test_clocks_that_differ_a_little_never_give_less_than_nothing() -> None:
    seen = Seen("page")
    await projection().documents([received(document(-0.2))])
    assert seen.more == (1, 0)
