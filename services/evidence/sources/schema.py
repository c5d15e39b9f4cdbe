"""The JSON Schema of one piece of evidence and the table of its columns, made from what the reader checks."""

from collections.abc import Mapping
from typing import Any, Final

from libs.contracts.results import SoloLevel
from services.evidence.sources.rows import COLUMNS, CONTROL, DATE, FORMS, LONGEST, PUBLIC, REQUIRED

SCHEMA_NAME: Final = "Evidence"

MEANINGS: Final[Mapping[str, str]] = {
    "source_id": "Identifies this piece of evidence in the sender's system; sent again, it is the same piece.",
    "learner_id": "Identifies the learner in the school's systems. Neither a name nor an e-mail address.",
    "learner_name": "The learner's name, for the e-mail about the badge.",
    "learner_email": "Where the learner is told; without it nobody is.",
    "achievement": "The id of the achievement in the catalogue.",
    "level": "The level of the SOLO taxonomy that was shown, in any case. Give a level or a score, not both.",
    "score": "A score from 0 to 100 with at most six decimals. Give a level or a score, not both.",
    "date": "The day on which it was shown (ISO 8601); not in the future.",
    "activity": "What the learner did. Stands on the badge's open page: no names of others.",
    "class": "The learner's class by its short name, such as 7B.",
    "term": "The term by its short name, such as 2026-T3.",
    "assessor": "Who saw it, for the school alone.",
    "comment": "What the assessor notes, for the school alone.",
    "link": "Where the work can be seen (http or https). Stands on the badge's open page: no link with a token.",
}
EXAMPLE: Final[Mapping[str, str]] = {
    "source_id": "vw-2026-0001",
    "learner_id": "S1024",
    "learner_name": "Zoë Ånström",
    "learner_email": "zoe@school.example",
    "achievement": "resilience",
    "level": "relational",
    "date": "2026-03-09",
    "activity": "Raft building, day 3 of Values Week",
    "class": "7B",
    "term": "2026-T1",
    "assessor": "Ms Pike",
    "comment": "Rebuilt the raft twice and said why the second knot held.",
    "link": "https://portfolio.school.example/raft",
}
"""A piece of evidence that the reader takes."""

_PATTERNS: Final = {"date": DATE, **{name: form for name, form, _, _ in FORMS}}


def evidence_schema() -> dict[str, Any]:
    """Return the schema of one piece as JSON (Draft 2020-12): the reader takes what fits, save dates that it refuses.

    The reader is more lenient in two ways: it drops white space around a value, and an empty text is an absent one.
    """
    return {
        "type": "object",
        "title": SCHEMA_NAME,
        "description": "One piece of evidence: what a learner showed, in one activity, at one level or with one score.",
        "properties": {name: _column(name) for name in COLUMNS},
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
        f"| `{name}` | {'yes' if name in REQUIRED else 'level or score' if name in _RESULTS else 'no'} "
        f"| {'public' if name in PUBLIC else 'no'} | {LONGEST[name]} | {MEANINGS[name]} |"
        for name in COLUMNS
    ]
    return "\n".join(
        ["| column | required | public | most characters | meaning |", "| --- | --- | --- | --- | --- |", *rows]
    )


_RESULTS: Final = ("level", "score")


def _column(name: str) -> dict[str, Any]:
    column: dict[str, Any] = {"description": MEANINGS[name]}
    if name == "level":
        return {"type": "string", "enum": list(SoloLevel), **column}
    if name == "score":
        return {"type": "number", "minimum": 0, "maximum": 100, **column}
    column |= {"type": "string", "minLength": 1, "maxLength": LONGEST[name]}
    pattern = _PATTERNS.get(name)
    if pattern is not None:
        return {**column, "pattern": f"^(?:{pattern.pattern})$"}
    # At least one character that is not white space: else nothing is left of it.
    allowed = f"[^{CONTROL.pattern[1:-1]}]"
    return {**column, "pattern": rf"^{allowed}*[^{CONTROL.pattern[1:-1]}\s]{allowed}*$"}
