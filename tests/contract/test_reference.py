"""The pages of reference say what the code does, for every column, code and scope."""

from pathlib import Path

from bowerbird import generated, reference
from libs.access.scopes import Scope
from services.evidence.sources.columns import COLUMNS, TABLE
from services.evidence.sources.refusals import Reason as Refused
from services.issuer.decisions.decision import Reason

PAGES = reference.documents()


def test_the_pages_are_what_the_code_says() -> None:
    folder = Path(__file__).parents[2] / "docs" / "reference"
    assert generated.stale(folder, PAGES) == [], "run `bowerbird contracts` and commit what it wrote"


def test_every_column_code_and_scope_stands_in_a_table() -> None:
    for name, entries in (("evidence.md", COLUMNS), ("reasons.md", [*Refused, *Reason]), ("scopes.md", Scope)):
        for entry in entries:
            assert f"\n| `{entry}` | " in PAGES[name]


def test_no_column_with_a_name_or_an_address_is_public() -> None:
    assert not [column for column in TABLE if column.public and column.personal]
    assert {"learner_name", "learner_email"} == {column.name for column in TABLE if column.personal}
