"""How many mails a second one notifier process sends: `python -m benchmarks.notifier_mail [MAILS]`.

MongoDB and the mail sink are processes of their own; the sending half of the notifier runs in this one. It prints mails
a second by the clock and by this process's CPU time (what one core does when nobody else wants it), and for comparison
how many mails the renderer alone writes in a second of CPU time in the same run.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from uuid import uuid4

import uvloop

from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.common.addresses import Address
from libs.common.telemetry import configure_logging, new_trace
from libs.common.workers.pool import WorkerPool
from libs.contracts.results import SoloLevel
from services.notifier.catalogue.repository import AchievementText, Catalogue, LevelText
from services.notifier.channels.email.drawing import picture_workers
from services.notifier.channels.email.message import EmailMessage, EmailRenderer
from services.notifier.channels.email.picture import Pictures
from services.notifier.channels.email.smtp import Relay, SmtpPool
from services.notifier.contacts.repository import Contacts
from services.notifier.deliveries.activation import Activation
from services.notifier.deliveries.allowances import Allowances
from services.notifier.deliveries.buckets import Rate
from services.notifier.deliveries.domains import Domains
from services.notifier.deliveries.preparation import Preparation
from services.notifier.deliveries.repository import INDEXES, Deliveries
from services.notifier.deliveries.schedule import RetryPolicy
from services.notifier.deliveries.sender import Sender, SenderSettings
from services.notifier.deliveries.state_writer import StateWriter
from services.notifier.mail_domains.repository import MailDomains

FROM = Address("badges", "bowerbird.example")
DOMAINS = 50
CONNECTIONS = 16
PORT_OFFSET = 5500


def now() -> datetime:
    return datetime.now(UTC)


async def seed(database: mongo.Database, mails: int) -> None:
    """Contacts, texts and due deliveries, as the consumers would have left them."""
    await mongo.create_indexes(database, INDEXES)
    level = {"level": "relational", "name": "Relational", "description": "You kept going, and said how it helped."}
    await database["issuers"].insert_one({"_id": "northside", "schema": 1, "name": "Northside Primary"})
    await database["achievements"].insert_one(
        {"_id": "dept/resilience/1", "schema": 1, "name": "Resilience", "description": "", "levels": [level]}
    )
    for start in range(0, mails, 1000):
        learners = [uuid4() for _ in range(start, min(start + 1000, mails))]
        await database["contacts"].insert_many(
            {"_id": each, "name": "Mia Trần", "email": f"l@d{number % DOMAINS}.example"}
            for number, each in enumerate(learners)
        )
        await database["deliveries"].insert_many(
            {
                "_id": uuid4(),
                "schema": 1,
                "issuer_id": "northside",
                "credential_id": uuid4(),
                "occasion": "issued",
                "learner_id": each,
                "achievement": "dept/resilience/1",
                "level": "relational",
                "state": "pending",
                "attempts": 0,
                "created_at": now(),
                "due_at": now(),
                "trace": new_trace(),
            }
            for each in learners
        )


def sender(database: mongo.Database, port: int, drawing: WorkerPool) -> tuple[Sender, SmtpPool]:
    """The sending half of the service, its rates out of the way."""
    deliveries, domains = Deliveries(database), Domains(database, Rate(100_000, 100_000))
    contacts = Contacts(database)
    activation = Activation(contacts, deliveries)
    relay = Relay("127.0.0.1", port, "none", None, None, None, 10, 60, 600, 200)
    pool = SmtpPool(relay, FROM)
    preparation = Preparation(
        deliveries=deliveries,
        contacts=contacts,
        activation=activation,
        catalogue=Catalogue(database),
        mail_domains=MailDomains(database),
        domains=domains,
        allowances=Allowances(database, recipient=Rate(100_000, 100_000), issuer=Rate(100_000, 1_000_000)),
        public_base="https://badges.example",
        clock=now,
        new_id=uuid4,
    )
    settings = SenderSettings("bench", CONNECTIONS, timedelta(seconds=60), RetryPolicy())
    return Sender(
        settings,
        deliveries=deliveries,
        preparation=preparation,
        domains=domains,
        state_writer=StateWriter(deliveries),
        activation=activation,
        server=pool,
        renderer=EmailRenderer(FROM),
        pictures=Pictures(drawing),
        clock=now,
        draw=random.random,
    ), pool


async def send_all(stack: Stack, mails: int) -> dict[str, float]:
    client = mongo.connect(stack.mongo_url, "bench")
    database = client["notifier"]
    await seed(database, mails)
    drawing = picture_workers()
    one, pool = sender(database, stack.layout.port("smtp"), drawing)
    started, cpu = perf_counter(), process_time()
    while await database["deliveries"].count_documents({"state": "sent"}, limit=mails) < mails:
        for _ in range(20):
            await asyncio.sleep(min(await one.tick(), 0.05))
    await one.finish()
    seconds, cpu_seconds = perf_counter() - started, process_time() - cpu
    await pool.close()
    await drawing.close()
    await mongo.close(client)
    return {
        "mails": mails,
        "seconds": round(seconds, 2),
        "per_second": round(mails / seconds, 1),
        "per_cpu_second": round(mails / cpu_seconds, 1),
    }


def written_per_cpu_second(mails: int = 500) -> float:
    """The renderer alone."""
    renderer = EmailRenderer(FROM)
    text = AchievementText("Resilience", "", {SoloLevel.RELATIONAL: LevelText("Relational", "You kept going.")})

    def message() -> EmailMessage:
        page = "https://badges.example/badges/1"
        to = Address("l", "d.example")
        return EmailMessage(uuid4(), to, "Mia", "Northside", text, SoloLevel.RELATIONAL, page, f"{page}/x.json", now())

    async def drawn() -> bytes | None:
        workers = picture_workers()
        try:
            return await Pictures(workers).get(message().depiction)
        finally:
            await workers.close()

    picture = asyncio.run(drawn())
    return mails / cpu_time(lambda: [renderer.render(message(), picture) for _ in range(mails)])


def cpu_time(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


def main() -> None:
    """Measure and print one line of JSON."""
    mails = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    configure_logging("bench", "warning")
    with tempfile.TemporaryDirectory(prefix="bowerbird-mail-") as var, Stack(Path(var), PORT_OFFSET) as stack:
        stack.start("mongodb", "smtp")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(send_all(stack, mails))
    figures["written_per_cpu_second"] = round(written_per_cpu_second(), 1)
    figures["sent_to_written"] = round(figures["per_cpu_second"] / figures["written_per_cpu_second"], 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
