"""Links within a text that becomes public: whether one opens something to whoever has it. Pure.

A link is found with its scheme, or by a host with a path, query or fragment behind it, as programs that show texts make
links of them. What is found is never repeated.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from libs.common.url_secrets import secret_in

_LABEL: Final = r"[^\W_](?:[\w-]{0,62})\."
_LINK: Final = re.compile(
    rf"(?:(?:https?|ftps?|sftp|davs?|webcal):/{{1,2}}|(?<![\w-])(?=(?:{_LABEL}){{1,8}}[^\W\d_]{{2,24}}(?::[0-9]{{1,5}})?[/?#]))"
    # Up to what no link holds, or to where the next one begins.
    r"((?:(?!https?:/)[^\s<>\"\u201c\u201d\u00ab\u00bb])+)",
    re.IGNORECASE,
)
# What ends a sentence or closes a bracket, and stands behind a link.
_BEHIND: Final = ".,;:!?)]}'\u2019\u2026*"
_SIGNED_IN: Final = re.compile(r"[^/?#@:]{1,64}:[^/?#@]{1,64}@")
_REMEMBERED: Final = 4096


def links_in(text: str) -> Iterator[str]:
    """Yield what of a text reads as a link, as an https URL whatever its scheme, without what stands behind it."""
    if "/" not in text and "?" not in text and "#" not in text:
        return
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    for found in _LINK.finditer(text):
        yield f"https://{found[1].rstrip(_BEHIND)}"


@lru_cache(_REMEMBERED)
def holds_secret_link(text: str) -> bool:
    """Return whether a link in a text holds a secret, or is a share (`url_secrets.py`), or a user's password."""
    return any(_SIGNED_IN.match(url, len("https://")) or secret_in(url) for url in links_in(text))
