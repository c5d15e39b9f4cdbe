"""A badge's drawn picture as PNG, with the fonts that the package carries, so that it looks the same everywhere."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import resvg_py

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.pictures.drawing import Colours, badge_svg

SMALLEST: Final = 16
LARGEST: Final = 2048

_FONTS: Final = resources.files("libs.openbadges") / "data" / "fonts"
_BUNDLED: Final = (
    "NotoSans-Bold.ttf",
    "NotoSansArabic-Bold.ttf",
    "NotoSansDevanagari-Bold.ttf",
    "NotoSansHebrew-Bold.ttf",
    "NotoSansTamil-Bold.ttf",
    "NotoSansThai-Bold.ttf",
    "DroidSansFallback.ttf",
)
"""Latin, Greek, Cyrillic; the scripts named; and Chinese, Japanese and Korean in the last."""


def badge_png(
    *,
    name: str,
    issuer: str,
    level: str | None = None,
    level_name: str = "",
    colours: Colours | None = None,
    size: int = 512,
    fonts: Sequence[Path] = (),
) -> bytes:
    """Draw the badge of `badge_svg` in pixels, on a transparent ground; the same arguments give the same bytes.

    It takes some tens of milliseconds, most of them for reading fonts: keep the result.

    Args:
        name: of the achievement.
        issuer: its name.
        level: a SOLO level's name.
        level_name: what its author calls it, if not as the taxonomy does.
        colours: the issuer's; chosen by its name where it has none.
        size: width and height in pixels, `SMALLEST` to `LARGEST`; at 64 the initials and the steps can be read.
        fonts: font files for scripts beyond those bundled; a character that no font has is drawn as a box.

    Raises:
        CredentialError: not a SOLO level, a size out of bounds, or a font that does not exist.
    """
    if not SMALLEST <= size <= LARGEST:
        raise CredentialError("picture_size", f"A badge is drawn {SMALLEST} to {LARGEST} pixels wide, not {size}.")
    for font in fonts:
        if not font.is_file():
            raise CredentialError("font_missing", f"There is no font {font}.")
    drawing = badge_svg(name=name, issuer=issuer, level=level, level_name=level_name, colours=colours)
    return rasterized(drawing, size, size, fonts)


def rasterized(drawing: str, width: int, height: int, fonts: Sequence[Path] = ()) -> bytes:
    """Return an SVG drawing of ours as PNG of so many pixels, with the bundled fonts and those given.

    No other thread of the process goes on meanwhile: resvg keeps the interpreter's lock. What may not wait for that
    draws in a process of its own.
    """
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=drawing,
            width=width,
            height=height,
            skip_system_fonts=True,
            font_files=[str(_FONTS / name) for name in _BUNDLED] + [str(font) for font in fonts],
            font_family="Noto Sans",
            sans_serif_family="Noto Sans",
        )
    )
