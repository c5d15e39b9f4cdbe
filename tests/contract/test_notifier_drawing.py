"""The mail's picture as a worker process draws it: the one of the badge's page, while the event loop goes on."""

import base64
import struct

from libs.common.stalls import LONGEST_STALL_SECONDS
from libs.contracts.results import SoloLevel
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.raster import badge_png
from services.notifier.channels.email.drawing import picture_workers
from services.notifier.channels.email.picture import SIZE, Pictures
from tests.stalls import watched

BADGE = Depiction("Resilience", "Northside Primary", SoloLevel.RELATIONAL)


async def test_the_picture_is_the_one_of_the_badges_page_and_nobody_waits_while_it_is_drawn() -> None:
    workers = picture_workers()
    await workers.maintain()
    try:
        async with watched() as monitor:
            lines = await Pictures(workers).get(BADGE)
    finally:
        await workers.close()
    assert monitor.held_seconds < LONGEST_STALL_SECONDS / 4
    assert lines is not None
    picture = base64.b64decode(lines)
    assert picture == badge_png(name="Resilience", issuer="Northside Primary", level="relational", size=2 * SIZE)
    assert struct.unpack_from(">II", picture, 16) == (2 * SIZE, 2 * SIZE)
    assert max(len(line) for line in lines.split(b"\r\n")) <= 76, "RFC 2045, section 6.8"
