"""The badge's picture for a mail: five steps, lit up to the level reached. A PNG, since mail clients block SVG."""

import io
from functools import cache

from PIL import Image, ImageColor, ImageDraw

from libs.common.results import SoloLevel
from libs.openbadges.picture import Colours

WIDTH, HEIGHT = 240, 168
"""Size in CSS pixels; the picture has twice as many, for sharp screens."""

_SCALE = 2
# Drawn twice as large as it is kept: drawing has no smooth edges of its own.
_OVERSAMPLING = 2
_PALE = 0.22
"""How much white lies over the ground where a step is not reached yet."""


def badge_png(level: SoloLevel | None, issuer: str) -> bytes:
    """The picture of a level in the issuer's colours, which are those of its badges' pages.

    Without a level (the badge asked for a score) all steps are lit.
    """
    return _drawn(level, Colours.of(issuer))


@cache  # issuers share a handful of palettes
def _drawn(level: SoloLevel | None, colours: Colours) -> bytes:
    ground, shine = ImageColor.getrgb(colours.ground), ImageColor.getrgb(colours.shine)
    unlit = tuple(round(channel + (255 - channel) * _PALE) for channel in ground)
    factor = _SCALE * _OVERSAMPLING
    image = Image.new("RGB", (WIDTH * factor, HEIGHT * factor), "white")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, WIDTH * factor - 1, HEIGHT * factor - 1), radius=20 * factor, fill=ground)
    reached = max(each.rank for each in SoloLevel) if level is None else level.rank
    for step in SoloLevel:
        left, top = _corner(step.rank)
        box = (left * factor, top * factor, (left + 32) * factor, 144 * factor)
        draw.rounded_rectangle(box, radius=6 * factor, fill=shine if step.rank <= reached else unlit)
    left, top = _corner(reached)
    _berry(draw, left + 16, top - 14, factor)
    small = image.resize((WIDTH * _SCALE, HEIGHT * _SCALE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(32).save(file, "PNG", optimize=True)
    return file.getvalue()


def _corner(rank: int) -> tuple[int, int]:
    """Left and top of a step."""
    return 24 + rank * 40, 116 - rank * 20


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
