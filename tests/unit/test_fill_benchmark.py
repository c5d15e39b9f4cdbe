"""Copies of stored documents: other ids, the same references and order."""

from uuid import UUID, uuid4, uuid5

from benchmarks.fill import Turn
from benchmarks.targets import TARGETS, verdict
from libs.contracts import ids


def test_a_copy_has_ids_of_its_own_and_its_documents_refer_to_each_other() -> None:
    batch, credential = uuid4(), uuid5(uuid4(), "credential")
    submissions = [ids.submission_id(batch, row) for row in (1, 2)]
    turn = Turn.fresh("-1")
    rows = [turn.of({"_id": each, "batch_id": batch, "credential_id": credential}) for each in submissions]
    stored = turn.of({"_id": credential, "status_list": "s-1", "document": f'{{"id":"https://x/{credential}"}}'})
    key = batch.bytes + bytes([0, 0, 0, 7, 0, 1])
    decision = turn.of({"_id": key})
    assert [row["_id"] for row in rows] == [ids.submission_id(rows[0]["batch_id"], row) for row in (1, 2)]
    assert rows[0]["credential_id"] == stored["_id"] != credential
    assert (stored["status_list"], stored["document"]) == ("s-1-1", f'{{"id":"https://x/{stored["_id"]}"}}')
    assert decision["_id"] == rows[0]["batch_id"].bytes + key[16:]
    assert isinstance(stored["_id"], UUID)
    assert (stored["_id"].version, stored["_id"].variant) == (credential.version, credential.variant)


def test_a_figure_at_its_bound_meets_the_target() -> None:
    assert [verdict(target, target.bound) for target in TARGETS] == ["met"] * len(TARGETS)
    beyond = [target.bound * (0.99 if target.at_least else 1.01) for target in TARGETS]
    assert [verdict(target, value) for target, value in zip(TARGETS, beyond, strict=True)] == ["missed"] * len(TARGETS)
