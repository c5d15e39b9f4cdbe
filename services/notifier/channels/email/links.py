"""Names without links: nothing in them that a mail program would turn into something to click.

Links in the names of issuers, achievements, levels and learners are refused where these come in. What is left are dots
that could stand in the name of a host, and descriptions, which may hold links where they are published.
"""

import re
from typing import Final

from libs.common.links import holds_link

# Between a letter or digit and what could be a top-level domain: 'win.example', and 'A.Smith', which reads as well.
_DOT: Final = re.compile(r"(?<=\w)[.\u2024\u3002\ufe52\uff0e\uff61](?=[^\W\d_]{2})")


def without_links(text: str) -> str:
    """Return the text without words that hold links, and with a space behind a dot that could stand in a host."""
    return " ".join(_DOT.sub(". ", " ".join(word for word in text.split() if not holds_link(word))).split())
