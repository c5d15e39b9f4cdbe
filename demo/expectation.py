"""What the demo's files must come to, by the rules as a person would state them; the tests hold the services to it.

The job itself never looks here: its numbers are what the services answer.
"""

from collections.abc import Callable

from demo import words
from demo.data import School
from demo.mishaps import Row
from demo.summary import Tally
from libs.contracts.results import SoloLevel


def expected(school: School) -> Tally:
    """The tally of a school whose files arrive in their order, with everything verified and mailed."""
    tally = Tally()
    taken: dict[str, Row] = {}
    held: dict[str, set[SoloLevel]] = {}
    address = {learner.local_id: learner.email for learner in school.learners}
    for file in school.files:
        for row in file.rows * file.sendings:
            tally.sent += 1
            outcome = row.refused or _decide(row, taken, held)
            if outcome == "issued":
                tally.addressed += bool(address[row.values["learner_id"]])
            if outcome in _OUTCOMES:
                _OUTCOMES[outcome](tally)
            else:
                tally.refused[outcome] += 1
    tally.received = tally.sent
    tally.credentials = tally.verified = tally.issued
    tally.mailed = tally.addressed
    return tally


def _decide(row: Row, taken: dict[str, Row], held: dict[str, set[SoloLevel]]) -> str:
    before = taken.get(row.values["source_id"])
    if before is not None:
        return "duplicate" if before == row else "source_id_reused"
    if row.values["achievement"] != words.ACHIEVEMENT:
        return "waiting"
    taken[row.values["source_id"]] = row
    level = SoloLevel.parse(row.values["level"])
    if level.rank < words.REQUIRED_LEVEL.rank:
        return "not_yet"
    of_learner = held.setdefault(row.values["learner_id"], set())
    if any(other.rank >= level.rank for other in of_learner):
        return "duplicate"
    of_learner.add(level)
    return "issued"


def _counts(name: str) -> Callable[[Tally], None]:
    def count(tally: Tally) -> None:
        setattr(tally, name, getattr(tally, name) + 1)

    return count


_OUTCOMES = {name: _counts(name) for name in ("issued", "not_yet", "duplicate", "waiting")}
