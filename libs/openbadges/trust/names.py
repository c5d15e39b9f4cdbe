"""Names that look alike: the skeleton of Unicode Technical Standard 39, section 4, and how names are shown."""

import unicodedata
from functools import lru_cache
from itertools import islice
from typing import Final

from confusable_homoglyphs.confusables import confusables_data

LONGEST_NAME: Final = 200
"""Characters of a name that are compared and shown."""

_IGNORED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""General categories without a shape of their own: controls, format characters (bidirectional, zero-width), halves."""

_DEFAULT_IGNORABLE: Final = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
)
"""Characters of other categories that show nothing (UCD, Default_Ignorable_Code_Point), and empty braille."""


def _prototypes() -> dict[str, str]:
    """Read from the library's data, which pairs what looks alike, one representative for each character.

    Everything that looks like an ASCII letter or digit is represented by that; the pairs that remain, by the smaller.
    """
    found: dict[str, str] = {}
    for key, alike in confusables_data.items():
        # What is written from right to left stands between marks of direction there.
        character = key.strip("\u200e")
        texts = [one["c"].strip("\u200e") for one in alike]
        plain = [text for text in texts if text.isascii()]
        if len(character) == 1 and not character.isascii():
            found[character] = min(plain or [*texts, character], key=lambda text: (len(text), text))
    return found


_PROTOTYPES: Final = _prototypes()
_ALIKE_IN_ASCII: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "$": "s", "@": "a"})
"""Within ASCII, after case is folded: what is read as the same letter in most typefaces."""


@lru_cache(maxsize=2048)
def skeleton(name: str) -> str:
    """Return what two names that look alike have in common; no text for people.

    Compatibility forms, case, accents, spaces, punctuation, invisible characters and the order of reading make no
    difference, and each character stands for what it looks like.
    """
    # Prototypes go before compatibility: a lunate sigma looks like c, and is compatible with another sigma.
    seen = "".join(islice((one for one in name if _has_shape(one) and not one.isspace()), LONGEST_NAME))
    shapes = _look(unicodedata.normalize("NFD", seen))
    folded = _look(unicodedata.normalize("NFKD", shapes)).casefold()
    # Once more: what case folding makes (a capital of another alphabet in small) may look like yet another letter.
    again = _look(folded).casefold().translate(_ALIKE_IN_ASCII)
    return "".join(one for one in again if one.isalnum()).replace("rn", "m").replace("vv", "w")


def shown_name(name: str) -> str:
    """Return a stranger's name on one line, without what is invisible or changes the order of reading."""
    line = "".join(" " if one in "\t\r\n\u2028\u2029" else one for one in name if one.isspace() or _has_shape(one))
    shown = " ".join(line.split())
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}…"


def _look(text: str) -> str:
    return "".join(_PROTOTYPES.get(one, one) for one in text if _has_shape(one) and unicodedata.category(one) != "Mn")


def _has_shape(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _IGNORED and ord(character) not in _DEFAULT_IGNORABLE
