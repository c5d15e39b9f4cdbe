"""What is answered for many documents at once: a report for each line, and a last line that counts them."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import orjson
from pymongo.errors import PyMongoError

from libs.common.errors import BowerbirdError, InvalidRequestError, NotFoundError, TooLargeError, UnavailableError
from libs.common.problems import problem_document
from libs.common.workers.jobs import End, JobEndedError, Runner
from libs.openbadges.model.profile import PRODUCTION
from libs.openbadges.verify import CHECKS, Report
from services.verifier.material.lookup import MaterialSource, PublicRecords
from services.verifier.material.records import StoredCredential, TakenDown
from services.verifier.pages.answers import gone
from services.verifier.verification import metrics
from services.verifier.verification.jobs import submission_job
from services.verifier.verification.lines import (
    LINE_TYPE,
    BadgeWanted,
    LineBegun,
    LineDone,
    lines_job,
    numbered_lines,
)
from services.verifier.verification.poison import KnownPoison, is_costly
from services.verifier.verification.verifier import Conversation, as_told, given_up, unknown

LINES: Final = "application/x-ndjson"
MOST_LINES: Final = 200
MOST_LINES_BYTES: Final = 2 * 1024 * 1024
_MOST_ANSWER_BYTES: Final = 4 * 1024 * 1024
_STARVED: Final = (
    "What the lines before it left of the work, time and memory of one request was not enough. "
    "Send it again in another request."
)
_NOT_LOOKED_AT: Final = (
    "It was not looked at: the lines before it took all that one request is given. Send it again in another request."
)


def read_lines(body: bytes) -> dict[int, bytes]:
    """Return the lines that are not empty, by their number in the body.

    Raises:
        TooLargeError: more bytes or lines than are taken.
        InvalidRequestError: no line at all.
    """
    if len(body) > MOST_LINES_BYTES:
        raise TooLargeError(f"send at most {MOST_LINES_BYTES} bytes of lines in one request; send the rest in another")
    # Counted before they are taken apart: millions may be empty.
    lines = dict(numbered_lines(body)) if body.count(b"\n") <= MOST_LINES else None
    if lines is None or len(lines) > MOST_LINES:
        raise TooLargeError(
            f"send at most {MOST_LINES} lines in one request, empty ones included; send the rest in another"
        )
    if not lines:
        raise InvalidRequestError("there is no line; send one JSON object a line, as for a single credential")
    return lines


class LineVerifier:
    """Verifies many documents that a stranger sent, in one worker process and on the budget of one request."""

    def __init__(
        self,
        repository: PublicRecords,
        source: MaterialSource,
        clock: Callable[[], datetime],
        strangers: Runner,
        poison: KnownPoison,
        *,
        public_base: str,
    ) -> None:
        """Take what is needed; see `Verifier`."""
        self._repository = repository
        self._source = source
        self._clock = clock
        self._strangers = strangers
        self._poison = poison
        self._public_base = public_base

    async def verify(self, body: bytes, lines: Mapping[int, bytes], instance: str) -> bytes:
        """Return a line for each of `lines`, in their order, and one that counts them.

        Args:
            body: of the request.
            lines: its lines, from `read_lines`.
            instance: the path of the request, for problem documents.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        answers = _Answers(self._repository, self._source, instance)
        keys = {number: self._key(line) for number, line in lines.items()}
        known = {number: found.report for number, key in keys.items() if (found := self._poison.find(key)) is not None}
        for number, report in known.items():
            metrics.REMEMBERED.inc()
            answers.add(number, report)
        try:
            await self._strangers.run(
                lines_job, body, self._public_base, frozenset(known), self._clock(), PRODUCTION, answer=answers.answer
            )
        except JobEndedError as error:
            answers.end(error.end, self._clock())
        if answers.costly is not None:
            number, report = answers.costly
            self._poison.remember(keys[number], None, report, given_up("too_costly", self._clock()))
        return answers.written(lines, self._clock())

    def _key(self, line: bytes) -> bytes:
        # As that of the document alone, so that what is known of the one is known of the other.
        return self._poison.key(submission_job.__name__, (line, LINE_TYPE, self._public_base))


