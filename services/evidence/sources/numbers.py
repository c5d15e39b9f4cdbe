"""Numbers as the text that everybody reads alike: an id is never a fraction, and 1001.0 is 1001. Pure."""

from decimal import Decimal
from typing import Final

from libs.openbadges.jsonld.parsing import LARGEST_NUMBER
from services.evidence.sources.refusals import Reason, Refusal

# The power of ten of a fraction that is written out.
_SMALLEST: Final = -40


def number_text(name: str, value: int | Decimal) -> str | None:
    """Return a number in this column as text, the same however it was written; None where it may not be exact.

    An integer beyond 2^53 is not the same to every reader (RFC 7493, section 2.2), and a fraction names nobody.
    """
    if not value:
        return "0"
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return None
    if isinstance(value, int) or value == value.to_integral_value():
        return str(int(value))
    if name != "score":
        return None
    # So small a score is none: left as it is written, without all its zeros.
    return format(value, "f") if value.adjusted() > _SMALLEST else str(value)


def number_refused(name: str | None) -> Refusal:
    """Return the refusal of a number that `number_text` does not take."""
    return Refusal(
        Reason.NUMBER_FORM,
        name,
        "A number beyond 2^53 or with a fraction is not the same id to every program; write it as text, in quotes.",
    )
