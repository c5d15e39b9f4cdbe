"""Ids are what uuid5 gives over the documented inputs; those of rows are their batch's with the row's number."""

from uuid import NAMESPACE_DNS, RFC_4122, UUID, uuid5

from libs.contracts import ids

_BATCH = UUID("8b6f4e9e-0f0a-4c56-9d0e-5f2f3c1d8a77")


def _namespace(kind: str) -> UUID:
    return uuid5(uuid5(NAMESPACE_DNS, "bowerbird"), kind)


def test_ids_are_uuid5_over_their_stated_inputs() -> None:
    assert ids.learner_id("north", "S1") == uuid5(_namespace("learner"), "north\nS1")
    assert ids.evidence_id("north", "upload", "ü1") == uuid5(_namespace("evidence"), "north\nupload\nü1")
    assert ids.batch_id("north", "week-1") == uuid5(_namespace("batch"), "north\nweek-1")
    assert ids.event_id("bowerbird.x.v1", "a") == str(uuid5(_namespace("event"), "bowerbird.x.v1\na"))
    assert ids.holding_id(_BATCH, "d/r") == uuid5(_namespace("holding"), f"{_BATCH}\nd/r")


def test_an_assessor_is_referred_to_alike_however_the_name_is_typed_and_apart_in_each_school() -> None:
    reference = ids.assessor_id("north", "Ms Zoë Pike")
    assert reference == uuid5(_namespace("assessor"), "north\nms zoë pike")
    assert reference == ids.assessor_id("north", " ms  ZOË pike ")
    assert reference != ids.assessor_id("south", "Ms Zoë Pike")


def test_the_submissions_of_a_batch_lie_side_by_side_in_the_order_of_its_rows() -> None:
    submissions = [ids.submission_id(_BATCH, row) for row in (1, 2, 255, 256, 1_000_000, ids.LAST_ROW)]
    assert str(submissions[1]) == "8b6f4e9e-0f0a-8c56-9d0e-5f2f00000002"
    assert [each.bytes for each in submissions] == sorted(each.bytes for each in submissions)
    assert {(each.version, each.variant, each.bytes[:12]) for each in submissions} == {
        (8, RFC_4122, submissions[0].bytes[:12])
    }
    other = uuid5(_BATCH, "another batch")
    assert ids.submission_id(other, 1).bytes[:12] != submissions[0].bytes[:12]
