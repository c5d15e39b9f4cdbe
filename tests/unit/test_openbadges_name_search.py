"""Names that resemble registered ones are looked for once, in portions, and never on more than a request's budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from benchmarks import hostile
from libs.openbadges.model.budget import WORK, Budget, shared_budget
from libs.openbadges.model.profile import PRODUCTION
from libs.openbadges.trust import KnownParties, Party, name_search
from libs.openbadges.trust.name_search import LIKENESS_COST, MOST_AT_ONCE, NameSearch
from libs.openbadges.trust.names import likenesses, sought_likenesses
from libs.openbadges.verify import Dependencies, Report, ResolvedInputs
from services.verifier.verification.lines import LineDone, lines_job
from tests.unit.openbadges_samples import NOW

SCHOOL = Party("did:web:badges.example:issuers:banksia", "Banksia College", None, "banksia")
ALIKE: Mapping[str, Sequence[Party]] = {each: [SCHOOL] for each in likenesses(SCHOOL.name)}
MOST_OF_A_NAME = 2_000
HELD = hostile.namesakes(0, 40)["credentialSubject"]["verifiableCredential"]
LONG: list[str] = [each["issuer"]["name"] for each in HELD]


@pytest.fixture
def taken_apart(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names whose likenesses were put together, in order."""
    names: list[str] = []

    def counted(name: str) -> frozenset[str]:
        names.append(name)
        return sought_likenesses(name)

    monkeypatch.setattr(name_search, "sought_likenesses", counted)
    return names


def answered(likenesses: frozenset[frozenset[str]], *, available: bool = True) -> KnownParties:
    """What the service answers: the registered parties with any of these."""
    wanted = frozenset().union(*likenesses)
    return KnownParties(alike={each: ALIKE[each] for each in wanted & ALIKE.keys()}, available=available)


def search(names: NameSearch, *called: str) -> KnownParties:
    for portion in names.portions(called):
        names.keep(portion, answered(frozenset(portion.values())))
    return names.known(called, KnownParties())


def test_a_name_is_looked_for_once_in_a_request(taken_apart: list[str]) -> None:
    names = NameSearch()
    for _ in range(3):
        parties = search(names, "Banskia College", "Lyrebird Academy")
        assert parties.available
        assert parties.resembled == {"Banskia College": (SCHOOL,)}
    search(names, "Lyrebird Academy", "Wattle Grove")
    assert taken_apart == ["Banskia College", "Lyrebird Academy", "Wattle Grove"]


def test_names_are_looked_for_in_portions_each_in_one(taken_apart: list[str]) -> None:
    portions = list(NameSearch().portions(LONG))
    assert sorted(name for portion in portions for name in portion) == sorted(LONG) == taken_apart
    assert len(portions) > 10
    assert max(sum(map(len, portion.values())) for portion in portions) < MOST_AT_ONCE + MOST_OF_A_NAME
    short = list(NameSearch().portions([f"A{number}" for number in range(100)]))
    assert max(map(len, short)) == 32


def test_names_beyond_the_budget_are_not_taken_apart_and_not_said_to_resemble_nobody(taken_apart: list[str]) -> None:
    names = NameSearch()
    with shared_budget(Budget(10_000)) as budget:
        parties = search(names, "Banksia College", *LONG)
    assert budget.exhausted
    assert budget.spent <= 10_000
    assert len(taken_apart) < 10
    assert not parties.available
    assert parties.resembled == {"Banksia College": (SCHOOL,)}


def test_the_names_of_two_hundred_schools_are_looked_for_in_a_third_of_a_budget() -> None:
    places = [f"{one}{other}" for one in ("Wattle", "Bank", "Salt", "Iron", "Cedar") for other in range(40)]
    with shared_budget(Budget(WORK // 2)):
        assert search(NameSearch(), *(f"{place} Grove Primary School" for place in places)).available


def test_what_could_not_be_looked_up_is_not_known_and_asked_for_again(taken_apart: list[str]) -> None:
    names = NameSearch()
    for portion in names.portions(["Banksia College"]):
        names.keep(portion, KnownParties(available=False))
    assert not names.known(["Banksia College"], KnownParties()).available
    assert search(names, "Banksia College").resembled == {"Banksia College": (SCHOOL,)}
    assert len(taken_apart) == 2


def verified(body: bytes) -> tuple[list[Report], list[Dependencies]]:
    """The reports on lines, as far as they were looked at, and what was asked for."""
    job = lines_job(body, "https://badges.example", frozenset(), NOW, PRODUCTION)
    reports: list[Report] = []
    asked: list[Dependencies] = []
    said: Any = None
    try:
        while True:
            message = job.send(said)
            said = None
            if isinstance(message, Dependencies):
                asked.append(message)
                said = ResolvedInputs(parties=answered(message.likenesses))
            elif isinstance(message, LineDone):
                assert isinstance(message.found, Report)
                reports.append(message.found)
                said = True
    except StopIteration:
        return reports, asked


def every(report: Report) -> list[Report]:
    return [report, *(each for inner in report.embedded for each in every(inner))]


def test_records_of_ever_other_long_names_end_with_the_budget_of_their_request(taken_apart: list[str]) -> None:
    body = b"\n".join(orjson.dumps(hostile.namesakes(one, 20)) for one in range(200))
    reports, asked = verified(body)
    assert len(reports) < 30
    assert len(taken_apart) == len(set(taken_apart)) < 300
    assert sum(len(each) for one in asked for each in one.likenesses) <= WORK // LIKENESS_COST
    assert {check.code for check in reports[-1].checks} >= {"too_costly"}
    assert not [one for report in reports for one in every(report) if one.verdict == "pass"]


def test_a_signer_whose_name_the_budget_did_not_reach_could_not_be_looked_up() -> None:
    issuer = {"id": hostile.DID, "type": ["Profile"], "name": LONG[0]}
    line = orjson.dumps({**hostile.credential(0, 1), "issuer": issuer})
    standings = set()
    for work in range(0, 6_000, 100):
        with shared_budget(Budget(work)):
            (report,), asked = verified(line)
        if report.signer is not None:
            looked = any(one.likenesses for one in asked)
            standings.add((looked, report.signer.standing))
    assert standings == {(False, "undetermined"), (True, "unknown")}


def test_one_record_of_long_names_is_asked_about_in_portions_and_within_its_budget() -> None:
    reports, asked = verified(orjson.dumps(hostile.namesakes(0, 250)))
    assert max(sum(map(len, one.likenesses)) for one in asked) < MOST_AT_ONCE + MOST_OF_A_NAME
    assert sum(len(each) for one in asked for each in one.likenesses) <= WORK // LIKENESS_COST
    assert [one.names for one in asked] == [frozenset()] * len(asked)
    assert reports[0].verdict != "pass"


def test_the_same_names_on_every_line_are_asked_about_on_the_first(taken_apart: list[str]) -> None:
    line = orjson.dumps(hostile.namesakes(0, 3))
    reports, asked = verified(b"\n".join([line] * 20))
    assert len(reports) == 20
    assert [len(one.likenesses) for one in asked if one.likenesses] != []
    assert sum(len(one.likenesses) for one in asked) == len(taken_apart) == 4