class _Answers:
    """The conversation with a job over lines, and what is answered for each of them.

    Attributes:
        costly: the first line that was looked at and its report, where that was too costly: no other line took
            anything from it.
    """

    def __init__(self, repository: PublicRecords, source: MaterialSource, instance: str) -> None:
        self._repository = repository
        self._source = source
        self._instance = instance
        self._conversation = Conversation(source)
        self._stored: StoredCredential | None = None
        self._written: dict[int, bytes] = {}
        self._counts: Counter[str] = Counter()
        self._first: int | None = None
        self._current: int | None = None
        self._started = 0.0
        self.costly: tuple[int, Report] | None = None

    async def answer(self, message: Any) -> Any:
        """Return what the job asks for, or whether it goes on."""
        if isinstance(message, LineBegun):
            self._begin(message.number)
            return None
        if isinstance(message, BadgeWanted):
            return await self._document(message.badge_id)
        if isinstance(message, LineDone):
            self._end(message.found)
            return sum(map(len, self._written.values())) < _MOST_ANSWER_BYTES
        return await self._conversation.answer(message)

    def end(self, end: End, now: datetime) -> None:
        """Write what became of the line at which the job was ended.

        Raises:
            UnavailableError: it had begun none: there was no worker for it.
        """
        if self._current is None:
            raise UnavailableError("more is waiting to be verified than can be done soon; try again")
        if self._current not in self._written:
            self._end(given_up(end, now))

    def add(self, number: int, found: Any) -> None:
        """Write the answer for a line."""
        if isinstance(found, BowerbirdError):
            self._counts["refused"] += 1
            answer: dict[str, Any] = {"error": problem_document(found, self._instance)}
        else:
            self._counts[found.verdict] += 1
            answer = {"id": found.id, **found.to_dict()}
        self._written[number] = orjson.dumps({"line": number, **answer})

    def written(self, lines: Mapping[int, bytes], now: datetime) -> bytes:
        """Return all that is answered; of lines that were not reached, that they were not looked at."""
        for number in lines:
            if number not in self._written:
                self.add(number, Report(unknown(CHECKS, "not_looked_at", _NOT_LOOKED_AT, now), None))
        counted = {"lines": len(lines), **{name: self._counts[name] for name in ("pass", "fail", "unknown", "refused")}}
        return b"".join(b"%b\n" % one for one in [*(self._written[one] for one in lines), orjson.dumps(counted)])

    def _begin(self, number: int) -> None:
        self._first = number if self._first is None else self._first
        self._current, self._started = number, monotonic()
        self._conversation, self._stored = Conversation(self._source), None

    def _end(self, found: Report | BowerbirdError) -> None:
        if self._current is None:
            return
        if isinstance(found, Report):
            found = self._conversation.explain(found if self._stored is None else as_told(self._stored, found))
            metrics.observe(found, monotonic() - self._started)
            if is_costly(found) and self._current == self._first:
                self.costly = self._current, found
            elif is_costly(found):
                found = Report(unknown(CHECKS, "too_costly", _STARVED, found.checks[0].at), None)
        self.add(self._current, found)

    async def _document(self, badge_id: UUID) -> str | None:
        """The text of a badge of ours; where it is not to be had, that is the answer for the line."""
        try:
            stored = await self._repository.credential(badge_id)
        except PyMongoError:
            self._end(UnavailableError("our own records could not be reached; try again in a moment"))
            return None
        except UnavailableError as damaged:
            self._end(damaged)
            return None
        if isinstance(stored, StoredCredential):
            self._stored = stored
            self._conversation = Conversation(self._source, {stored.id: stored.text})
            return stored.text
        missing = NotFoundError("there is no badge of ours at this URL; look whether it was copied in full")
        self._end(gone(stored) if isinstance(stored, TakenDown) else missing)
        return None
