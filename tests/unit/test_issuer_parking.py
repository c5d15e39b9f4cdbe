"""What is parked is counted by issuer, in a gauge that cannot grow without bound, and told once in the log."""

import pytest
from prometheus_client import REGISTRY

from services.issuer.decisions.decision import Parked, Reason
from services.issuer.decisions.parking import MOST_ISSUERS, OTHERS, ParkedCount
from tests.issuer_doubles import NOW

NAME = "bowerbird_issuer_parked_pieces"


class Store:
    def __init__(self, parked: list[Parked]) -> None:
        self.found = parked

    async def parked(self) -> list[Parked]:
        return self.found


def shown() -> dict[tuple[str, str], float]:
    return {
        (sample.labels["issuer"], sample.labels["reason"]): sample.value
        for metric in REGISTRY.collect()
        if metric.name == NAME
        for sample in metric.samples
    }


async def test_what_is_parked_is_shown_by_issuer_and_reason_and_goes_when_it_is_over() -> None:
    store = Store([Parked("wattle", Reason.SIGNING_KEY_MISSING, 7, NOW)])
    count = ParkedCount(store)
    assert await count.tick() > 0
    assert shown() == {("wattle", "signing_key_missing"): 7}
    store.found = []
    await count.tick()
    assert shown() == {}


async def test_however_many_are_parked_the_gauge_has_so_many_issuers_and_loses_no_piece() -> None:
    parked = [Parked(f"school-{n}", Reason.SIGNING_KEY_CLOSED, 1000 - n, NOW) for n in range(MOST_ISSUERS + 200)]
    await ParkedCount(Store(parked)).tick()
    found = shown()
    assert len({issuer for issuer, _ in found}) == MOST_ISSUERS + 1
    assert sum(found.values()) == sum(each.pieces for each in parked)
    assert found[OTHERS, "signing_key_closed"] == sum(each.pieces for each in parked[MOST_ISSUERS:])
    await ParkedCount(Store([])).tick()


async def test_it_is_told_once_when_an_issuer_is_parked_and_once_when_it_is_no_more(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store([Parked("wattle", Reason.SIGNING_KEY_MISSING, 7, NOW)])
    count = ParkedCount(store)
    for _ in range(3):
        await count.tick()
    store.found = []
    for _ in range(3):
        await count.tick()
    told = capsys.readouterr().out + caplog.text
    assert told.count("evidence is parked") == 2
    assert told.count("evidence is parked no more") == 1
