"""The counting of the fault tests and of `make soak`: what is missing is lost, what is too much is doubled."""

from collections import Counter

import pytest

from tests.faults.promises import Count
from tests.faults.scenario import MAILS_IN_FLIGHT
from tests.faults.soak import report, soak

KILLS = Counter({"notifier": 2, "issuer": 3})


def test_what_is_missing_is_lost_and_what_is_too_much_is_doubled() -> None:
    count = Count()
    count.once("awards", ["a", "b", "c"], ["a", "a", "b"])
    assert (+count.lost, +count.doubled, count.found) == ({"awards": 1}, {"awards": 1}, {"awards": 3})


@pytest.mark.parametrize("wrong", [Count(lost=Counter(awards=1)), Count(doubled=Counter(mails=1))])
def test_a_count_with_anything_lost_or_doubled_fails(wrong: Count) -> None:
    with pytest.raises(AssertionError):
        wrong.kept()
    assert report(wrong, KILLS, 7) == 1


def test_a_repeated_mail_is_excused_by_the_kill_of_who_sends_or_takes_it_alone() -> None:
    assert report(Count(repeated_mails=2 * MAILS_IN_FLIGHT), KILLS, 7) == 0
    assert report(Count(repeated_mails=2 * MAILS_IN_FLIGHT + 1), KILLS, 7) == 1
    with pytest.raises(AssertionError):
        Count(repeated_mails=1).kept()


def test_the_report_names_the_seed_and_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    count = Count(lost=Counter(awards=4))
    count.once("documents", ["a"], ["a"])
    report(count, KILLS, 4711)
    told = capsys.readouterr().out
    assert "seed 4711: FAILED" in told
    assert "4  lost; awards: 4" in told
    assert "1  documents" in told


def test_an_unknown_victim_is_told_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak(victims="issuer,database") == 2
    assert "no victim database" in capsys.readouterr().err
