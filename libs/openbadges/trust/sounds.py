"""Names that are written otherwise and sound the same: what they have in common, to be looked up. Pure.

English has several spellings for one sound (`Koledge`, `Akademy`, `Banxia`). Vowels are left as they are, but for y and
i, so that names which only rhyme stay apart.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

# Of skeletons, in which i is written l and q as g.
_WRITTEN_FOR: Final = (
    *(("ph", "f"), ("sch", "sk"), ("ck", "k"), ("dg", "g"), ("x", "ks")),
    *(("ce", "se"), ("cy", "sy"), ("c", "k"), ("z", "s"), ("y", "l")),
)
_LEAST: Final = 4
"""Letters of a word that is read by its sound; a shorter one may be a number."""

_LEAST_DOUBLED: Final = 6
"""Letters of a word in which a double letter sounds like one; 'Yara' and 'Yarra' are different places."""

_LEAST_TOGETHER: Final = 8
_MOST_WORDS, _LONGEST_RUN = 12, 6
_SOUND: Final = "~s "


@lru_cache(maxsize=1024)
def sound(word: str) -> str:
    """Return what a word, a skeleton, has in common with others that sound like it."""
    if len(word) < _LEAST:
        return word
    # A first y is a consonant.
    first, rest = (word[0], word[1:]) if word[0] == "y" else ("", word)
    for spelling, sounds in _WRITTEN_FOR:
        rest = rest.replace(spelling, sounds)
    if len(rest) >= _LEAST_DOUBLED:
        rest = "".join(letter for letter, _ in groupby(rest))
    return first + rest


def sounding(words: Sequence[str]) -> Iterator[str]:
    """Yield what a name of these words has in common with those that sound like it, in any order of the words."""
    yield from _together(words, [sound(word) for word in words])


def sounding_runs(words: Sequence[str]) -> Iterator[str]:
    """Yield the same of the whole name, and of every run of two and more of its first six words."""
    sounds = [sound(word) for word in words]
    yield from _together(words, sounds)
    for start in range(min(len(words), _LONGEST_RUN)):
        for end in range(start + 2, min(len(words), _LONGEST_RUN) + 1):
            yield from _together(words[start:end], sounds[start:end])


def _together(words: Sequence[str], sounds: Sequence[str]) -> Iterator[str]:
    if len(words) <= _MOST_WORDS and sum(map(len, words)) >= _LEAST_TOGETHER:
        yield _SOUND + " ".join(sorted(sounds))
