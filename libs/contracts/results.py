"""What a learner showed: a level of the SOLO taxonomy (Biggs and Collis, 1982) or a score."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.openbadges.model.solo import SoloLevel

__all__ = ["Result", "SoloLevel"]


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
