"""The order of a scale's levels: by their points, since no proof covers the order in which an array lists them."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")


def order_of(points: Sequence[object]) -> tuple[int, ...] | None:
    """Return the places of the levels, lowest first; None where their points do not tell which is lower.

    A JSON-LD array is a set: it can be reordered, and a level repeated in it, without a change to what is signed
    (Open Badges 3.0, context, `rubricCriterionLevel`; JSON-LD 1.1, section 4.3.1). So every level needs a number of
    its own.

    Args:
        points: what each level has as its points, in the order of the array (class RubricCriterionLevel).
    """
    numbers = [Decimal(each) for each in points if isinstance(each, str) and _NUMBER.fullmatch(each)]
    if len(numbers) < len(points) or len(set(numbers)) < len(numbers):
        return None
    return tuple(sorted(range(len(numbers)), key=numbers.__getitem__))
