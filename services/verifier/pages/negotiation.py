"""Which representation a client prefers: the Accept header of RFC 9110, section 12.5.1.

By hand: python-mimeparse, the one small library that is kept, refuses the whole header for one range that it cannot
read, and knows no limit to their number.
"""

import re
from collections.abc import Mapping, Sequence

from libs.common.errors import NotAcceptableError

# With `.5` for `0.5`, which Java's own client sends.
_QUALITY = re.compile(r"0?\.\d{1,3}|0\.?|1(?:\.0{0,3})?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# What stands between two separators, where those inside a quoted string separate nothing. One that does not end goes to
# the end of all, and nothing is tried twice: a header of quotation marks costs no more than another one.
_QUOTED = r'"(?:[^"\\]|\\.|\\\Z)*+(?:"|\Z)'
_RANGE = re.compile(rf'(?:{_QUOTED}|[^,"])++', re.DOTALL)
_PARAMETER = re.compile(rf'(?:{_QUOTED}|[^;"])++', re.DOTALL)
# A header longer than this is no list of preferences; it is read as far as this.
_MOST_RANGES, _MOST_CHARACTERS = 50, 4_000


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """Return the offer that the client prefers.

    The most specific range decides about the quality of an offer, whatever the order. Among offers of equal quality,
    one that the client names goes before one that it takes among others (`application/json, */*` asks for JSON); among
    these the one that the client names first, then the one that stands first in `offers`. A range that cannot be read
    is passed over; no header, or none that can be read, means that anything will do.

    Raises:
        NotAcceptableError: every offer has quality 0.
    """
    ranges = _ranges(accept or "")
    if not ranges:
        return offers[0]
    ranked = [_rank(offer, ranges) for offer in offers]
    best = max(ranked)
    if best[0] == 0:
        raise NotAcceptableError(f"this is available as {', '.join(offers)}")
    return offers[ranked.index(best)]


def _rank(offer: str, ranges: Mapping[str, tuple[float, int]]) -> tuple[float, int, int]:
    """Return quality, how specific the range is that gives it, and how early that range stands."""
    kind = offer.partition("/")[0]
    for specific, candidate in ((2, offer), (1, f"{kind}/*"), (0, "*/*")):
        if candidate in ranges:
            quality, place = ranges[candidate]
            return quality, specific, -place
    return 0, 0, 0


def _ranges(accept: str) -> dict[str, tuple[float, int]]:
    """Media ranges, each with its quality and place. Other parameters than q narrow nothing: our offers have none."""
    found: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(_RANGE.findall(accept[:_MOST_CHARACTERS].lower())[:_MOST_RANGES]):
        media_range, *parameters = (piece.strip() for piece in _PARAMETER.findall(part) or [""])
        media_range = "*/*" if media_range == "*" else media_range
        kind, slash, subtype = media_range.partition("/")
        if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype) or (kind == "*" != subtype):
            continue
        quality = next(
            (value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"), "1"
        )
        if _QUALITY.fullmatch(quality):
            before, first = found.get(media_range, (0.0, place))
            found[media_range] = max(float(quality), before), first
    return found
