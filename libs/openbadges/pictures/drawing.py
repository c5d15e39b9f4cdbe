"""A badge's picture where the issuer has none: SVG drawn from name, level, issuer and colours, always the same."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Final

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.solo import SoloLevel, solo_level

_FONT: Final = "'Segoe UI','Helvetica Neue',Helvetica,'Noto Sans',Arial,'DejaVu Sans',sans-serif"
_OPENING: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512" width="512" height="512" role="img" '
    f'font-family="{_FONT}" text-anchor="middle">'
)
_PALETTES: Final = (
    ("#1f3a68", "#f2b134"),
    ("#0f5257", "#f4a259"),
    ("#5b2a86", "#f7c548"),
    ("#7a1f3d", "#f2c14e"),
    ("#234f1e", "#f6bd60"),
    ("#2b2d42", "#ef8354"),
    ("#134074", "#7bdff2"),
    ("#6b2d0f", "#f9c784"),
)
_LONGEST: Final = 500
"""Characters of a name that are looked at: far more than fit, and few enough to measure one by one."""
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}\Z")


@dataclass(frozen=True, slots=True)
class Colours:
    """The badge's ground and the colour that shines on it, as #rrggbb.

    Raises:
        CredentialError: another form of colour.
    """

    ground: str
    shine: str

    def __post_init__(self) -> None:
        """Let nothing but colours into the picture's text."""
        for colour in (self.ground, self.shine):
            if not _COLOUR.match(colour):
                raise CredentialError("colour_form", f"{colour!r} is not a colour like #1f3a68.")

    @classmethod
    def of(cls, issuer: str) -> "Colours":
        """Choose an issuer's colours by its name, the same every time."""
        return cls(*_PALETTES[hashlib.sha256(issuer.encode()).digest()[0] % len(_PALETTES)])


def badge_svg(
    *, name: str, issuer: str, level: str | None = None, level_name: str = "", colours: Colours | None = None
) -> str:
    """Draw a badge, 512 by 512 units.

    What must be seen at 64 pixels (initials, steps of the level) is large; names are for larger sizes. Long names
    are broken into two lines, then cut. Nothing in the texts can become markup.

    Args:
        name: of the achievement.
        issuer: its name.
        level: a SOLO level's name, shown as so many of five steps; None for an achievement without levels.
        level_name: what its author calls the level, if not as the taxonomy does.
        colours: the issuer's; chosen by its name where it has none.

    Raises:
        CredentialError: not a SOLO level.
    """
    reached = None if level is None else solo_level(level)
    name, issuer = clean_line(name) or "Badge", clean_line(issuer)
    paint = colours or Colours.of(issuer)
    ink = "#ffffff" if _luminance(paint.ground) < 0.4 else "#14213d"
    band_ink = "#14213d" if _luminance(paint.shine) > 0.18 else "#ffffff"
    called = (clean_line(level_name) or reached.label) if reached else ""
    title = f"{name}, {called}" if called else name
    parts = [
        _OPENING,
        f"<title>{escape(f'{title} ({issuer})' if issuer else title)}</title>",
        _ground(paint),
        _issuer(issuer, ink) if issuer else "",
        _monogram(name, ink, 204 if reached else 256),
        _steps(reached, paint.shine, ink) if reached else "",
        _band(name, paint, band_ink),
        _level(called, ink) if called else "",
        "</svg>",
    ]
    return "".join(parts)


def _ground(paint: Colours) -> str:
    """Draw the disc with its light and its inner line."""
    name = f"ground-{paint.ground[1:]}"  # pictures that stand in one page share it only where it is the same
    light, dark = _mix(paint.ground, "#ffffff", 0.22), _mix(paint.ground, "#000000", 0.28)
    return (
        f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{light}"/><stop offset=".55" stop-color="{paint.ground}"/>'
        f'<stop offset="1" stop-color="{dark}"/></linearGradient></defs>'
        f'<circle cx="256" cy="252" r="228" fill="url(#{name})" stroke="{paint.shine}" stroke-width="20"/>'
        f'<circle cx="256" cy="252" r="208" fill="none" stroke="{paint.shine}" stroke-opacity=".45" stroke-width="3"/>'
    )


def _issuer(name: str, ink: str) -> str:
    """Write the issuer's name along the top, smaller where it is long."""
    size = 21 if fitted_lines(name, 21, 258, lines=1) == [name] else 17
    return _line(fitted_lines(name, size, 262, lines=1), 103, size, 262, ink=ink, weight="600", opacity=".85")


