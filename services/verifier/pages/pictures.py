"""The pictures of a badge of ours: its credential baked into SVG and PNG, and the card that goes with a link to it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import TypedDict, TypeVar

import segno

from libs.common.client_address import CLIENT
from libs.common.errors import UnavailableError
from libs.common.workers.jobs import JobEndedError, Runner
from libs.common.workers.turns import Places, Turns
from libs.openbadges.baking import bake
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.pictures.card import HEIGHT, WIDTH, card_svg
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.drawing import badge_svg
from services.verifier.material.cache import ShortMemory
from services.verifier.pages.rasterizing import raster_job

T = TypeVar("T")

_REMEMBERED_SECONDS = 600
# Some 100 kB each.
_REMEMBERED = 128
_MOST_WAITING = 128
_PIXELS = 512
# Of some 100 kB each, too.
_DRAWINGS = 64


class Pictures:
    """Draws pixels in a worker process and all else in a thread; addresses take turns at both.

    Whoever asks for a picture while it is drawn gets the same one.

    Pictures are remembered by the signed text that they show, so none outlives a change of it.
    """

    def __init__(self, workers: Runner) -> None:
        """Take what runs `raster_job`; no thread of ours may, since the event loop would stand still meanwhile."""
        self._workers = workers
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._places, self._turns = Places(_MOST_WAITING), Turns(1)
        # Badges of one achievement, issuer and level look alike: such a picture is drawn once for all of them.
        self._badges = self._pixels(_PIXELS, _PIXELS)
        self._cards = self._pixels(WIDTH, HEIGHT)
        self._svg = _memory(partial(self._in_thread, _baked_svg))
        self._png = _memory(self._baked_png)
        self._card = _memory(partial(self._drawn_card, revoked=False))
        self._revoked_card = _memory(partial(self._drawn_card, revoked=True))
        self._qr_code = _memory(partial(self._in_thread, _qr_code))

    async def svg(self, text: str) -> bytes:
        """Return the badge's drawing as SVG, with the credential in it; `text` is the signed document.

        Raises:
            UnavailableError: more pictures are waiting than can be drawn soon.
        """
        return await self._svg.get(text)

    async def png(self, text: str) -> bytes:
        """Return it as PNG, with the credential in it; raises as `svg` does."""
        return await self._png.get(text)

    async def card(self, text: str, *, revoked: bool) -> bytes:
        """Return the card that goes with a link; raises as `svg` does."""
        return await (self._revoked_card if revoked else self._card).get(text)

    async def qr_code(self, url: str) -> bytes:
        """Return a URL as a QR code in SVG; raises as `svg` does."""
        return await self._qr_code.get(url)

    async def _baked_png(self, text: str) -> bytes:
        picture = await self._badges.get(await self._in_thread(_badge, text))
        return await self._in_thread(_baked, picture, text)

    async def _drawn_card(self, text: str, *, revoked: bool) -> bytes:
        return await self._cards.get(await self._in_thread(_card, text, revoked))

    def _pixels(self, width: int, height: int) -> ShortMemory[bytes]:
        async def drawn(drawing: str) -> bytes:
            try:
                return await self._workers.run(raster_job, drawing, width, height, answer=_nothing_asked)
            except JobEndedError as error:
                raise UnavailableError("the picture could not be drawn in time; try again") from error

        return ShortMemory(drawn, seconds=_REMEMBERED_SECONDS, entries=_DRAWINGS)

    async def _in_thread(self, make: Callable[..., T], *arguments: object) -> T:
        client = CLIENT.get()
        with self._places.place(client):
            async with self._turns.turn(client):
                return await asyncio.get_running_loop().run_in_executor(self._pool, make, *arguments)


def _memory(draw: Callable[[str], Awaitable[bytes]]) -> ShortMemory[bytes]:
    return ShortMemory(draw, seconds=_REMEMBERED_SECONDS, entries=_REMEMBERED)


async def _nothing_asked(question: object) -> None:
    raise TypeError(f"drawing asks nothing, and asked {type(question).__name__}")


def _badge(text: str) -> str:
    return badge_svg(**_shown(text))


def _card(text: str, revoked: bool) -> str:
    return card_svg(**_shown(text), revoked=revoked)


def _baked_svg(text: str) -> bytes:
    return _baked(_badge(text).encode(), text)


def _qr_code(url: str) -> bytes:
    # Level Q: a fold or a stamp on paper takes less than a quarter of it.
    written = BytesIO()
    code = segno.make(url, error="q", micro=False)
    code.save(written, kind="svg", border=4, xmldecl=False, omitsize=True, light="#fff")
    return written.getvalue()


def _baked(picture: bytes, text: str) -> bytes:
    with suppress(CredentialError):
        return bake(picture, text)
    return picture


class _Words(TypedDict):
    """What a picture is drawn from."""

    name: str
    issuer: str
    level: str | None
    level_name: str


def _shown(text: str) -> _Words:
    """Return what to draw; a document that cannot be read has nothing to show."""
    try:
        shown = Depiction.of(parse(text))
    except CredentialError:
        shown = Depiction("", "")
    return {"name": shown.name, "issuer": shown.issuer, "level": shown.level, "level_name": shown.level_name}
