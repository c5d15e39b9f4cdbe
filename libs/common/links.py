"""Whether a name holds a link: what a mail program or a page of messages would turn into something to click. Pure.

A link is told by what people do not write in names: a scheme, `www.`, a path behind a host or an IPv4 address, the
form of an e-mail address. A dot between words alone is none ('Node.js', 'Dr.No', 'ASP.NET').

Compatibility forms count (UAX 15, NFKC), and the other dots of hosts (UTS 46): programs that find links read them so.
"""

import re
import unicodedata
from typing import Final

# What every link has, looked for first.
_MARKS: Final = re.compile(r"[:/@]|www", re.IGNORECASE)
# An ideographic full stop ends sentences too: a dot of a host only where plain letters go on.
_IDEOGRAPHIC_DOT: Final = re.compile("\u3002(?=[A-Za-z0-9])")
# Letters, digits and hyphens, and whatever stands in words of other scripts, with its marks.
_IN_LABEL: Final = r"[^\x00-,./:-@\[-`{-\x7f\s]"
# 'js' is the end of names of programs, and of no host.
_TOP: Final = rf"(?:(?!js\b)[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}}|(?<=[^\W\d_]\.)[^\W\d_a-z]{_IN_LABEL}{{1,62}})"
_LINK: Final = re.compile(
    r"[a-z][a-z0-9+.-]{0,30}:/{2}"
    r"|(?<!\w)//(?=[\w\[])"
    r"|\bmailto:(?=\S)|\b(?:tel|sms|callto):(?=\+?[0-9])"
    r"|\bwww[0-9]{0,3}\.(?=\w)"
    r"|\w@[\w-]{1,63}\.\w"
    r"|(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?/"
    rf"|\w\.{_TOP}\.?(?::[0-9]{{1,5}})?/",
    re.IGNORECASE,
)


def holds_link(text: str) -> bool:
    """Return whether the text, of one line, holds what would become a link."""
    if not text.isascii():
        text = _IDEOGRAPHIC_DOT.sub(".", unicodedata.normalize("NFKC", text))
    return _MARKS.search(text) is not None and _LINK.search(text) is not None
