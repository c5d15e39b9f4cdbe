"""Texts that are signed are read as Markdown elsewhere: what runs, loads or hides something there is not published."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from libs.common.fields import IssuerName, Line, Text
from libs.common.markup import markup_fault
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission, read_row
from tests.unit.test_evidence_rows import GOOD, TODAY

HELD = {
    "runs": [
        "<script>alert(1)</script>",
        "Good <SCRIPT src=//evil.example/x.js>",
        "<script/x>",
        "<script",
        "</script>",
        "<svg/onload=alert(1)>",
        "<svg><animate onbegin=alert(1)>",
        "<math><mi/xlink:href=x>",
        "<b onclick = 'x()'>hi</b>",
        "<x onpointerenter=alert(1)>",
        '<p style="background:url(//evil.example/t.gif)">',
        "<style>@import '//x'</style>",
        "<iframe src=https://evil.example>",
        "<object data=x>",
        "<embed src=x>",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=0>",
        "<form action=//evil.example><input name=p>",
        "<img src=x onerror=alert(1)>",
        "<img src='https://evil.example/t.gif'>",
        "<image href=x>",
        "<video poster=//evil.example/t.png>",
        "<td background=//e.example/t>",
        "<picture><source srcset=//evil.example/t>",
        "<a href=https://x.example ping=https://evil.example>x</a>",
        "<textarea>",
        "<plaintext>",
        "a\n<link\nrel=stylesheet href=//evil.example>",
        "<details ontoggle=x open>",
        "<details open ontoggle=-alert(1)>",
        "<x onfocus=`${alert(1)}` autofocus>",
        "<x onpointerenter=[alert(1)]>",
        "<x onclick=&#97;lert(1)>",
        "<x onclick=\\u0061lert(1)>",
        "<p style=&#112;osition:fixed>",
        "<p style=-moz-binding:url(x)>",
    ],
    "hides": ["Seen <!-- not --> in class", "<![CDATA[x]]>", "<?php echo 1 ?>", "<!DOCTYPE html>"],
    "picture": [
        "![x](https://evil.example/t.gif)",
        "![](//evil.example/t)",
        "![x][1]\n\n[1]: https://evil.example/t.gif",
        "![pixel]\n\n[pixel]: https://evil.example/t.gif",
        "[pixel]: https://evil.example/t.gif\n\n![pixel]",
        "[![x](https://evil.example/t.gif)](https://school.example)",
        "![a [b] c](https://evil.example/t)",
        "![x](  <https://evil.example/t.gif>  'title')",
        "Well done![](t.gif)",
        "![x](data:image/png;base64,AAAA)",
    ],
    "link": [
        "[click](javascript:alert(1))",
        "[click](JavaScript:alert(1))",
        "[x](data:text/html,<b>hi</b>)",
        "[x](vbscript:x)",
        "[x](java&#115;cript:alert(1))",
        "[x](javascript&colon;alert(1))",
        "[x](javascript\\:alert(1))",
        "[x](&#x6A;avascript:alert(1))",
        "[x]( < javascript:alert(1)>)",
        "[x](jav&Tab;ascript:alert(1))",
        "[x]: javascript:alert(1)\n\n[x]",
        "[x]:\n  <data:text/html,hi>",
        "<javascript:alert(1)>",
        "<data:text/html,hi>",
        "<a href='java\nscript:alert(1)'>x</a>",
        "<a href=&#106;avascript:x>",
        '<a href = "data:text/html,x">x</a>',
        "[x](file:///etc/passwd)",
        "[x](blob:https://x)",
        "[x](intent://scan/#Intent;end)",
        "[x](ms-word:ofe|u|https://x)",
        "See javascript:alert(1)",
        "open data:text/html;base64,PHNjcmlwdD4=",
        "javascript:void(0)",
        "[x](\x01javascript:x)",
        "vbscript:msgbox(1)",
        "[a]\\(x) [b](view-source:javascript:x)",
    ],
}
ORDINARY = [
    "Goes on when it is hard.",
    "a < b and c > d",
    "<5 minutes; 3<4",
    "I <3 rafts",
    "if a<b then c=d, once = 1, only=2",
    "**Bold**, _it_, `code`\n\n- one\n- two\n\n| a | b |",
    '[Our plan](https://school.example/plan?id=3 "plan")',
    "[mail](mailto:office@school.example) [top](#top) [x](/plan)",
    "<https://school.example/plan>",
    "Collects data: numbers",
    "JavaScript: variables, loops",
    "Learns JavaScript:\n- loops",
    "<p>Goes on</p><br/><ul><li>one</li></ul>",
    '<a href="https://school.example/">plan</a>',
    "Replace <your name> and <title of the work>.",
    "Wow! [1] See notes",
    "[note]: remember this",
    "Great![ ]",
    "Tom & Jerry &amp; Co",
    "f(x) = [a](b)",
    "style = 3, background = 4",
    "C:\\raft",
    "Uses data:base tables",
    "metadata: yes",
    "array[0](1)",
    "Level [2]: relational",
    "typescript: types",
    "x -> y; y <- z",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01[1]",
    "Ratio 3:4 [a]",
    "Manuscript:draft",
    "<emphasis> on values",
    "on = off",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in HELD.items() for text in texts])
def test_what_runs_loads_or_hides_something_is_found(kind: str, text: str) -> None:
    assert kind in str(markup_fault(text))
    assert markup_fault(f"Shows it in Values Week. {text} Goes on.") is not None


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_and_markdown_are_taken(text: str) -> None:
    assert markup_fault(text) is None


@pytest.mark.parametrize("text", ["<a" * 61, "[x](y)" * 61, "[x]: y\n" * 61])
def test_a_text_of_more_links_than_anybody_writes_is_not_looked_through(text: str) -> None:
    assert "60 links" in str(markup_fault(text))


@pytest.mark.parametrize("kind", [Line, IssuerName, Text])
@pytest.mark.parametrize("text", ["Raft <script>x</script>", "![x](//evil.example/t.gif)", "[x](javascript:y)"])
def test_nothing_of_the_kind_is_published_in_a_name_or_a_text(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def test_a_row_whose_activity_holds_such_a_thing_is_refused_and_a_comment_stays_with_the_school() -> None:
    row = {**GOOD, "activity": "Raft ![x](https://evil.example/t.gif)"}
    refused = read_row(row, TODAY)
    assert isinstance(refused, Refusal)
    assert (refused.column, refused.reason) == ("activity", Reason.TEXT_FORM)
    assert "evil" not in refused.message
    assert isinstance(read_row({**GOOD, "comment": row["activity"]}, TODAY), Submission)
