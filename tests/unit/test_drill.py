"""The picture that the drill holds against another: what is gone, changed, given twice or sent again is told."""

from collections import Counter

from tests.faults.picture import Picture, differences, lost


def picture(**parts: dict[str, object]) -> Picture:
    return Picture(parts=dict(parts), mails=Counter(m1=1), versions={"list": (7, 4)})


def test_nothing_differs_where_all_is_as_it_was() -> None:
    assert not differences(picture(badges={"a": 1}), picture(badges={"a": 1}), {})


def test_what_is_lost_changed_or_new_is_told_by_kind_with_examples() -> None:
    found = differences(picture(badges={"a": 1, "b": 2}), picture(badges={"b": 3, "c": 4}), {})
    assert [(each.kind, each.examples) for each in found] == [
        ("badges lost", ("a",)),
        ("badges changed", ("b",)),
        ("badges that are new, not 0", ("c",)),
    ]


def test_so_many_that_must_be_new_are_no_harm_and_fewer_are() -> None:
    assert not differences(picture(badges={}), picture(badges={"c": 4}), {"badges": 1})
    (missing,) = differences(picture(badges={}), picture(badges={}), {"badges": 1})
    assert missing.kind == "badges that are new, not 1"


def test_a_mail_that_is_held_though_none_was_to_be_sent_harms_nobody() -> None:
    after = picture(deliveries={"d": 1, "e": 2})
    after.held = {"d"}
    (new,) = differences(picture(deliveries={}), after, {})
    assert new.examples == ("e",)


def test_a_list_that_went_back_or_vanished_is_told_and_a_later_epoch_is_no_way_back() -> None:
    before, after = picture(), picture()
    after.versions = {"list": (8, 0)}
    assert not differences(before, after, {})
    for versions in ({"list": (7, 3)}, {"list": (6, 9)}, {}):
        after.versions = versions
        assert [each.kind for each in differences(before, after, {})] == ["status lists that went back"]


def test_second_mails_second_texts_and_second_owners_of_an_entry_are_told() -> None:
    after = picture()
    after.mails = Counter(m1=2, m2=1)
    after.texts = {"c": {"one", "other"}}
    after.given_twice = ["('list', 3)"]
    assert {each.kind for each in differences(picture(), after, {})} == {
        "mails sent again",
        "mails that are new, not 0",
        "credentials published with two texts",
        "entries of status lists given to two credentials",
    }


def test_a_mail_that_went_in_the_one_run_and_neither_goes_nor_is_held_in_the_other_is_told() -> None:
    after = picture()
    after.mails = Counter()
    assert [each.kind for each in differences(picture(), after, {})] == ["mails that went, and go no more"]
    after.held = {"m1"}
    assert not differences(picture(), after, {})


def test_what_may_be_lost_is_counted_by_kind_and_entries_of_audit_logs_by_action_and_is_no_difference() -> None:
    audit, quotas = "entries of audit logs", "what was sent of the day's quotas"
    before, after = picture(), picture()
    before.fleeting = {audit: {"issuer 1": "a", "issuer 2": "b", "issuer 3": "b"}, quotas: {"evidence q": "7"}}
    after.fleeting = {audit: {"issuer 1": "a", "issuer 9": "c"}, quotas: {"evidence q": "7"}}
    assert [line.split() for line in lost(before, after)] == [
        ["2", "entries", "of", "audit", "logs:", "2", "b"],
        ["0", *quotas.split()],
    ]
    assert not differences(before, after, {})
