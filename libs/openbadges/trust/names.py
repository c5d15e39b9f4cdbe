"""Names that look alike: the skeleton of Unicode Technical Standard 39, section 4, and how names are shown."""

import re
import unicodedata
from functools import lru_cache
from html import unescape
from itertools import islice
from string import ascii_lowercase
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


_SMALL_CAPITALS: Final = dict(
    zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", (each for each in ascii_lowercase if each not in "qx"), strict=True)
)
_PROTOTYPES: Final = {**_prototypes(), **_SMALL_CAPITALS}
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_NOBODYS: Final = ("Bowerbird", "registered here", "unknown party", "nobody who", "somebody who", "did:web", "did:key")
_MOST_WORDS, _LONGEST_RUN, _SHORTEST_RUN = 40, 10, 8
_ALIKE_IN_ASCII: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "$": "s", "8": "b", "@": "a"})
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
    return _one_shape("".join(one for one in again if one.isalnum()))


@lru_cache(maxsize=512)
def skeletons(name: str) -> frozenset[str]:
    """Return the skeleton of a name, and those of all runs of two to ten words in it, of its first forty words.

    'Banksia College, the real one' so has the skeleton of 'Banksia College' among its own.
    """
    words = [skeleton(word) for word in _BETWEEN_WORDS.split(shown_name(unescape(name)))]
    words = [word for word in words if word][:_MOST_WORDS]
    runs = {
        _one_shape("".join(words[start:end]))
        for start in range(len(words))
        for end in range(start + 2, min(start + _LONGEST_RUN, len(words)) + 1)
    }
    return frozenset({skeleton(name), *(run for run in runs if len(run) >= _SHORTEST_RUN)})


def names_no_school(name: str) -> bool:
    """Return whether a name reads as this product, as a word of a verdict, as an id, or is too short to be told."""
    seen = skeleton(name)
    return len(seen) < 2 or any(skeleton(words) in seen for words in _NOBODYS)


def shown_name(name: str) -> str:
    """Return a stranger's name on one line, without what is invisible or changes the order of reading."""
    line = "".join(" " if one in "\t\r\n\u2028\u2029" else one for one in name if one.isspace() or _has_shape(one))
    shown = " ".join(line.split())
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}…"


def _one_shape(text: str) -> str:
    return text.replace("rn", "m").replace("vv", "w")


def _look(text: str) -> str:
    return "".join(_PROTOTYPES.get(one, one) for one in text if _has_shape(one) and unicodedata.category(one) != "Mn")


def _has_shape(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _IGNORED and ord(character) not in _DEFAULT_IGNORABLE
