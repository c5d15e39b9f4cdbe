"""Names that look alike: a name's skeleton by the data of UTS 39, and which of two names could be taken for another."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

from libs.common.text import TextRefusedError, clean_line


def skeleton(name: str) -> str:
    """Return what is left of a name when all that looks alike is written in one way: two names with one look alike.

    It is the skeleton of UTS 39, section 4, with the case and the white space of the name let go of as well, and marks
    upon letters; so it finds more than UTS 39 does, and is to warn and to mark, never to refuse alone.
    """
    try:
        name = clean_line(name)
    except TextRefusedError:
        name = "".join(each for each in name if each.isprintable())
    decomposed = unicodedata.normalize("NFKD", _mapped(unicodedata.normalize("NFD", name)))
    bare = "".join(each for each in decomposed.casefold() if unicodedata.category(each) not in {"Mn", "Me", "Cf"})
    # A capital I is taken for a small l, and its small form is not: of both, and of dotted ones, one is made.
    return "".join(each for each in _mapped(bare) if each.isalnum()).replace("i", "l")


def look_alikes(name: str, others: Iterable[str]) -> list[str]:
    """Return those of the other names that look like this one, whether they are the same or not."""
    own = skeleton(name)
    return [other for other in others if skeleton(other) == own]


def _mapped(text: str) -> str:
    table = _prototypes()
    return "".join([table.get(each, each) for each in text])


@lru_cache(maxsize=1)
def _prototypes() -> Mapping[str, str]:
    """Return by character what stands for it and all that look like it.

    The library's data say of a character which others look like it; characters that do so by way of others are one
    group, as in the table of UTS 39, where all of a group point to one prototype. Which one that is does not matter.
    """
    groups: dict[str, set[str]] = {}
    for one, alike in confusables_data.items():
        merged = {one, *(each["c"] for each in alike)}
        for each in tuple(merged):
            merged |= groups.get(each, set())
        groups.update(dict.fromkeys(merged, merged))
    table = {}
    for each, group in groups.items():
        if len(each) == 1:
            table[each] = max(
                group, key=lambda one: (len(one) > 1 and one.isalpha(), one.isascii(), one.islower(), one)
            )
    # A prototype of several characters is of prototypes itself.
    return {each: "".join(table.get(part, part) for part in to) if len(to) > 1 else to for each, to in table.items()}
