"""Names that differ in one letter, or in two that changed places: what they have in common, to be looked up. Pure.

Two texts one edit apart (an optimal string alignment of distance 1, Damerau 1964) are the same once each has lost one
letter, so what is kept of a name is every text that it becomes so. Short words are left alone, and so are first letters
but for those of one shape: 'Hilton' and 'Milton', 'St Mary' and 'St Mark' are different places.
"""

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

_LEAST: Final = 7
"""Letters of a word, in one of the two names, in which a difference of one is a slip and no other word."""

_LEAST_TURNED: Final = 4
"""Letters of a word in which two that changed places are."""

_MOST: Final = 64
"""Letters of all words together; a longer name is not looked through."""

_LEAST_AS_ONE: Final = 8
"""Letters of a name that a single word of another one can be."""

_LONGEST_RUN: Final = 6
_SHAPES: Final = ("bdp", "cegoq", "mn", "uvy", "ft", "sz")
_FIRST: Final = {letter: shape[0] for shape in _SHAPES for letter in shape}
# Digits that are read as several letters.
_DIGITS: Final = {"6": "bc", "2": "s"}
# 'Ferndale' and 'Fernvale' are both places.
_OTHER_PLACES: Final = frozenset({"dale", "vale"})
_ONE_WORD, _TOGETHER, _BOTH, _AS_ONE = "~", "~~ ", "~2 ", "~1 "
_LONGEST_OF_BOTH: Final = 12


def near(words: Sequence[str]) -> Sequence[str]:
    """Return what a name of these words, skeletons all, has in common with those that differ by a letter in one word.

    The order of the words makes no difference; nor do the spaces between them, where they stand in one order.
    """
    if sum(map(len, words)) > _MOST:
        return ()
    found = [_TOGETHER + "".join(words), *_together_without(_TOGETHER, words, _inner)]
    for place, word in enumerate(words):
        found += _among([*words[:place], *words[place + 1 :]], _spellings(word))
    return found


def near_both(words: Sequence[str]) -> Sequence[str]:
    """Return the same of a name in which each of its two long words has a slip ('Banskia Collage')."""
    long = [word for word in words if len(word) >= _LEAST - 1]
    if len(long) != 2 or max(map(len, long)) > _LONGEST_OF_BOTH or len(words) > _LONGEST_RUN:
        return ()
    others = [word for word in words if word not in long]
    pairs = product(_spellings(long[0]), _spellings(long[1]))
    return [_BOTH + " ".join(sorted([*others, *pair])) for pair in pairs]


def near_registered(words: Sequence[str]) -> Sequence[str]:
    """Return the same of a registered name, and what is left of it where the first letter of a word is a mere sign."""
    found = [*near(words), *near_both(words)]
    if sum(map(len, words)) <= _MOST:
        found += _together_without(_TOGETHER, words, lambda word: range(len(word) >= _LEAST))
    return found


def near_runs(words: Sequence[str]) -> Sequence[str]:
    """Return the same of the whole name, and of every run of two and more of its first six words."""
    found = [*near(words), *near_both(words)]
    first = words[:_LONGEST_RUN]
    for start in range(len(first)):
        for end in range(start + 2, len(first) + 1):
            if end - start < len(words):
                found += near(first[start:end])
    return found


def as_one_registered(words: Sequence[str], written: str) -> Sequence[str]:
    """Return what a registered name of several words has in common with a word that all of them are written as.

    A registered name of a single word has nothing so: it may be that of a place, and stand in many others.

    Args:
        words: of the name.
        written: all that the name is written with, as one word; small words are in it.
    """
    joined = "".join(words)
    if len(words) < 2 or not _LEAST_AS_ONE <= len(joined) <= _MOST:
        return ()
    slips = _together_without(_AS_ONE, words, _inner)
    return [_AS_ONE + joined, _AS_ONE + written, *(f"{each}*" for each in slips and (_AS_ONE + joined, *slips))]


def as_one(words: Sequence[str]) -> Sequence[str]:
    """Return the same of each single word of a name, without slips from the seventh on."""
    found = []
    for number, word in enumerate(words):
        if _LEAST_AS_ONE <= len(word) <= _MOST:
            found.append(_AS_ONE + word)
            slips = _together_without(_AS_ONE, [word], _inner) if number < _LONGEST_RUN else ()
            found += [f"{each}*" for each in (_AS_ONE + word, *slips)]
    return found


def _among(words: Sequence[str], spellings: Sequence[str]) -> Sequence[str]:
    """Return each spelling in its place among the other words; both are put together as seldom as can be."""
    others, found, start = sorted(words), [], 0
    while start < len(spellings):
        place = bisect(others, spellings[start])
        # Spellings are sorted, and nearly always all of them stand before the same word.
        end = len(spellings) if place == len(others) else bisect(spellings, others[place], start)
        before, after = " ".join([_ONE_WORD, *others[:place]]), " ".join(["", *others[place:]])
        found += [f"{before} {spelling}{after}" for spelling in spellings[start:end]]
        start = end
    return found


def _together_without(kind: str, words: Sequence[str], places: Callable[[str], Iterable[int]]) -> Sequence[str]:
    """Return all words as one, each time without the letter at one of these places of a word."""
    joined, start, found = "".join(words), 0, []
    for word in words:
        found += [f"{kind}{joined[: start + at]}{joined[start + at + 1 :]}" for at in places(word)]
        start += len(word)
    return found


def _spellings(word: str) -> Sequence[str]:
    """Return the spellings of a word, sorted, each with a mark at its end: it is more than a word of its letters."""
    return sorted(f"{spelling}*" for spelling in _spelt(word))


def _spelt(word: str) -> Iterator[str]:
    if not word.isascii() or len(word) < _LEAST_TURNED:
        return
    yield word
    if len(word) < _LEAST:
        for at in range(len(word) - 1):
            yield f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
        return
    yield word[1] + word[0] + word[2:]
    for shape in _DIGITS.get(word[0], _FIRST.get(word[0], "")):
        yield f"^{shape}{word[1:]}"
    for at in _inner(word):
        yield word[:at] + word[at + 1 :]


@lru_cache(maxsize=1024)
def _inner(word: str) -> Sequence[int]:
    """Return the places of a word where a letter may be another, too many, or missing."""
    if not word.isascii() or len(word) < _LEAST:
        return ()
    return tuple(at for at in range(1, len(word)) if word[at:] not in _OTHER_PLACES)
