"""Which registered parties names could be taken for is looked up by their likenesses; what was not asked is told."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pymongo.errors import AutoReconnect

from libs.openbadges.trust import Party
from libs.openbadges.trust.names import sought_likenesses
from libs.openbadges.verify import Dependencies
from services.verifier.material.issuers import RegisteredIssuers
from services.verifier.material.trust import TrustSource
from tests.verifier_doubles import MemoryRepository, NoRegistries, School

SCHOOL = School("Banksia College")
ALIKE = sought_likenesses("Banskia College")
LONG = frozenset(f"~ a likeness of {number}" for number in range(1_000))


class Records(MemoryRepository):
    """Records that count what is looked up of names, which can be out of reach by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.learn(SCHOOL)
        self.asked: list[frozenset[str]] = []
        self.names_away = False

    async def parties_alike(self, asked: Iterable[str]) -> dict[str, list[Party]]:
        self.asked.append(wanted := frozenset(asked))
        if self.names_away:
            raise AutoReconnect("away")
        return await super().parties_alike(wanted)


def source(records: Records) -> TrustSource:
    return TrustSource(
        records,
        SCHOOL.base,
        RegisteredIssuers(records, remembered_seconds=60),
        NoRegistries(),
        lambda: datetime(2026, 11, 29, tzinfo=UTC),
        patience_seconds=60,
        remembered_seconds=60,
    )


async def test_likenesses_are_looked_up_once_and_so_are_those_of_a_registered_party_by_another_name() -> None:
    records = Records()
    trust = source(records)
    for _ in range(3):
        found = await trust.resolve(Dependencies(issuers=frozenset({SCHOOL.did}), likenesses=frozenset({ALIKE})), {})
        assert found.parties.available
        assert {one.name for parties in found.parties.alike.values() for one in parties} == {"Banksia College"}
    assert len(records.asked) == 2
    assert ALIKE in records.asked
    assert max(map(len, records.asked)) == len(ALIKE)


async def test_a_party_that_documents_call_by_its_own_name_is_looked_up_with_what_they_call_it() -> None:
    records = Records()
    own = sought_likenesses("Banksia College")
    await source(records).resolve(Dependencies(issuers=frozenset({SCHOOL.did}), likenesses=frozenset({own})), {})
    assert records.asked == [own]


async def test_likenesses_by_the_thousand_are_not_remembered() -> None:
    records = Records()
    trust = source(records)
    for _ in range(3):
        await trust.resolve(Dependencies(likenesses=frozenset({LONG})), {})
    assert len(records.asked) == 3


async def test_where_names_could_not_be_looked_up_nobody_is_said_to_resemble_nobody() -> None:
    records = Records()
    records.names_away = True
    found = await source(records).resolve(
        Dependencies(issuers=frozenset({SCHOOL.did}), likenesses=frozenset({ALIKE})), {}
    )
    assert not found.parties.available
    assert SCHOOL.did in found.parties.registered
