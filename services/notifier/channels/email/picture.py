"""The badge's picture for a mail: the one that the badge's page shows, as a PNG, since mail clients block SVG."""

import asyncio
import base64
from collections import OrderedDict

from libs.common.errors import BowerbirdError
from libs.common.telemetry import get_logger
from libs.common.workers.jobs import JobEndedError, Runner
from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from services.notifier.channels.email import metrics
from services.notifier.channels.email.drawing import picture_job

SIZE = 200
"""Width and height in CSS pixels; the picture has twice as many, for sharp screens."""

_REMEMBERED = 256
"""Pictures kept, of some 35 kB each: mails of one school come together, and a school awards few badges."""


class Pictures:
    """Draws each picture once, in a worker process, and remembers those asked for last.

    Drawing takes some 45 ms, for which resvg holds the interpreter's lock: the event loop would wait for a thread.
    """

    def __init__(self, workers: Runner, *, entries: int = _REMEMBERED) -> None:
        """Take what runs `picture_job`, and how many pictures to remember."""
        self._workers = workers
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
                known = await self._encoded(badge)
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

    async def _encoded(self, badge: Depiction) -> bytes | None:
        level = None if badge.level is None else badge.level.value
        drawn = (badge.name, badge.issuer, level, badge.level_name, 2 * SIZE)
        try:
            picture = await self._workers.run(picture_job, *drawn, answer=_nothing_asked)
        except (JobEndedError, BowerbirdError) as error:  # the mail can go without
            metrics.PICTURES_MISSING.inc()
            get_logger().error("badge cannot be drawn", problem=type(error).__name__)
            return None
        return base64.encodebytes(picture).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


async def _nothing_asked(question: object) -> None:
    raise TypeError(f"drawing asks nothing, and asked {type(question).__name__}")


def picture_alt(achievement: str, issuer: str, level: SoloLevel | None, level_name: str) -> str:
    """The picture in words: all that is written on it, and how far its steps are lit."""
    steps = "" if level is None else f", {level_name}, {level.rank + 1} of {len(SoloLevel)} steps lit"
    return f"Badge: {achievement}{steps}. {issuer}."
