"""The badge's picture for a mail: the one that the badge's page shows, as a PNG, since mail clients block SVG."""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Callable

from libs.common.telemetry import get_logger
from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.raster import badge_png
from services.notifier.channels.email import metrics

SIZE = 200
"""Width and height in CSS pixels; the picture has twice as many, for sharp screens."""

_REMEMBERED = 256
"""Pictures kept, of some 35 kB each: mails of one school come together, and a school awards few badges."""


class Pictures:
    """Draws each picture once and remembers those asked for last.

    Drawing takes some 45 ms, for which resvg holds the interpreter's lock and the event loop waits: one picture after
    another in a thread, so that it never waits for two. Only mails of ours ask for pictures here.
    """

    def __init__(self, draw: Callable[[Depiction], bytes] | None = None, *, entries: int = _REMEMBERED) -> None:
        self._draw = draw or _draw
        self._entries = entries
        self._drawn: OrderedDict[Depiction, bytes] = OrderedDict()
        self._drawing = asyncio.Lock()

    async def get(self, badge: Depiction) -> bytes | None:
        """The PNG in base64, lines ended by CRLF, as a mail carries it; None where it cannot be drawn."""
        known = self._known(badge)
        if known is not None:
            return known
        async with self._drawing:
            known = self._known(badge)  # who waited here may find it drawn
            if known is None:
                known = await asyncio.to_thread(self._encoded, badge)
                if known is not None:
                    self._remember(badge, known)
            return known

    def _known(self, badge: Depiction) -> bytes | None:
        known = self._drawn.get(badge)
        if known is not None:
            self._drawn.move_to_end(badge)
        return known

    def _remember(self, badge: Depiction, picture: bytes) -> None:
        self._drawn[badge] = picture
        if len(self._drawn) > self._entries:
            self._drawn.popitem(last=False)

    def _encoded(self, badge: Depiction) -> bytes | None:
        try:
            picture = self._draw(badge)
        except BaseException as error:  # noqa: BLE001  # so does the library panic; the mail can go without
            metrics.PICTURES_MISSING.inc()
            get_logger().error("badge cannot be drawn", problem=type(error).__name__)
            return None
        return base64.encodebytes(picture).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _draw(badge: Depiction) -> bytes:
    return badge_png(
        name=badge.name, issuer=badge.issuer, level=badge.level, level_name=badge.level_name, size=2 * SIZE
    )


def picture_alt(achievement: str, issuer: str, level: SoloLevel | None, level_name: str) -> str:
    """The picture in words: all that is written on it, and how far its steps are lit."""
    steps = "" if level is None else f", {level_name}, {level.rank + 1} of {len(SoloLevel)} steps lit"
    return f"Badge: {achievement}{steps}. {issuer}."
