"""The pictures of a badge of ours: its credential baked into SVG and PNG, and the card that goes with a link to it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO
from typing import TypedDict

import segno

from libs.common.errors import UnavailableError
from libs.openbadges.baking import bake
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.pictures.card import card_png
from libs.openbadges.pictures.description import Depiction
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from services.verifier.material.cache import ShortMemory

_REMEMBERED_SECONDS = 600
# Some 100 kB each.
_REMEMBERED = 128
_MOST_WAITING = 64
_PIXELS = 512
# Of some 100 kB each, too.
_DRAWINGS = 64


class Pictures:
    """Draws in a thread of its own, which waits for nobody's uploads; whoever asks meanwhile gets the same picture.

    Pictures are remembered by the signed text that they show, so none outlives a change of it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._waiting = 0
        self._svg = self._memory(_baked_svg)
        # Badges of one achievement, issuer and level look alike: such a picture is drawn once for all of them.
        self._png = self._memory(partial(_baked_png, lru_cache(_DRAWINGS)(_drawn_png)))
        cards = lru_cache(_DRAWINGS)(_drawn_card)
        self._card = self._memory(partial(_card, cards, revoked=False))
        self._revoked_card = self._memory(partial(_card, cards, revoked=True))
        self._qr_code = self._memory(_qr_code)

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

    def _memory(self, draw: Callable[[str], bytes]) -> ShortMemory[bytes]:
        async def drawn(text: str) -> bytes:
            if self._waiting >= _MOST_WAITING:
                raise UnavailableError("more pictures are waiting than can be drawn soon; try again")
            self._waiting += 1
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, draw, text)
            finally:
                self._waiting -= 1

        return ShortMemory(drawn, seconds=_REMEMBERED_SECONDS, entries=_REMEMBERED)


def _baked_svg(text: str) -> bytes:
    return _baked(badge_svg(**_shown(text)).encode(), text)


def _baked_png(draw: Callable[..., bytes], text: str) -> bytes:
    return _baked(draw(**_shown(text)), text)


def _drawn_png(*, name: str, issuer: str, level: str | None, level_name: str) -> bytes:
    return badge_png(name=name, issuer=issuer, level=level, level_name=level_name, size=_PIXELS)


def _card(draw: Callable[..., bytes], text: str, *, revoked: bool) -> bytes:
    return draw(**_shown(text), revoked=revoked)


def _drawn_card(*, name: str, issuer: str, level: str | None, level_name: str, revoked: bool) -> bytes:
    return card_png(name=name, issuer=issuer, level=level, level_name=level_name, revoked=revoked)


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
