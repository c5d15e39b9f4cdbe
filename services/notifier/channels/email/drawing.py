"""The job of drawing a mail's picture, which holds the interpreter all the while: a worker process runs it."""

from libs.common.workers.jobs import Job, JobLimits
from libs.common.workers.pool import WorkerPool
from libs.openbadges.pictures.raster import badge_png

# More mails of different badges may wait for theirs than are ever sent at once.
_WAITING = 1_000


def picture_job(name: str, issuer: str, level: str | None, level_name: str, size: int) -> Job[bytes]:
    """Return the badge's picture as PNG of so many pixels; asks nothing."""
    yield from ()
    return badge_png(name=name, issuer=issuer, level=level, level_name=level_name, size=size)


def warm_up() -> None:
    """Nothing is to be made beforehand: importing this is all, and fonts are read for each picture."""


def picture_workers() -> WorkerPool:
    """Return the process that draws pictures; it starts when it is asked for first."""
    limits = JobLimits(cpu_seconds=1, seconds=10)
    return WorkerPool(__name__, packages=(), workers=1, waiting=_WAITING, limits=limits)
