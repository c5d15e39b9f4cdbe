"""On what occasions a learner is told something about a credential."""

from enum import StrEnum


class Occasion(StrEnum):
    """One delivery for each of a credential's; the id of a delivery is derived from both."""

    ISSUED = "issued"
    REVOKED = "revoked"
    TAKEN_DOWN = "taken_down"
