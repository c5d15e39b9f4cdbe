"""The JSON Schema of one piece of evidence and the table of its columns, made from what the reader checks."""

from collections.abc import Mapping
from typing import Any, Final

from libs.common.fields import VISIBLE
from libs.contracts.results import SoloLevel
from services.evidence.sources.columns import REQUIRED, TABLE, Column
from services.evidence.sources.rows import DATE

SCHEMA_NAME: Final = "Evidence"

EXAMPLE: Final[Mapping[str, str]] = {column.name: column.example for column in TABLE if column.example is not None}
"""A piece of evidence that the reader takes."""


PUBLIC_COLUMNS: Final[Mapping[str, str]] = {column.name: column.mark for column in TABLE if column.mark}
"""What anybody can read of a badge, with the mark of the column."""


def evidence_schema() -> dict[str, Any]:
    """Return the schema of one piece as JSON (Draft 2020-12): the reader takes what fits, save dates that it refuses.

    The reader is more lenient in two ways: it drops white space around a value, and an empty text is an absent one.
    """
    return {
        "type": "object",
        "title": SCHEMA_NAME,
        "description": "One piece of evidence: what a learner showed, in one activity, at one level or with one score.",
        "properties": {column.name: _column(column) for column in TABLE},
        "required": list(REQUIRED),
        # A level or a score. Said so, since generators of clients take oneOf for a choice of models.
        "if": {"required": ["level"]},
        "then": {"not": {"required": ["score"]}},
        "else": {"required": ["score"]},
        "additionalProperties": False,
        "examples": [dict(EXAMPLE)],
    }


def column_table() -> str:
    """Return the columns of a file as a Markdown table: name, required, public, most characters, meaning."""
    rows = [
        f"| `{column.name}` | {'yes' if column.required else 'level or score' if column.name in _RESULTS else 'no'} "
        f"| {column.mark or 'no'} | {column.longest} | {column.meaning} |"
        for column in TABLE
    ]
    return "\n".join(
        ["| column | required | public | most characters | meaning |", "| --- | --- | --- | --- | --- |", *rows]
    )


def csv_template() -> str:
    """Return a file to fill in: the names of the columns, with what becomes public marked; the reader knows the marks.

    It has no row: one that somebody left in would be evidence.
    """
    cells = [f"{column.name} ({column.mark})" if column.mark else column.name for column in TABLE]
    return "\ufeff" + ",".join(cells) + "\r\n"


_RESULTS: Final = ("level", "score")


def _column(column: Column) -> dict[str, Any]:
    said: dict[str, Any] = {"description": column.meaning, "x-public": column.mark or "no"}
    if column.name == "level":
        return {"type": "string", "enum": list(SoloLevel), **said}
    if column.name == "score":
        return {"type": "number", "minimum": 0, "maximum": 100, **said}
    said |= {"type": "string", "minLength": 1, "maxLength": column.longest}
    pattern = DATE if column.name == "date" else None if column.form is None else column.form.pattern
    return {**said, "pattern": VISIBLE if pattern is None else f"^(?:{pattern.pattern})$"}
