"""Which representation a client prefers: the Accept header of RFC 9110, section 12.5.1.

By hand: python-mimeparse, the one small library that is kept, refuses the whole header for one range that it cannot
read, and knows no limit to their number.
"""

import re
from collections.abc import Sequence

from libs.common.errors import NotAcceptableError

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# A header longer than this is no list of preferences; it is read as far as this.
_MOST_RANGES = 50


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """Return the offer with the highest quality; among equals the one that stands first in `offers`.

    The most specific range decides about an offer, whatever the order. A range that cannot be read is passed over;
    no header, or none that can be read, means that anything will do.

    Raises:
        NotAcceptableError: every offer has quality 0.
    """
    ranges = _ranges(accept or "")
    if not ranges:
        return offers[0]
    qualities = [_quality(offer, ranges) for offer in offers]
    best = max(qualities)
    if best == 0:
        raise NotAcceptableError(f"this is available as {', '.join(offers)}")
    return offers[qualities.index(best)]


def _quality(offer: str, ranges: dict[str, float]) -> float:
    kind = offer.partition("/")[0]
    for candidate in (offer, f"{kind}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges and their quality. Parameters other than q narrow nothing: our offers have none."""
    found: dict[str, float] = {}
    for part in accept.lower().split(",")[:_MOST_RANGES]:
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        kind, slash, subtype = media_range.partition("/")
        if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype) or (kind == "*" != subtype):
            continue
        quality = next(
            (value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"), "1"
        )
        if _QUALITY.fullmatch(quality):
            found[media_range] = max(float(quality), found.get(media_range, 0))
    return found
