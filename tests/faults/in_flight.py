"""Uploads in flight when MongoDB is lost: what was answered is there once, and nothing is there twice."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from deploy.embedded.stack import Stack
from tests.faults.picture import COMPARED, Picture
from tests.faults.promises import databases
from tests.faults.school import HTTP, REQUIRED, Row, SchoolClient
from tests.waiting import eventually

_MAILED_ONE_IN: Final = 20
_FIRST_LEARNER: Final = 200_000
_FILE_ROWS: Final = 40
# So many rows the evidence service takes in at once: some of a long file are stored when it is cut off, some are not.
_CHUNK_ROWS: Final = 500
_PAUSE_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 300.0
_IDS: Final = ("_id", "evidence_id", "learner_id", "holding_id", "credential_id")


@dataclass
class Request:
    """Something sent: one piece of evidence or a file.

    Attributes:
        key: its Idempotency-Key; None where it has none.
        rows: each of a learner of its own, and good enough for an award.
        batch: what it was answered; None where no answer came, or that it was not taken.
    """

    path: str
    key: str | None
    rows: list[Row]
    batch: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        kind = "application/json" if self.path == "/v1/evidence" else "application/x-ndjson"
        return {"content-type": kind, **({} if self.key is None else {"idempotency-key": self.key})}

    @property
    def lines(self) -> list[bytes]:
        return [row.json(_MAILED_ONE_IN) + b"\n" for row in self.rows]


class InFlight:
    """A school that sends from several threads, until nobody answers any more."""

    def __init__(self, stack: Stack, name: str, *, answered: int, long_file: int) -> None:
        """Make the school.

        Args:
            stack: the running stack.
            name: of the school.
            answered: so many uploads are answered before it may be cut off.
            long_file: rows of one file that never ends before, some chunks long.
        """
        self.school = SchoolClient(stack, name)
        self._answered = answered
        self.requests: list[Request] = []
        self._stack = stack
        self._learners = itertools.count(_FIRST_LEARNER)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._long = self._request("/v1/batches", long_file, "long")

    def begin(self) -> None:
        """Send, and return when much was answered, and more is on its way."""

        def posts(name: str, *, keyed: bool) -> Iterator[Request]:
            return (self._request("/v1/evidence", 1, f"{name}-{n}" if keyed else None) for n in itertools.count())

        files = (self._request("/v1/batches", _FILE_ROWS, f"file-{n}") for n in itertools.count())
        for requests in (posts("a", keyed=True), posts("b", keyed=True), posts("", keyed=False), files):
            self._start(self._send_each, requests)
        self._start(self._send, self._long, self._slowly(self._long.lines))
        with databases(self._stack) as client:
            mine = {"issuer_id": self.school.id, "received": {"$gte": _CHUNK_ROWS}}

            def under_way() -> bool:
                answered = sum(each.batch is not None for each in list(self.requests))
                return answered >= self._answered and client["evidence"]["batches"].find_one(mine) is not None

            eventually(under_way, _PATIENCE_SECONDS)

    def end(self) -> str:
        """Wait for the senders, whom nobody answers any more; return what they were answered, in words."""
        self._ended.set()
        for each in self._threads:
            each.join(_PATIENCE_SECONDS)
        unanswered = [each for each in self.requests if each.batch is None]
        kinds = Counter("pieces" if each.path == "/v1/evidence" else "files" for each in unanswered)
        return (
            f"{len(self.requests) - len(unanswered)} uploads answered, "
            f"{kinds['pieces']} pieces and {kinds['files']} files cut off"
        )

    def repeat(self) -> None:
        """Send everything again as its sender does who heard nothing; what was answered under a key, too."""
        for each in self.requests:
            if each.batch is None or each.key is not None:
                answered, each.batch = each.batch, self.school.submit(each.path, each.headers, b"".join(each.lines))
                assert answered in {None, each.batch}, f"{each.key} was batch {answered}, and is {each.batch} now"

    def came(self) -> str:
        """Return how much is decided of what nobody was answered about, in words."""
        rows = [row for each in self.requests if each.batch is None for row in each.rows]
        decided = self._decided()
        came = sum(bool(decided[row.source_id]) for row in rows)
        return f"{came} of {len(rows)} rows that were not answered are decided all the same"

    def unanswered(self) -> frozenset[str]:
        """Return the ids of what nobody was answered about, as far as anything is stored of it.

        Those of the batches, and of the pieces, learners, awards and credentials that came of them. Once all was sent
        again there is no such thing.
        """
        if all(each.batch is not None for each in self.requests):
            return frozenset()
        answered = {each.batch for each in self.requests}
        with databases(self._stack) as client:
            batches = client["evidence"]["batches"].find({"issuer_id": self.school.id}, {"_id": 1})
            lost = [each["_id"] for each in batches if str(each["_id"]) not in answered]
            found = set(map(str, lost))
            for name in ("decisions", "credentials"):
                for stored in client["issuer"][name].find({"batch_id": {"$in": lost}}):
                    found |= {str(stored[each]) for each in _IDS if each in stored}
        return frozenset(found)

    def harm(self) -> list[str]:
        """Return what was answered and is not decided as promised, and what is there twice."""
        found = [each for each in map(self._undecided, self.requests) if each is not None]
        decided = self._decided()
        answered = {row.source_id for each in self.requests if each.batch is not None for row in each.rows}
        found += [
            f"evidence {each} was answered and earned nothing" for each in answered if not decided[each]["issued"]
        ]
        found += [f"evidence {name} is decided {dict(each)}" for name, each in decided.items() if each["issued"] > 1]
        with databases(self._stack) as client:
            credentials = client["issuer"]["credentials"].count_documents({"issuer_id": self.school.id})
        earned = sum(each["issued"] for each in decided.values())
        if credentials != earned:
            found.append(f"{credentials} credentials, and {earned} rows that earned one")
        return found

    def _undecided(self, sent: Request) -> str | None:
        """Return what is wrong with a batch that was answered; None where nothing is, or none was."""
        if sent.batch is None:
            return None
        try:
            batch = self.school.batch(sent.batch)
        except AssertionError as error:
            return str(error)
        earned = batch["counts"]["issued"]
        if sent.key is None:  # sent again it is another batch, and the same evidence, which may have come before
            earned += batch["counts"]["duplicate"]
        if batch["complete"] and batch["received"] == earned == len(sent.rows):
            return None
        return f"{sent.path} {sent.key} was answered, and is not decided as it must be: {batch}"

    def more(self, before: Picture, after: Picture) -> Mapping[str, int]:
        """Return, by kind, how much of this school is there that was not before; of `harm` there must be none."""
        mine, more = {"issuer_id": self.school.id}, dict[str, int]()
        with databases(self._stack) as client:
            for name, kind in COMPARED.items():
                database, _, collection = kind.place.partition(".")
                found = {str(each["_id"]) for each in client[database][collection].find(mine, {"_id": 1})}
                held = after.held if name == "deliveries" else set()
                more[name] = len(found - before.parts[name].keys() - held)
            deliveries = {str(each["_id"]) for each in client["notifier"]["deliveries"].find(mine, {"_id": 1})}
        more["revoked in the lists shown"] = more["credentials"]
        more["mails"] = len((deliveries & after.mails.keys()) - before.mails.keys())
        return more

    def _decided(self) -> dict[str, Counter[str]]:
        """Return, by source id, how many rows are in which state."""
        decided: dict[str, Counter[str]] = {row.source_id: Counter() for each in self.requests for row in each.rows}
        with databases(self._stack) as client:
            for each in client["evidence"]["rows"].find({"issuer_id": self.school.id}):
                decided[each["source_id"]][each["state"]] += 1
        return decided

    def _request(self, path: str, rows: int, key: str | None) -> Request:
        learners = itertools.islice(self._learners, rows)
        request = Request(path, key, [Row(f"flight-{learner}", learner, REQUIRED) for learner in learners])
        self.requests.append(request)
        return request

    def _start(self, work: Callable[..., object], *told: object) -> None:
        thread = threading.Thread(target=work, args=told, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _send_each(self, requests: Iterator[Request]) -> None:
        while not self._ended.is_set() and self._send(each := next(requests), b"".join(each.lines)):
            pass

    def _send(self, request: Request, body: bytes | Iterator[bytes]) -> bool:
        """Send once; return whether it was taken."""
        url, headers = self._stack.url("evidence") + request.path, {**self.school.headers, **request.headers}
        try:
            answer = HTTP.post(url, headers=headers, content=body)
        except httpx.TransportError:
            return False
        if answer.status_code == httpx.codes.ACCEPTED:
            request.batch = answer.json()["id"]
        return request.batch is not None

    def _slowly(self, lines: list[bytes]) -> Iterator[bytes]:
        """Yield the beginning of a file, then some lines at a time, and the last ones only when all is over."""
        begun = len(lines) * 3 // 5
        yield b"".join(lines[:begun])
        for line in lines[begun:-1]:
            if not self._ended.wait(_PAUSE_SECONDS):
                yield line
        self._ended.wait(_PATIENCE_SECONDS)
        yield lines[-1]
