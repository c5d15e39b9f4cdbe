"""Ids are what uuid5 gives over the documented inputs."""

from uuid import NAMESPACE_DNS, UUID, uuid5

from libs.contracts import ids

_BATCH = UUID("8b6f4e9e-0f0a-4c56-9d0e-5f2f3c1d8a77")


def _namespace(kind: str) -> UUID:
    return uuid5(uuid5(NAMESPACE_DNS, "bowerbird"), kind)


def test_ids_are_uuid5_over_their_stated_inputs() -> None:
    assert ids.learner_id("north", "S1") == uuid5(_namespace("learner"), "north\nS1")
    assert ids.evidence_id("north", "upload", "ü1") == uuid5(_namespace("evidence"), "north\nupload\nü1")
    assert ids.batch_id("north", "week-1") == uuid5(_namespace("batch"), "north\nweek-1")
    assert ids.submission_id(_BATCH, 7) == uuid5(_namespace("submission"), f"{_BATCH}\n7")
    assert ids.event_id("bowerbird.x.v1", "a") == str(uuid5(_namespace("event"), "bowerbird.x.v1\na"))
    assert ids.holding_id(_BATCH, "d/r") == uuid5(_namespace("holding"), f"{_BATCH}\nd/r")


def test_an_assessor_is_referred_to_alike_however_the_name_is_typed_and_apart_in_each_school() -> None:
    reference = ids.assessor_id("north", "Ms Zoë Pike")
    assert reference == uuid5(_namespace("assessor"), "north\nms zoë pike")
    assert reference == ids.assessor_id("north", " ms  ZOË pike ")
    assert reference != ids.assessor_id("south", "Ms Zoë Pike")
