"""The job of verifying many documents, one a line (NDJSON), within what one request is given."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.errors import BowerbirdError
from libs.common.workers.jobs import Job
from libs.openbadges.model.budget import shared_budget
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.trust.name_search import NameSearch
from libs.openbadges.verify import Report
from services.verifier.verification.jobs import credential_job
from services.verifier.verification.submission import read_request

LINE_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class LineBegun:
    """The job tells that it looks at a line, so that it is known which one ended it. Not answered."""

    number: int


@dataclass(frozen=True, slots=True)
class BadgeWanted:
    """The job asks for the signed document of a badge of ours; None leaves the line out."""

    badge_id: UUID


@dataclass(frozen=True, slots=True)
class LineDone:
    """The job tells what it found of a line; False ends it.

    Attributes:
        number: of the line.
        found: the report, or why the line cannot be read.
    """

    number: int
    found: Report | BowerbirdError


def numbered_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Go through the lines that are not empty, each with its number in the body, from 1."""
    for number, line in enumerate(body.split(b"\n"), 1):
        if stripped := line.strip():
            yield number, stripped


def lines_job(
    body: bytes, public_base: str, left_out: frozenset[int], now: datetime, profile: ProcessingProfile
) -> Job[None]:
    """Verify each line, all on one budget; what that does not reach is not begun.

    Args:
        body: what `read_request` takes as JSON, one a line.
        public_base: the base of our own URLs.
        left_out: the numbers of lines that are not looked at.
        now: the moment to judge dates by.
        profile: which documents are read.
    """
    names = NameSearch()
    with shared_budget() as budget:
        for number, line in numbered_lines(body):
            if number in left_out:
                continue
            yield LineBegun(number)
            try:
                submission = read_request(line, LINE_TYPE, public_base)
            except BowerbirdError as error:
                goes_on = yield LineDone(number, error)
            else:
                badge_id = submission.badge_id
                document: str | bytes | None = submission.text if badge_id is None else (yield BadgeWanted(badge_id))
                if document is None:
                    continue
                goes_on = yield LineDone(
                    number, (yield from credential_job(document, submission.recipient, now, profile, names))
                )
            if budget.exhausted or not goes_on:
                return
