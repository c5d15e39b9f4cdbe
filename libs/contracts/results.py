"""What a learner showed: a level of the SOLO taxonomy (Biggs and Collis, 1982) or a score."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SoloLevel(StrEnum):
    """The five levels of the Structure of the Observed Learning Outcome, lowest first."""

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
        """The level as one writes it in a sentence: `Extended abstract`."""
        return self.value.replace("_", " ").capitalize()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a level as people write it: any case, space or hyphen for the underscore.

        Raises:
            ValueError: it names none of the five levels.
        """
        return cls(text.strip().lower().replace(" ", "_").replace("-", "_"))


_RANKS = {level: rank for rank, level in enumerate(SoloLevel)}


class Result(BaseModel):
    """Exactly one of a SOLO level and a score from 0 to 100."""

    model_config = ConfigDict(frozen=True)

    level: SoloLevel | None = None
    score: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.level is None) == (self.score is None):
            raise ValueError("give either a level or a score")
        return self
