"""Names without links: nothing in them that a mail program would turn into something to click.

Names with URLs are refused where they come in; this holds for whatever came in before, or by another way.
"""

import re
from typing import Final

_URL: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:)?//\S*|\b(?:mailto|tel):\S*|\bwww[.\uff0e\u3002\uff61]\S*", re.IGNORECASE
)
# Between a letter or digit and what could be a top-level domain: 'win.example', and 'A.Smith', which reads as well.
_DOT: Final = re.compile(r"(?<=\w)[.\uff0e\u3002\uff61](?=[^\W\d_]{2})")


def without_links(text: str) -> str:
    """Return the text without URLs, and with a space behind a dot that could stand in the name of a host."""
    return " ".join(_DOT.sub(". ", _URL.sub(" ", text)).split())
