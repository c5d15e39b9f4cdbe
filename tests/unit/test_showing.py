"""Whatever a document holds, verifying and showing it raises nothing and writes nothing that moves the cursor."""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bowerbird.showing import plain, show_document, show_report
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import Association, Profile
from libs.openbadges.verify import Opened, verify
from tests.unit.openbadges_samples import DID, KEY, METHOD, NOW, RESILIENCE, material, signed

NONSENSE: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, 1.5, True, "", "\x1b[2J\u202e\x07", [], {}, [[]], [None], [5], [{}], {"id": []}, {"id": {}}]
)


def record() -> str:
    document = record_document(
        record_id="urn:x:1",
        issuer=Profile(id=DID),
        subject_id="urn:x:s",
        name="Week",
        valid_from=NOW,
        credentials=[signed()],
        associations=[Association(association_type="isPeerOf", source_id=RESILIENCE, target_id=RESILIENCE)],
    )
    return sign(prepare(document), KEY, METHOD, NOW)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [one for key, value in children for one in [(*path, key), *places(value, (*path, key))]]


TEXTS = {"badge": signed(), "record": record()}
PLACES = {name: places(json.loads(text)) for name, text in TEXTS.items()}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data(), NONSENSE)
def test_nonsense_anywhere_is_verified_and_shown(name: str, data: st.DataObject, nonsense: Any) -> None:
    document = json.loads(TEXTS[name])
    *path, last = data.draw(st.sampled_from(PLACES[name]))
    node = document
    for key in path:
        node = node[key]
    node[last] = nonsense
    written = io.StringIO()
    console = Console(file=written, highlight=False, markup=False, emoji=False, width=100)
    report = verify(json.dumps(document), material(), NOW)
    assert report.verdict != "pass" or document == json.loads(TEXTS[name])
    show_report(console, report, ["\x1b[31m"])
    show_document(console, Opened(document, None), "form")
    assert not {"\x1b", "\x07", "\u202e"} & set(written.getvalue())


@given(st.text())
def test_a_shown_text_is_one_line_without_control_characters(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 301
    assert len(shown.splitlines()) <= 1
    shown.encode()
