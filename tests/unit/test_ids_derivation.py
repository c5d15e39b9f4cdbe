"""Ids are HMACs over their stated inputs under a key of their kind; those of rows are their batch's with the number."""

import hmac
from collections.abc import Callable
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.authority_secret import AuthoritySecret
from libs.contracts import ids
from libs.contracts.ids import Ids
from tests.ids import IDS, SECRET

_BATCH = UUID("8b6f4e9e-0f0a-4c56-9d0e-5f2f3c1d8a77")
_OTHER = UUID("8b6f4e9e-0f0a-4c56-9d0e-5f2f3c1d8a78")

slug = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-._", min_size=1, max_size=20)


def derived(label: str, text: str) -> UUID:
    """What RFC 9562, section 5.8 and the module's text say, in other words."""
    value = bytearray(hmac.digest(SECRET.key(label), text.encode(), "sha256")[:16])
    value[6] = value[6] & 0x0F | 0x80
    value[8] = value[8] & 0x3F | 0x80
    return UUID(bytes=bytes(value))


EVERY: dict[str, tuple[Callable[[Ids], UUID | str], str]] = {
    "learner id": (lambda of: of.learner_id("north", "S1"), "north\nS1"),
    "assessor id": (lambda of: of.assessor_id("north", " Ms  Zoë Pike"), "north\nms zoë pike"),
    "evidence id": (lambda of: of.evidence_id("north", "upload", "ü1"), "north\nupload\nü1"),
    "batch id": (lambda of: of.batch_id("north", "week-1"), "north\nweek-1"),
    "holding id": (lambda of: of.holding_id(_BATCH, "d/r"), f"{_BATCH}\nd/r"),
    "credential id": (
        lambda of: of.credential_id(_BATCH, "d/r", "relational", evidence=_OTHER, number=3),
        f"{_BATCH}\nd/r\nrelational\n{_OTHER}\n3",
    ),
    "subject id": (lambda of: of.subject_id(_BATCH, _OTHER), f"{_BATCH}\n{_OTHER}"),
    "learner pseudonym": (lambda of: of.learner_pseudonym(_BATCH), f"{_BATCH}"),
    "event id": (lambda of: of.event_id("org.x.v1", "a"), "org.x.v1\na"),
    "delivery id": (lambda of: of.delivery_id(_BATCH, "issued"), f"{_BATCH}\nissued"),
}

GOLDEN = [
    "05648ade-69e8-895a-8f15-9532b48da54f",
    "a62b838b-f550-81c8-87d9-f00414239233",
    "f2f16f68-33c7-8091-a434-388e29547a6b",
    "f1ea00d1-e309-8996-98e6-92b278724eb1",
    "c3406e05-95c1-8376-a9df-2cfcdfb5f76f",
    "a4b83d2e-b5c8-874c-9f6f-c302e8451d53",
    "c7671e12-6f54-8efc-a1e6-b5fecf8094be",
    "24881423-9dfc-80ec-be30-006a3735acf3",
    "c0cffbf6-572c-8ef0-b88e-b3068c839152",
    "4718fa73-74a4-8e68-8dfa-77fd9a8614ba",
]


@pytest.mark.parametrize("label", EVERY)
def test_an_id_is_a_uuid_of_version_8_over_its_stated_inputs_under_the_key_of_its_kind(label: str) -> None:
    derive, inputs = EVERY[label]
    assert str(derive(IDS)) == str(derived(label, inputs))
    assert (UUID(str(derive(IDS))).version, UUID(str(derive(IDS))).variant) == (8, RFC_4122)


@pytest.mark.parametrize("label", EVERY)
def test_under_another_secret_every_id_is_another(label: str) -> None:
    derive, _ = EVERY[label]
    assert derive(IDS) != derive(Ids(AuthoritySecret(bytes(32)).key))


def test_the_holding_of_one_piece_of_evidence_is_a_holding_of_its_own() -> None:
    assert IDS.holding_id(_BATCH, "d/r", _OTHER) == derived("holding id", f"{_BATCH}\nd/r\n{_OTHER}")


def test_the_ids_of_today_are_the_ids_of_tomorrow() -> None:
    assert [str(derive(IDS)) for derive, _ in EVERY.values()] == GOLDEN


@given(slug, slug, slug, slug)
def test_different_inputs_give_different_learners(issuer: str, local: str, other_issuer: str, other_local: str) -> None:
    same_inputs = (issuer, local) == (other_issuer, other_local)
    assert (IDS.learner_id(issuer, local) == IDS.learner_id(other_issuer, other_local)) == same_inputs


def test_an_assessor_is_referred_to_alike_however_the_name_is_typed_and_apart_in_each_school() -> None:
    reference = IDS.assessor_id("north", "Ms Zoë Pike")
    assert reference == IDS.assessor_id("north", " ms  ZOË pike ")
    assert reference != IDS.assessor_id("south", "Ms Zoë Pike")


def test_a_learner_is_another_subject_in_each_credential() -> None:
    assert IDS.subject_id(_BATCH, _BATCH) != IDS.subject_id(_BATCH, _OTHER) != _BATCH


def test_the_submissions_of_a_batch_lie_side_by_side_in_the_order_of_its_rows() -> None:
    submissions = [ids.submission_id(_BATCH, row) for row in (1, 2, 255, 256, 1_000_000, ids.LAST_ROW)]
    assert str(submissions[1]) == "8b6f4e9e-0f0a-8c56-9d0e-5f2f00000002"
    assert [each.bytes for each in submissions] == sorted(each.bytes for each in submissions)
    assert {(each.version, each.variant, each.bytes[:12]) for each in submissions} == {
        (8, RFC_4122, submissions[0].bytes[:12])
    }
    other = IDS.batch_id("north", "another batch")
    assert ids.submission_id(other, 1).bytes[:12] != submissions[0].bytes[:12]
