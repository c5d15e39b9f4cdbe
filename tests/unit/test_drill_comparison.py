"""How the drill holds what came back against an undisturbed run: byte for byte, and what may differ is said."""

import base64
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import bson
import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions

from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.keys import decision_key
from tests.faults.by_design import TABLE, Loss, judge
from tests.faults.everything import ORDER, WHOLE, Comparison, Differing, Everything, compare, fields_of

BADGES = "issuer.credentials"
UUIDS: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ONE, OTHER = UUID(int=1), UUID(int=2)


def stores(**badges: Mapping[str, Any]) -> Everything:
    return Everything({BADGES: {id_: bson.encode(fields, codec_options=UUIDS) for id_, fields in badges.items()}})


def differing(one: Everything, other: Everything) -> list[tuple[str, str]]:
    return [(each.id, each.field) for each in compare(one, other).differing]


def test_nothing_differs_where_all_bytes_are_the_same() -> None:
    compared = compare(stores(a={"state": "active"}), stores(a={"state": "active"}))
    assert not compared.differing
    assert compared.lines() == [f"        1  {BADGES}"]


def test_every_field_that_differs_is_named_wherever_it_stands() -> None:
    one, other = (
        {"state": "active", "event": f'{{"proof": {{"value": "{value}"}}}}', "places": {"row": row}}
        for value, row in (("z1", 1), ("z2", 2))
    )
    assert differing(stores(a=one), stores(a={**other, "new": None})) == [
        ("a", "event.proof.value"),
        ("a", "places.row"),
        ("a", "new"),
    ]


def test_what_only_one_has_differs_as_a_whole() -> None:
    found = compare(stores(a={"state": "active"}), stores(b={"state": "active"})).differing
    assert [str(each) for each in found] == [f"{BADGES} a is not there", f"{BADGES} b is there, and was not"]


def test_the_same_fields_in_another_order_are_other_bytes() -> None:
    assert differing(stores(a={"x": 1, "y": 2}), stores(a={"y": 2, "x": 1})) == [("a", ORDER)]


def test_a_collection_that_is_gone_is_told() -> None:
    assert differing(stores(a={"x": 1}), Everything({})) == [("a", WHOLE)]


def test_what_the_table_names_differs_by_design_and_all_else_is_harm() -> None:
    one, other = ({"issued_at": each, "state": each} for each in ("x", "y"))
    judged = judge(compare(stores(a=one), stores(a=other)), Loss(MOMENT, frozenset()))
    assert [line.split()[0] for line in judged.by_design_lines()] == ["1"]
    assert [each.field for each in judged.harm] == ["state"]
    assert judged.harm_lines() == [f"        1  {BADGES} a: state was x and is y"]


def test_what_nobody_was_answered_about_is_lost_and_no_harm() -> None:
    compared = compare(stores(a={"batch_id": ONE, "x": 1}, b={"batch_id": OTHER, "x": 1}), stores())
    judged = judge(compared, Loss(MOMENT, frozenset(), unacknowledged=frozenset({str(ONE)})))
    assert [each.id for each in judged.harm] == ["b"]
    assert f"        1  {BADGES}" in judged.lost_lines()


def test_counts_for_limits_are_told_apart_and_are_no_harm() -> None:
    quotas = Everything({"evidence.quotas": {"today": bson.encode({"taken": 7})}})
    judged = judge(compare(quotas, Everything({})), Loss(MOMENT, frozenset()))
    assert not judged.harm
    assert any(line.split()[:2] == ["1", "evidence.quotas:"] for line in judged.lost_lines())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "each",
    [
        Differing(BADGES, "a", "document", {}, {}),
        Differing("notifier.deliveries", "x", "sent_at", {"credential_id": "a"}, {}),
        Differing("topic credential.documents.v1", "a", "value.document", {"value.credential_id": "a"}, {}),
    ],
)
def test_a_credential_that_nobody_had_seen_before_the_loss_may_be_another(each: Differing, known: bool) -> None:
    assert Loss(MOMENT, frozenset({"a"} if known else ())).is_of_later(each) is not known


@pytest.mark.parametrize("known", [True, False])
def test_a_decision_that_nobody_had_seen_before_the_loss_may_have_another_time(known: bool) -> None:
    key = decision_key(DecisionId(ONE, 2, 3))
    loss = Loss(MOMENT, frozenset({"a"}), frozenset({key} if known else ()))
    row = {"batch_id": ONE, "row": 2, "sequence": 3}
    assert loss.is_of_later(Differing("evidence.rows", "x", "decided_at", row, {})) is not known
    assert loss.is_of_later(Differing("issuer.decisions", "x", "decided_at", {"_id": key}, {})) is not known


def test_what_speaks_of_no_credential_is_not_of_a_later_one() -> None:
    assert not Loss(MOMENT, frozenset()).is_of_later(Differing("notifier.contacts", "x", "name", {"name": "A"}, {}))


def entry(at: datetime, credentials: str) -> Differing:
    fields = {"action": "credentials.signed", "at": at, "details.credential_ids.wattle": credentials}
    return Differing("issuer.audit", "h", WHOLE, fields, {})


def test_an_entry_of_the_audit_log_is_lost_unless_it_is_of_later_or_of_what_was_not_done() -> None:
    loss = Loss(MOMENT, frozenset({"a", "b"}))
    before, after = MOMENT - timedelta(seconds=1), MOMENT + timedelta(seconds=1)
    found = Comparison(differing=[entry(before, "a c")])
    assert judge(found, loss).harm == found.differing
    for other in (entry(after, "a"), entry(before, "c d")):
        assert not judge(Comparison(differing=[other]), loss).harm


def test_what_is_json_is_gone_into_and_what_merely_looks_like_it_is_not() -> None:
    assert dict(fields_of({"a": '{"b": {}}', "c": b"{no", "d": [1]})) == {"a.b": {}, "c": b"{no", "d": [1]}


def test_what_is_signed_or_packed_is_gone_into() -> None:
    packed = base64.b64encode(zlib.compress(b'{"a": 1}')).decode()
    jws = ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (b'{"alg": 1}', b'{"iat": 2}', b"s"))
    assert dict(fields_of({"p": packed, "j": jws})) == {
        "p.a": 1,
        "j.header.alg": 1,
        "j.payload.iat": 2,
        "j.signature": b"cw",
    }


def test_each_row_of_the_table_has_its_reason() -> None:
    assert all(each.why and each.places and each.fields for each in TABLE)
