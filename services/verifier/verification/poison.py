"""Documents that were too costly to verify, by their digest, so that sending one again costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from cachetools import TTLCache

from libs.openbadges.model.budget import TOO_COSTLY
from libs.openbadges.verify import Check, PresentationReport, Report

_REMEMBERED: Final = 1024
_SECONDS: Final = 600
_COSTLY: Final = frozenset({TOO_COSTLY, "too_symmetric"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a job told before it verified, and its report in short."""

    told: object
    report: Report | PresentationReport


class KnownPoison:
    """What was found about documents that were given up, for ten minutes; the thousand that came last."""

    def __init__(self) -> None:
        self._known: TTLCache[bytes, Remembered] = TTLCache(_REMEMBERED, _SECONDS)

    @staticmethod
    def key(job: str, sent: Sequence[str | bytes | None]) -> bytes:
        """Return by what a document is remembered with what was asked about it: a digest, of no use to a reader."""
        digest = sha256(job.encode())
        for one in sent:
            part = one if isinstance(one, bytes) else repr(one).encode()
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def find(self, key: bytes) -> Remembered | None:
        """Return what was remembered under a key."""
        return self._known.get(key)

    def remember(
        self, key: bytes, told: object, report: Report | PresentationReport, brief: Report | PresentationReport
    ) -> None:
        """Remember the report on a document, if that was too costly: its own checks, without what is in it.

        Args:
            key: from `key`.
            told: what its job told before it verified.
            report: what was found.
            brief: what is remembered where the document's own checks do not tell the verdict.
        """
        if not is_costly(report):
            return
        short: Report | PresentationReport
        if isinstance(report, Report):
            short = replace(report, credential=None, embedded=(), endorsements=())
        else:
            short = replace(report, presentation=None, credentials=())
        self._known[key] = Remembered(told, short if short.verdict == report.verdict else brief)


def is_costly(report: Report | PresentationReport) -> bool:
    """Return whether a document, or anything in it, was given up because it costs too much."""
    inner: list[Report] = []
    if isinstance(report, Report):
        inner = [*report.embedded, *(one.report for one in report.endorsements)]
    else:
        inner = list(report.credentials)
    return any(map(_gave_up, report.checks)) or any(map(is_costly, inner))


def _gave_up(check: Check) -> bool:
    return check.code in _COSTLY
