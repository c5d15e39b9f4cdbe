"""Names and addresses that rows came with are kept sealed, and open for the authority and these rows alone."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.authority_secret import AuthoritySecret
from libs.contracts.events import LearnerContact
from services.evidence.batches.contact_sealing import ContactSealing
from tests.ids import IDS, SECRET

NOW = datetime(2026, 11, 23, 9, 0, 0, 123000, tzinfo=UTC)
SEALING = ContactSealing(SECRET.key)
FIRST, OTHER = UUID(int=7 << 96), UUID(int=8 << 96)
CONTACTS = [
    LearnerContact(
        learner_id=IDS.learner_id("north", f"s{number}"),
        issuer_id="north",
        name="Zoë",
        email=f"zoe.{number}@students.example",
        changed_at=NOW,
    )
    for number in range(3)
]


def test_what_is_sealed_opens_as_it_was_and_sealed_again_is_the_same() -> None:
    sealed = SEALING.seal(FIRST, "north", CONTACTS)
    assert SEALING.open(FIRST, "north", sealed) == CONTACTS
    assert SEALING.seal(FIRST, "north", CONTACTS) == sealed
    assert b"students" not in sealed


@pytest.mark.parametrize(("first", "issuer_id"), [(OTHER, "north"), (FIRST, "south")])
def test_it_opens_for_no_other_rows_or_school(first: UUID, issuer_id: str) -> None:
    sealed = SEALING.seal(FIRST, "north", CONTACTS)
    with pytest.raises(ValueError, match="not sealed here, or not for these rows"):
        SEALING.open(first, issuer_id, sealed)


def test_it_opens_under_no_other_secret() -> None:
    with pytest.raises(ValueError, match="not sealed here"):
        ContactSealing(AuthoritySecret(bytes(range(1, 33))).key).open(
            FIRST, "north", SEALING.seal(FIRST, "north", CONTACTS)
        )
