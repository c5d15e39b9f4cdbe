"""Whether a text holds markup that runs, loads or hides something where it is read as Markdown or HTML. Pure.

Criteria are Markdown in Open Badges 3.0 (Criteria, `narrative`), and wallets show other texts in the same way. Words,
lists, tables, emphasis and links to the web stay. A picture does not: whoever owns its address learns who looks at a
learner's badge, and when.
"""

import re
from html import unescape
from typing import Final

_RUNS: Final = "holds HTML that runs or loads something"
_HIDES: Final = "holds HTML that hides a part of it"
_PICTURE: Final = "holds a picture, whose owner would learn who looks at the badge"
_LEADS: Final = "holds a link of a kind that runs something, or leads elsewhere than to the web"
_MOST_LINKS: Final = 60
_MANY: Final = f"holds more than {_MOST_LINKS} links"

# What every case has, looked for first.
_MARKS: Final = re.compile(r"[<\[]|script|data", re.IGNORECASE)
# Elements of HTML that run, load or send something, or take what stands behind them for something else than text.
_ELEMENTS: Final = re.compile(
    r"</?(?:script|style|link|meta|base|i?frame|frameset|fencedframe|portal|object|embed|applet|img|image|picture|source"
    r"|video|audio|track|bgsound|svg|math|form|input|button|select|textarea|template|noscript|noembed|noframes|xmp"
    r"|plaintext|html|head|body)(?![\w:.-])",
    re.IGNORECASE,
)
_HIDING: Final = re.compile(r"<!--|<!\[CDATA\[|<!doctype|<\?[a-z]", re.IGNORECASE)
_TAG: Final = re.compile(r"<[a-z]", re.IGNORECASE)
# Attributes that do so on any element; the word before a sign of equality in prose is none of them.
_ATTRIBUTES: Final = re.compile(
    r"(?<![\w-])(?:on(?!ly\b|ce\b|e\b)[a-z]{3,}|style|background|ping|srcdoc)\s*=\s*\S", re.IGNORECASE
)
_REFERENCE: Final = re.compile(r"(?<![\w-])href\s*=\s*[\"']?", re.IGNORECASE)
_PICTURES: Final = re.compile(r"!\[")
_PICTURE_OF: Final = re.compile(r"\]\s?[(\[:]")
_DESTINATION: Final = re.compile(r"\]\(\s*<?")
# What names a destination without saying that it is one: text in brackets with a colon behind, or in angle brackets.
_PERHAPS: Final = re.compile(r"\]:\s*<?|<(?=[a-z&\\])", re.IGNORECASE)
_LONGEST_SCHEME: Final = 200
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_PASSED_OVER: Final = re.compile(r"[\x00-\x20\xa0]+")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_OF_THE_WEB: Final = frozenset({"http", "https", "mailto", "tel"})
_ACTIVE: Final = frozenset(
    {"javascript", "vbscript", "livescript", "jscript", "mocha", "data", "file", "filesystem", "blob", "about", "jar"}
    | {"view-source", "intent", "ms-appx", "resource", "chrome"}
)
# Prose writes 'JavaScript: variables' and 'data: numbers', with a space.
_ANYWHERE: Final = re.compile(
    r"(?:java|vb|live|j)script:(?!\s|$|//\s)|(?<![\w-])data:[\w.+-]+/[\w.+-]+[;,]|(?<![\w-])data:;?(?:base64|charset)",
    re.IGNORECASE,
)


def markup_fault(text: str) -> str | None:
    """Return what of the kind a text holds, as the end of a sentence about it; None where there is nothing."""
    if _MARKS.search(text) is None and "&" not in text:
        return None
    tag = _TAG.search(text)
    if _ELEMENTS.search(text) or (tag is not None and _ATTRIBUTES.search(text, tag.end())):
        return _RUNS
    if _HIDING.search(text):
        return _HIDES
    picture = _PICTURES.search(text)
    if picture is not None and (_PICTURE_OF.search(text, picture.end()) or "]:" in text):
        return _PICTURE
    return _fault_of_links(text, tag)


def _fault_of_links(text: str, tag: re.Match[str] | None) -> str | None:
    surely = [found.end() for found in _DESTINATION.finditer(text)]
    if tag is not None:
        surely += [found.end() for found in _REFERENCE.finditer(text, tag.end())]
    perhaps = [found.end() for found in _PERHAPS.finditer(text)]
    if len(surely) + len(perhaps) > _MOST_LINKS:
        return _MANY
    schemes = {_scheme(text, place) for place in surely} - {""}
    active = _ACTIVE.intersection(_scheme(text, place) for place in perhaps)
    return _LEADS if schemes - _OF_THE_WEB or active or _ANYWHERE.search(_read(text)) else None


def _scheme(text: str, place: int) -> str:
    """Return the scheme of the link that begins here, as browsers read it; empty where it has none."""
    found = _SCHEME.match(_PASSED_OVER.sub("", _read(text[place : place + _LONGEST_SCHEME])))
    return "" if found is None else found[1].lower()


def _read(text: str) -> str:
    """Return a text without the references to characters and the backslashes in which it may be written."""
    return _ESCAPED.sub(r"\1", unescape(text)) if "&" in text or "\\" in text else text
