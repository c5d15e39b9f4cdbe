"""How many rules a second one core holds against evidence, beside bare Ed25519 in the same run.

As it is decided: what is kept of a learner for an achievement, and what the learner holds, against a rule of three
conditions; where it is met, also what it is met by, and where it is not, what is missing, in words.
`python -m benchmarks.rules [ROUNDS]`
"""

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson
from nacl.signing import SigningKey

from benchmarks.badges import KEY
from benchmarks.engine import SIGNED, Work, measure
from libs.contracts.results import SoloLevel
from libs.contracts.rules import All, EvidenceCondition, HoldsCondition
from services.issuer.decisions.kept import KeptPiece
from services.issuer.rules.evaluation import evaluate
from services.issuer.rules.material import HeldCredential

AIM: Final = 15_000
"""Evaluations a second and core, of five pieces."""
RULE: Final = All(
    type="all",
    of=[
        EvidenceCondition(type="evidence", level=SoloLevel.RELATIONAL, activities=2, within="term"),
        EvidenceCondition(type="evidence", level=SoloLevel.MULTISTRUCTURAL, count=3, within="P90D"),
        HoldsCondition(type="holds", achievement="wattle/teamwork"),
    ],
)
HELD: Final = [HeldCredential("wattle/teamwork", UUID(int=1), SoloLevel.RELATIONAL)]
PIECES: Final = (2, 5, 20, 100)
_EACH: Final = 50


def kept(number: int, learner: int) -> list[KeptPiece]:
    """Return so many pieces of a learner, of four levels in three activities of one term."""
    levels, first = list(SoloLevel)[1:], date(2026, 3, 2) + timedelta(days=learner)
    return [
        KeptPiece(
            evidence_id=UUID(int=learner << 32 | place),
            source="bench",
            source_id=f"{learner}-{place}",
            level=levels[(learner + place) % len(levels)],
            score=None,
            observed_on=first + timedelta(days=place),
            activity=UUID(int=place % 3 + 1),
            class_id=None,
            term="2026-T1",
            assessor_id=UUID(int=9),
        )
        for place in range(number)
    ]


def works() -> list[Work]:
    """Return what is measured: the yardstick first."""
    bare, message = SigningKey(KEY.seed), bytes(64)

    def held_against(pieces: Sequence[KeptPiece]) -> None:
        evaluate(RULE, pieces, HELD)

    return [
        Work(SIGNED, lambda _: bare.sign(message), range(_EACH)),
        *(
            Work(f"{number} pieces", held_against, [kept(number, each) for each in range(_EACH)], ((SIGNED, None),))
            for number in PIECES
        ),
    ]


def main() -> None:
    """Print what was measured, and write it to var/bench/rules.json."""
    rates = measure(works(), int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    for name, rate in rates.items():
        print(f"{name:40} {rate:10,.0f}/s {rate / rates[SIGNED]:8.2f} of {SIGNED}")
    rate = rates["5 pieces"]
    print(f"five pieces: {rate:,.0f} evaluations a second, aim {AIM:,}{'' if rate >= AIM else ': not met'}")
    file = Path("var/bench/rules.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps({"rates": rates, "aim": AIM, "met": rate >= AIM}, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
