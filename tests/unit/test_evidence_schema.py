"""The JSON Schema of a piece of evidence says what the reader takes: neither more nor less."""

import re
import subprocess
from datetime import date
from typing import Any

import jsonschema_rs
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.common.public_url import leads_to_private
from libs.common.text import REFUSED
from libs.contracts.results import SoloLevel
from services.evidence.sources.columns import BY_NAME, COLUMNS, REQUIRED
from services.evidence.sources.ndjson import json_fields
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import read_row
from services.evidence.sources.schema import EXAMPLE, evidence_schema

TODAY = date(2026, 11, 23)
SCHEMA = evidence_schema()
FITS = jsonschema_rs.Draft202012Validator(SCHEMA).is_valid
# What no schema can tell: whether a day exists, and whether it is past; whether a link holds a secret, a name a link.
UNTOLD = {Reason.DATE_IN_FUTURE, Reason.DATE_TOO_EARLY, Reason.DATE_FORM, Reason.LINK_SECRET, Reason.NAME_LINK}


def refusal(document: Any) -> Refusal | None:
    """Why the reader refuses a piece, or None."""
    fields = json_fields(orjson.dumps(document))
    row = fields if isinstance(fields, Refusal) else read_row(fields, TODAY)
    return row if isinstance(row, Refusal) else None


def depends_on_unicode(refused: Refusal, piece: dict[str, Any]) -> bool:
    """Whether a text is refused for a code point or a heap of marks that only the tables of Unicode tell of."""
    return refused.reason is Reason.TEXT_FORM and not re.search(f"[{REFUSED}]", piece[refused.column or ""])


def is_untold(refused: Refusal, piece: dict[str, Any]) -> bool:
    """Whether this is what no schema tells: also that a link's host lies in a private network, which is a table's."""
    private = refused.reason is Reason.LINK_FORM and leads_to_private(piece["link"])
    return refused.reason in UNTOLD or private or depends_on_unicode(refused, piece)


ODD = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "A b", "a@b", "a\x00b", "tab\there", "ü", "-a", "_a", "a/b", "7B"]),
    st.sampled_from(["x" * 65, "x" * 201, "x" * 301]),
    st.sampled_from(["http://a", "https://a.b/c?d#e", "ftp://a", "https://u@h/", "https://a b"]),
    st.sampled_from(["zoe@school.example", "zoe@school", "zoe school@x.y", "2026-03-09", "2026-3-9", "20260309"]),
)  # fmt: skip


@st.composite
def pieces(draw: st.DrawFn) -> dict[str, Any]:
    """A good piece with a few fields changed, added or left out."""
    piece: dict[str, Any] = dict(EXAMPLE)
    for name in draw(st.lists(st.sampled_from(COLUMNS), max_size=3)):
        piece[name] = draw(ODD)
    for name in draw(st.lists(st.sampled_from(COLUMNS), max_size=2)):
        piece.pop(name, None)
    if draw(st.booleans()):
        piece.pop("level", None)
        piece["score"] = draw(st.floats(-1, 101).map(lambda number: round(number, 3)))
    elif draw(st.booleans()):
        piece["level"] = draw(st.sampled_from([*SoloLevel, "excellent"]))
    if draw(st.integers(0, 9)) == 0:
        piece["klass"] = "7B"
    return piece


@settings(max_examples=400)
@given(piece=pieces())
@example(piece=dict(EXAMPLE))
def test_the_schema_and_the_reader_agree(piece: dict[str, Any]) -> None:
    refused = refusal(piece)
    if FITS(piece):
        assert refused is None or is_untold(refused, piece), refused
    elif refused is None:
        # More lenient in what people type: white space around a value, and a value that is empty, say nothing; a level
        # is read in any case, the scheme of a link too, and a score may be text.
        said = {name: text.strip() if isinstance(text, str) else text for name, text in piece.items()}
        said = {name: value for name, value in said.items() if value not in {"", None}}
        if "level" in said:
            said["level"] = SoloLevel.parse(said["level"])
        if isinstance(said.get("score"), str):
            said["score"] = float(said["score"])
        if "link" in said:
            said["link"] = re.sub("^https?", lambda scheme: scheme[0].lower(), said["link"], flags=re.IGNORECASE)
        assert FITS(said), said


def test_columns_limits_and_what_is_required_are_the_readers() -> None:
    assert list(SCHEMA["properties"]) == list(COLUMNS)
    assert SCHEMA["required"] == list(REQUIRED)
    limits = {name: each["maxLength"] for name, each in SCHEMA["properties"].items() if "maxLength" in each}
    assert limits == {name: BY_NAME[name].longest for name in COLUMNS if name not in {"level", "score"}}


def test_patterns_are_regular_expressions_of_ecmascript_too() -> None:
    # JSON Schema's dialect (ECMA-262), with the flag that validators in JavaScript use.
    patterns = [each["pattern"] for each in SCHEMA["properties"].values() if "pattern" in each]
    script = "for (const each of JSON.parse(process.argv[1])) new RegExp(each, 'u')"
    subprocess.run(["node", "-e", script, orjson.dumps(patterns).decode()], check=True, timeout=60)
