"""The SOLO taxonomy: the five levels of what a learner showed (Biggs and Collis, 1982), lowest first."""

import re
from enum import StrEnum
from typing import Final, Self

from libs.openbadges.model.errors import CredentialError

# Hyphens and dashes of every kind, spaces, and the dot of an abbreviation.
_BETWEEN_WORDS: Final = re.compile(r"[\s_.\-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+")
_SHORTEST: Final = 3


class SoloLevel(StrEnum):
    """The levels of the Structure of the Observed Learning Outcome, lowest first."""

    PRESTRUCTURAL = "prestructural"
    UNISTRUCTURAL = "unistructural"
    MULTISTRUCTURAL = "multistructural"
    RELATIONAL = "relational"
    EXTENDED_ABSTRACT = "extended_abstract"

    @property
    def rank(self) -> int:
        """0 for prestructural to 4 for extended abstract: levels compare by this, never by name."""
        return _RANKS[self]

    @property
    def label(self) -> str:
        """The level as one writes it for people: `Extended abstract`."""
        return self.value.replace("_", " ").capitalize()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a level as people write it: in any case, in one word or two, or cut short to three letters or more.

        Single letters and numbers are not read: M may stand for a merit, and 4 for the fourth level or the fifth.

        Raises:
            ValueError: it names none of the five levels.
        """
        letters = _BETWEEN_WORDS.sub("", text).lower()
        for level in cls:
            if len(letters) >= _SHORTEST and level.value.replace("_", "").startswith(letters):
                return level
        raise ValueError(f"{text!r} is none of the five levels")


def solo_level(name: str) -> SoloLevel:
    """Return the level of exactly this name.

    Raises:
        CredentialError: `level_unknown`, it is none of the taxonomy.
    """
    try:
        return SoloLevel(name)
    except ValueError as error:
        raise CredentialError("level_unknown", f"{name!r} is not a level of the SOLO taxonomy.") from error


_RANKS = {level: rank for rank, level in enumerate(SoloLevel)}
