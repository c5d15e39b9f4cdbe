"""The SOLO taxonomy: the five levels of what a learner showed (Biggs and Collis, 1982), lowest first."""

from enum import StrEnum
from typing import Self

from libs.openbadges.model.errors import CredentialError


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
        """Read a level as people write it: any case, space or hyphen for the underscore.

        Raises:
            ValueError: it names none of the five levels.
        """
        return cls(text.strip().lower().replace(" ", "_").replace("-", "_"))


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
