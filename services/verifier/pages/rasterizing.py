"""The job of drawing a picture in pixels, which holds the interpreter all the while: worker processes run it."""

from libs.common.workers.jobs import Job
from libs.openbadges.pictures.raster import rasterized


def raster_job(drawing: str, width: int, height: int) -> Job[bytes]:
    """Return an SVG drawing of ours as PNG of so many pixels; asks nothing."""
    yield from ()
    return rasterized(drawing, width, height)


def warm_up() -> None:
    """Nothing is to be made beforehand: importing this is all, and fonts are read for each picture."""
