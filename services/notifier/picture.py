"""The badge's picture for a mail: five steps, lit up to the level reached. A PNG, since mail clients block SVG."""

import io
from functools import cache

from PIL import Image, ImageDraw

from libs.common.results import SoloLevel

WIDTH, HEIGHT = 240, 168
"""Size in CSS pixels; the picture has twice as many, for sharp screens."""

_SCALE = 2
# Drawn four times as large as it is kept: drawing has no smooth edges of its own.
_OVERSAMPLING = 4
_NIGHT, _LIT, _TOP, _UNLIT = "#14285a", "#5aa2ff", "#ffd166", "#2c427c"


@cache
def badge_png(level: SoloLevel | None) -> bytes:
    """The picture of a level; without a level (a score was asked for), all steps are lit."""
    factor = _SCALE * _OVERSAMPLING
    image = Image.new("RGB", (WIDTH * factor, HEIGHT * factor), "white")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, WIDTH * factor - 1, HEIGHT * factor - 1), radius=20 * factor, fill=_NIGHT)
    reached = max(SoloLevel, key=lambda each: each.rank).rank if level is None else level.rank
    for step in SoloLevel:
        left, top = 24 + step.rank * 40, 116 - step.rank * 20
        color = _TOP if step.rank == reached else _LIT if step.rank < reached else _UNLIT
        box = (left * factor, top * factor, (left + 32) * factor, 144 * factor)
        draw.rounded_rectangle(box, radius=6 * factor, fill=color)
    _berry(draw, 24 + reached * 40 + 16, 116 - reached * 20 - 14, factor)
    small = image.resize((WIDTH * _SCALE, HEIGHT * _SCALE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(32).save(file, "PNG", optimize=True)
    return file.getvalue()


def _berry(draw: ImageDraw.ImageDraw, x: int, y: int, factor: int) -> None:
    """A shining blue berry, what a bowerbird collects, on top of the step reached."""
    for radius, color, shift in ((9, "#ffffff", 0), (7, "#2f7bff", 0), (2, "#ffffff", -2)):
        centre_x, centre_y = x + shift, y + shift
        box = (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius)
        draw.ellipse(tuple(edge * factor for edge in box), fill=color)


def badge_alt(level: SoloLevel | None) -> str:
    """The picture in words."""
    if level is None:
        return "Badge picture: five steps, all of them lit."
    return f"Badge picture: five steps, lit up to step {level.rank + 1}, {level.label.lower()}."
