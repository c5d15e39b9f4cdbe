"""Durations as Prometheus writes them, and expressions in which every duration is shortened for a trial. Pure."""

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d+)([smhd])")
# A range, the steps of a subquery, and an offset: all places where a duration stands in an expression.
_IN_EXPRESSION: Final = re.compile(r"(?<=\[)\d+[smhd](?::\d+[smhd])?(?=\])|(?<=offset )\d+[smhd]")


def seconds(duration: str) -> int:
    """Return a duration such as `10m` in seconds.

    Raises:
        ValueError: it is not a number and one of the units s, m, h, d.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is no duration")
    return int(match[1]) * _UNITS[match[2]]


def shortened(duration: str, scale: float) -> str:
    """Return a duration divided by `scale`, in whole seconds and at least one."""
    return duration if scale == 1 else f"{max(1, round(seconds(duration) / scale))}s"


def shortened_expression(expression: str, scale: float, shortest: int) -> str:
    """Return an expression whose ranges, steps and offsets are divided by `scale`.

    Args:
        expression: PromQL.
        scale: 1 leaves all as it is.
        shortest: no range becomes shorter than so many seconds, so that it holds enough samples for a rate.
    """
    if scale == 1:
        return expression

    def shorten(match: re.Match[str]) -> str:
        return ":".join(f"{max(shortest, round(seconds(each) / scale))}s" for each in match[0].split(":"))

    return _IN_EXPRESSION.sub(shorten, expression)
