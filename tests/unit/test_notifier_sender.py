"""The sender's decisions about one mail, over stand-ins for the database and the mail server."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.errors import AutoReconnect

from libs.common.addresses import Address
from libs.contracts.results import SoloLevel
from services.notifier.catalogue.repository import AchievementText
from services.notifier.channels.email.message import EmailMessage, EmailRenderer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.email.smtp import RelayUnavailableError
from services.notifier.channels.failure import Failure, FailureKind
from services.notifier.deliveries import changes
from services.notifier.deliveries.changes import Change
from services.notifier.deliveries.delivery import Delivery
from services.notifier.deliveries.preparation import Ready
from services.notifier.deliveries.schedule import RetryPolicy
from services.notifier.deliveries.sender import Sender, SenderSettings
from services.notifier.deliveries.state_writer import StateWriter
from services.notifier.occasion import Occasion

NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)


def delivery(**changed: Any) -> Delivery:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "claim": UUID(int=1),
        "issuer_id": "northside",
        "credential_id": uuid4(),
        "occasion": Occasion.ISSUED,
        "reason": None,
        "follows": None,
        "sending": 0,
        "learner_id": uuid4(),
        "achievement": "dept/resilience/1",
        "level": SoloLevel.RELATIONAL,
        "created_at": NOW,
        "attempts": 0,
        "first_attempt_at": None,
        "slot_at": None,
        "cancel_reason": None,
        "trace": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    }
    return Delivery(**fields | changed)


def ready(each: Delivery) -> Ready:
    message = EmailMessage(
        delivery_id=each.id,
        to=Address("mia", "school.example"),
        learner_name="Mia",
        issuer_name="Northside",
        achievement=AchievementText("Resilience", "Keeping going.", {}),
        level=each.level,
        page_url="https://x.example/badges/1",
        download_url="https://x.example/badges/1/credential.json",
        written_at=NOW,
    )
    return Ready(each, message, NOW.timestamp(), domain_throttled=True)


class Schedule:
    """Stands in for the collection of deliveries: what is claimable, and what was written."""

    def __init__(self, claimable: Sequence[Delivery] = ()) -> None:
        self.claimable = list(claimable)
        self.written: list[dict[str, Any]] = []
        self.groups: list[int] = []
        self.away = 0

    async def claim(self, limit: int, *, in_flight: Collection[UUID], **_: object) -> list[Delivery]:
        taken = [each for each in self.claimable if each.id not in in_flight][:limit]
        self.claimable = [each for each in self.claimable if each not in taken]
        return taken

    async def write(self, changes: Sequence[Change]) -> None:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise AutoReconnect("away")
        if changes:
            self.groups.append(len(changes))
        for change in changes:
            document: Any = change.update._doc
            if isinstance(document, list):
                # A pipeline of stages, of which the first says what changes.
                self.written.append({name: each["$literal"] for name, each in document[0]["$set"].items()})
            else:
                self.written.append(document["$set"])


class AllReady:
    async def prepare(self, claimed: Sequence[Delivery]) -> tuple[list[Ready], list[Change]]:
        return [ready(each) for each in claimed], []


class Pace:
    def __init__(self) -> None:
        self.said: list[str] = []

    async def record_throttle(self, _domain: str, _now: float) -> None:
        self.said.append("throttle")

    async def record_success(self, _domain: str) -> None:
        self.said.append("success")


class Server:
    """Answers as told, and repeats the last answer."""

    def __init__(self, *answers: Failure | RelayUnavailableError | None) -> None:
        self.answers = list(answers)
        self.offered: list[bytes] = []

    async def send(self, _to: Address, content: bytes) -> Failure | None:
        self.offered.append(content)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, RelayUnavailableError):
            raise answer
        return answer


class Checked:
    """Notes whose failed mails were looked at."""

    def __init__(self) -> None:
        self.learners: list[UUID] = []

    async def addressed(self, learner_ids: Collection[UUID], _now: datetime) -> None:
        self.learners += learner_ids


class Picture:
    async def run(self, *_: object, **__: object) -> Any:
        return b"PNG"


def sender(schedule: Schedule, server: Server, pace: Pace | None = None, checked: Checked | None = None) -> Sender:
    return Sender(
        SenderSettings("test", 8, timedelta(seconds=60), RetryPolicy()),
        deliveries=schedule,  # type: ignore[arg-type]  # a fake
        preparation=AllReady(),  # type: ignore[arg-type]  # a fake
        domains=pace or Pace(),  # type: ignore[arg-type]  # a fake
        state_writer=StateWriter(schedule),  # type: ignore[arg-type]  # a fake
        activation=checked if checked is not None else Checked(),
        server=server,
        renderer=EmailRenderer(Address("badges", "bowerbird.example")),
        pictures=Pictures(Picture()),
        clock=lambda: NOW,
        draw=lambda: 0.5,
    )


async def outcome(answer: Failure | RelayUnavailableError | None, each: Delivery) -> dict[str, Any]:
    schedule = Schedule([each])
    one = sender(schedule, Server(answer))
    await one.tick()
    await one.finish()
    assert len(schedule.written) == 1
    return schedule.written[0]


async def test_a_mail_that_was_taken_is_marked_as_sent() -> None:
    written = await outcome(None, delivery())
    assert (written["state"], written["attempts"], written["sent_at"]) == ("sent", 1, NOW)


async def test_a_permanent_refusal_keeps_its_codes_and_nothing_is_due() -> None:
    written = await outcome(Failure(FailureKind.PERMANENT, 550, "5.1.1"), delivery())
    assert written["state"] == "failed_permanently"
    assert written["last_error"] == {"kind": "permanent", "code": 550, "enhanced": "5.1.1", "at": NOW}
    assert "due_at" not in written


async def test_a_temporary_refusal_is_due_again_later() -> None:
    written = await outcome(Failure(FailureKind.TEMPORARY, 451), delivery(attempts=2, first_attempt_at=NOW))
    assert (written["state"], written["attempts"]) == ("pending", 3)
    assert written["due_at"] == NOW + timedelta(minutes=4)


async def test_a_delivery_is_given_up_three_days_after_its_first_attempt() -> None:
    written = await outcome(
        Failure(FailureKind.TEMPORARY, 451), delivery(attempts=9, first_attempt_at=NOW - timedelta(days=3))
    )
    assert written["state"] == "gave_up"


async def test_a_server_that_takes_nothing_counts_as_no_attempt() -> None:
    written = await outcome(RelayUnavailableError("refused"), delivery())
    assert written["state"] == "pending"
    assert "attempts" not in written


async def test_while_the_server_is_away_nothing_more_is_claimed_and_then_one_mail_tries() -> None:
    schedule = Schedule([delivery() for _ in range(40)])
    server = Server(RelayUnavailableError("refused"))
    one = sender(schedule, server)
    await one.tick()
    await one.finish()
    offered = len(server.offered)
    assert await one.tick() > 0
    assert len(server.offered) == offered
    one._relay_resumes_at = 0.0
    await one.tick()
    await one.finish()
    assert len(server.offered) == offered + 1


async def test_a_throttle_and_its_end_are_recorded_for_the_domain() -> None:
    pace = Pace()
    one = sender(Schedule([delivery(), delivery()]), Server(Failure(FailureKind.TEMPORARY, 421), None), pace)
    await one.tick()
    await one.finish()
    assert sorted(pace.said) == ["success", "throttle"]


async def test_no_more_mails_are_in_flight_than_there_are_connections_and_no_domain_takes_them_all() -> None:
    schedule = Schedule([delivery() for _ in range(40)])
    one = sender(schedule, Server(None))
    await one.tick()
    assert len(one._in_flight) == 6
    await one.finish()


async def test_a_mark_is_tried_until_the_database_takes_it_and_the_place_stays_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.notifier.deliveries.state_writer._FIRST_PAUSE_SECONDS", 0.01)
    schedule = Schedule([delivery()])
    one = sender(schedule, Server(None))
    await one.tick()
    schedule.away = 3
    await asyncio.sleep(0.005)
    assert len(one._in_flight) == 1
    await one.finish()
    assert schedule.written[0]["state"] == "sent"


async def test_a_mail_in_flight_is_not_offered_again_though_its_lease_ended_while_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.notifier.deliveries.state_writer._FIRST_PAUSE_SECONDS", 0.01)
    each = delivery()
    schedule, server = Schedule([each]), Server(None)
    one = sender(schedule, server)
    await one.tick()
    schedule.away = 2
    await asyncio.sleep(0.005)
    schedule.claimable = [each]  # the database is back before the change is written, and the lease is over
    await one.tick()
    await one.finish()
    assert len(server.offered) == 1


async def test_marks_that_come_during_a_write_go_together_in_the_next() -> None:
    schedule = Schedule()
    state_writer = StateWriter(schedule)  # type: ignore[arg-type]  # a fake
    await asyncio.gather(*(state_writer.write(changes.sent(delivery(), NOW)) for _ in range(50)))
    assert sum(schedule.groups) == 50
    assert len(schedule.groups) <= 2


async def test_a_mail_that_cannot_be_written_is_put_off_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule([delivery()])
    one = sender(schedule, Server(None))

    def broken(_message: EmailMessage) -> bytes:
        raise KeyError("a defect")

    monkeypatch.setattr(one._renderer, "render", broken)
    await one.tick()
    await one.finish()
    assert schedule.written[0]["state"] == "pending"
    assert schedule.written[0]["last_error"]["kind"] == "unbuildable"
