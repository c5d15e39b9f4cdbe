"""The pages of reference say what the code does, for every column, code and scope."""

from pathlib import Path

from bowerbird import generated, reference
from libs.access.scopes import Scope
from services.evidence.sources import rows
from services.issuer.decisions.decision import Reason

PAGES = reference.documents()


def test_the_pages_are_what_the_code_says() -> None:
    folder = Path(__file__).parents[2] / "docs" / "reference"
    assert generated.stale(folder, PAGES) == [], "run `bowerbird contracts` and commit what it wrote"


def test_every_column_code_and_scope_stands_in_a_table() -> None:
    for name, entries in (("evidence.md", rows.COLUMNS), ("reasons.md", [*rows.Reason, *Reason]), ("scopes.md", Scope)):
        for entry in entries:
            assert f"\n| `{entry}` | " in PAGES[name]


def test_no_column_with_a_name_or_an_address_is_public() -> None:
    assert not set(rows.PUBLIC) & set(rows.PERSONAL)
    assert set(rows.PUBLIC) <= set(rows.COLUMNS)
