"""The picture that goes with a link to a badge (Open Graph's og:image), 1200 by 630 pixels; it names no learner."""

from html import escape
from typing import Final

from libs.openbadges.pictures.drawing import Colours, badge_svg, clean_line, fitted_lines

WIDTH: Final = 1200
HEIGHT: Final = 630
_INK, _SOFT, _RED = "#1b2233", "#545c6e", "#a11520"


def card_svg(*, name: str, issuer: str, level: str | None = None, level_name: str = "", revoked: bool = False) -> str:
    """Return the card as SVG, `WIDTH` by `HEIGHT`.

    It says whether the badge was revoked, and otherwise nothing on whether it is good.

    Args:
        name: of the achievement.
        issuer: its name.
        level: a SOLO level's name.
        level_name: what its author calls it, if not as the taxonomy does.
        revoked: whether the badge was revoked.

    Raises:
        CredentialError: not a SOLO level.
    """
    badge = badge_svg(name=name, issuer=issuer, level=level, level_name=level_name)
    inner = badge[badge.index(">") + 1 :]
    name, issuer = clean_line(name) or "Badge", clean_line(issuer)
    last = "This badge has been revoked" if revoked else "Open the link to check it"
    texts = [
        *(
            _text(line, 220 + 66 * number, 54, _INK, "800")
            for number, line in enumerate(fitted_lines(name, 54, 590, lines=2))
        ),
        *(_text(line, 370, 30, _SOFT, "600") for line in fitted_lines(f"Issued by {issuer}", 30, 600, lines=1)),
        *(_text(line, 470, 30, _RED if revoked else _SOFT, "600") for line in fitted_lines(last, 30, 620, lines=1)),
    ]
    faded = ' opacity=".45"' if revoked else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif"><rect width="{WIDTH}" height="{HEIGHT}" fill="#f5f3ec"/>'
        f'<rect width="{WIDTH}" height="16" fill="{Colours.of(issuer).ground}"/>'
        f'<g text-anchor="middle"{faded}><svg x="50" y="80" width="470" height="470" viewBox="0 0 512 512">{inner}</g>'
        f"{''.join(texts)}</svg>"
    )


def _text(line: str, y: int, size: int, ink: str, weight: str) -> str:
    return f'<text x="560" y="{y}" font-size="{size}" font-weight="{weight}" fill="{ink}">{escape(line)}</text>'