def _monogram(name: str, ink: str, baseline: int) -> str:
    """Draw the initials of the name's first and last word, large enough for an icon."""
    words = [word for word in re.split(r"[\s\-\u2013\u2014/]+", name) if word and word[0].isalnum()] or [name]
    initials = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    size = 118 if len(initials) == 1 else 102
    return (
        f'<text x="256" y="{baseline}" font-size="{size}" font-weight="800" fill="{ink}" letter-spacing="-2">'
        f"{escape(initials.upper())}</text>"
    )


def _steps(reached: SoloLevel, shine: str, ink: str) -> str:
    """Draw a stair of five steps, those that were climbed in full colour."""
    steps = []
    for number in range(len(SoloLevel)):
        height = 20 + 15 * number
        paint = f'fill="{shine}"' if number <= reached.rank else f'fill="{ink}" fill-opacity=".22"'
        steps.append(f'<rect x="{131 + 51 * number}" y="{295 - height}" width="46" height="{height}" rx="5" {paint}/>')
    return "".join(steps)


def _level(called: str, ink: str) -> str:
    """Write the level's name below the ribbon, where the disc is narrow: a long one smaller, in two lines."""
    if fitted_lines(called, 23, 220, lines=1) == [called]:
        return _line([called], 423, 23, 220, ink=ink, weight="600")
    return _line(fitted_lines(called, 17, 196, lines=2), 414, 17, 200, ink=ink, weight="600", step=20)


def _band(name: str, paint: Colours, ink: str) -> str:
    """Draw the ribbon that bears the name."""
    dark = _mix(paint.shine, "#000000", 0.38)
    lines = fitted_lines(name, 40, 400, lines=1)
    size, first = 40, 362
    if len(lines) > 1 or lines[0] != name:
        lines = fitted_lines(name, 31, 404, lines=2)
        size, first = 31, 343 if len(lines) == 2 else 360
    return (
        f'<path d="M4 334H70V412H4L24 373ZM508 334H442V412H508L488 373Z" fill="{dark}"/>'
        f'<rect x="36" y="308" width="440" height="82" rx="8" fill="{paint.shine}"/>'
        + _line(lines, first, size, 412, ink=ink, weight="800", step=36)
    )


def _line(
    lines: list[str], first: int, size: int, width: int, *, ink: str, weight: str, step: int = 0, opacity: str = "1"
) -> str:
    """Write lines of text; one that might be too wide in the reader's font is squeezed to fit."""
    written = []
    for number, line in enumerate(lines):
        squeeze = f' textLength="{width}" lengthAdjust="spacingAndGlyphs"' if _width(line, size) > width * 0.97 else ""
        written.append(
            f'<text x="256" y="{first + step * number}" font-size="{size}" font-weight="{weight}" fill="{ink}" '
            f'fill-opacity="{opacity}"{squeeze}>{escape(line)}</text>'
        )
    return "".join(written)


def fitted_lines(text: str, size: int, width: int, *, lines: int) -> list[str]:
    """Break a text into at most so many lines of a width; what is left over becomes an ellipsis."""
    fitted: list[str] = []
    rest = text
    while rest and len(fitted) < lines:
        cut = len(rest)
        while _width(rest[:cut], size) > width:
            cut -= 1
        if cut < len(rest):
            space = rest.rfind(" ", 0, cut + 1)
            if len(fitted) == lines - 1:
                while cut > 1 and _width(rest[:cut] + "…", size) > width:
                    cut -= 1
                return [*fitted, rest[:cut].rstrip() + "…"]
            cut = space if space > 0 else max(cut, 1)
        fitted.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return fitted


def _width(text: str, size: int) -> float:
    """Estimate a bold text's width on the generous side; fonts differ between readers."""
    units = 0.0
    for character in text:
        if unicodedata.combining(character):
            continue
        if unicodedata.east_asian_width(character) in "WF":
            units += 1.0
        elif character in " .,:;!|'iljtfrI":
            units += 0.34
        elif character in "mwMW@%…":
            units += 0.9
        else:
            units += 0.68 if character.isupper() else 0.58
    return units * size


def clean_line(text: str) -> str:
    """Make one line of a text, without the characters that XML cannot hold or that reorder what follows."""
    line = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text[:_LONGEST])
    return " ".join(line.split())


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mix(colour: str, other: str, share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_channels(colour), _channels(other), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2), 0 for black, 1 for white."""
    linear = [
        channel / 255 / 12.92 if channel <= 10 else ((channel / 255 + 0.055) / 1.055) ** 2.4
        for channel in _channels(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
