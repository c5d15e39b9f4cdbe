"""`bowerbird dead-letters`: what services set aside, and sending it again to the one consumer group that did."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from cyclopts import Parameter
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import store_settings, why_store_failed
from bowerbird.registry import NAMES
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Details, Entry
from libs.common import mongo
from libs.common.dead_letters import dead_letter, record_of
from libs.common.publishing import publish_records
from libs.common.settings import Settings, SettingsError
from libs.common.store_access import kafka_options, mongo_options
from libs.common.telemetry import new_trace
from libs.common.topic_reading import records_until
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import DeadLetter, RecordSentAgain
from libs.contracts.ids import unkeyed_event_id
from libs.contracts.topics import DEAD_LETTERS, LARGEST_LETTER_BYTES, SENT_AGAIN, Topic

LetterT = TypeVar("LetterT", bound=DeadLetter)

ServiceName = Literal["evidence", "issuer", "verifier", "notifier"]
ByConsumer = Annotated[str | None, Parameter(help="only what this consumer group set aside")]
ByReason = Annotated[str | None, Parameter(help="only what has this reason")]
ByPlace = Annotated[
    list[str] | None,
    Parameter(name="--place", negative="", help="only what stood here; may be given several times"),
]
Why = Annotated[str | None, Parameter(help="why, in your words, for the audit log")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON for programs")]

_READ_MS: Final = 1_000
_AT_ONCE: Final = 500
_PLACES_TOLD: Final = 20
_CANNOT: Final = "cannot_be_unpacked"


@dataclass(frozen=True)
class Letter:
    """A record that was set aside; the newest letter of it, where it was set aside again.

    Attributes:
        sent_at: when it was last sent again; None: never, or it was set aside once more after that.
    """

    letter: DeadLetter
    sent_at: datetime | None = None

    @property
    def place(self) -> str:
        """Where the record stood: TOPIC/PARTITION/OFFSET."""
        return f"{self.letter.source_topic}/{self.letter.partition}/{self.letter.offset}"

    def fields(self) -> dict[str, object]:
        """Return what is told of it: nothing of what the record holds."""
        kept = {"record_key", "record_value", "record_headers"}
        return {"place": self.place, **self.letter.model_dump(mode="json", exclude=kept), "sent_at": self.sent_at}


def list_letters(
    *services: ServiceName, consumer: ByConsumer = None, reason: ByReason = None, as_json: Json = False
) -> int:
    """List what was set aside and whether it was sent again; nothing of what the records hold.

    Args:
        services: whose; all four where none is named.
        consumer: see its help.
        reason: see its help.
        as_json: see its help.
    """

    async def work(settings: Settings) -> int:
        found = [
            each
            for service in services or NAMES
            for each in await read_letters(settings, service)
            if _matches(each, consumer, reason, None)
        ]
        if as_json:
            print(orjson.dumps([each.fields() for each in found], option=orjson.OPT_INDENT_2).decode())
        else:
            _print(found)
        return 0

    return _with_kafka(work)


def show(
    service: ServiceName,
    place: str,
    *,
    value: Annotated[bool, Parameter(negative="", help="the record itself too: it may name people")] = False,
    why: Why = None,
) -> int:
    """Show all of what was set aside from one place, as JSON.

    Args:
        service: whose dead letter.
        place: where the record stood, TOPIC/PARTITION/OFFSET, as `list` has it.
        value: see its help; the service's audit log then has an entry of it before.
        why: see its help.
    """

    async def work(settings: Settings) -> int:
        found = [each for each in await read_letters(settings, service) if each.place == place]
        if found and value:
            await _record(settings, service, Action.DEAD_LETTER_SHOWN, f"dead letter {place}", why)
        for each in found:
            record = record_of(each.letter)
            headers = {name: (raw or b"").decode("utf-8", "replace") for name, raw in record.headers}
            told = {**each.fields(), "headers": headers}
            if value:
                told |= {"key": _text(record.key), "value": _text(record.value)}
            print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        if not found:
            print(f"bowerbird: {service} set nothing aside from {place}", file=sys.stderr)
        return 0 if found else 1

    return _with_kafka(work)


def send_again(
    service: ServiceName,
    *,
    consumer: ByConsumer = None,
    reason: ByReason = None,
    places: ByPlace = None,
    dry_run: Annotated[bool, Parameter(negative="", help="say what would be sent, and send nothing")] = False,
    why: Why = None,
) -> int:
    """Send what was set aside again, each to the consumer group that did, and to nobody else; harmless to repeat.

    What was sent already is left out, unless it was set aside once more. The service's audit log has an entry of it
    before. Exit status 1: something cannot be sent.

    Args:
        service: whose dead letters; all of them that the options leave.
        consumer: see its help.
        reason: see its help.
        places: see its help.
        dry_run: see its help.
        why: see its help.
    """

    async def work(settings: Settings) -> int:
        chosen = [
            each
            for each in await read_letters(settings, service)
            if each.sent_at is None and _matches(each, consumer, reason, places)
        ]
        whole = [each for each in [await _whole(settings, each) for each in chosen] if each is not None]
        if whole and not dry_run:
            trace = new_trace()
            sent = {"records": Counter(each.letter.consumer for each in whole)}
            await _record(settings, service, Action.DEAD_LETTERS_SENT_AGAIN, "dead letters", why, sent, trace)
            await _publish(settings, [each.letter for each in whole], trace)
        for each in whole:
            print(f"{'would be' if dry_run else 'was'} sent to {each.letter.consumer}: {each.place}")
        lost = {each.place for each in chosen} - {each.place for each in whole}
        for place in sorted(lost):
            print(f"bowerbird: {place} cannot be sent: the record is not there any more", file=sys.stderr)
        if not chosen:
            print("nothing is to be sent")
        return 1 if lost else 0

    return _with_kafka(work)


async def read_letters(settings: Settings, service: str) -> list[Letter]:
    """Return what a service set aside, the oldest first, each record once; say where what cannot be read stands.

    Raises:
        KafkaError: the brokers do not answer, or this user may not read.
    """
    letters: dict[str, Letter] = {}
    unread: list[str] = []
    async for letter in _readable(settings, DEAD_LETTERS[service], DeadLetter, unread):
        letters[letter.natural_id] = Letter(letter)
    async for sent in _readable(settings, SENT_AGAIN[service], RecordSentAgain, unread):
        known = letters.get(sent.natural_id)
        if known is not None and sent.sent_at >= known.letter.failed_at:
            letters[sent.natural_id] = replace(known, sent_at=sent.sent_at)
    if unread:
        places = ", ".join(unread[:_PLACES_TOLD]) + (", …" if len(unread) > _PLACES_TOLD else "")
        print(f"bowerbird: records that cannot be read are left out ({len(unread)}): {places}", file=sys.stderr)
    return list(letters.values())


async def _readable(
    settings: Settings, topic: Topic, contract: type[LetterT], unread: list[str]
) -> AsyncIterator[LetterT]:
    """Yield the letters on a topic; where others stand, which somebody else must have written, is added to `unread`."""
    async for record in _records(settings, topic):
        try:
            letter = contract.model_validate_json(record.value or b"")
            record_of(letter)
        except ValueError:
            unread.append(f"{record.topic}/{record.partition}/{record.offset}")
        else:
            yield letter


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, **kafka_options(settings)
    )
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def _records(settings: Settings, topic: Topic) -> AsyncIterator[ConsumerRecord]:
    """Yield what stands on a topic of one partition, in no group, moving nobody's offsets."""
    tp = TopicPartition(topic.name, 0)
    async with _reader(settings) as reader:
        reader.assign([tp])
        end = (await reader.end_offsets([tp]))[tp]
        reader.seek(tp, (await reader.beginning_offsets([tp]))[tp])
        async for taken in records_until(reader, {tp: end}, _AT_ONCE):
            for record in taken[tp]:
                yield record


async def _whole(settings: Settings, each: Letter) -> Letter | None:
    """Return the letter with its record, fetched from where it stood if it was too large for a letter; None: gone."""
    if each.letter.record_sha256 is None:
        return None if each.letter.reason == _CANNOT else each
    tp = TopicPartition(each.letter.source_topic, each.letter.partition)
    async with _reader(settings) as reader:
        reader.assign([tp])
        if each.letter.offset < (await reader.beginning_offsets([tp]))[tp]:
            return None
        reader.seek(tp, each.letter.offset)
        found = (await reader.getmany(tp, timeout_ms=_READ_MS, max_records=1)).get(tp, [])
    if not found or found[0].offset != each.letter.offset:
        return None
    old = each.letter
    made = dead_letter(
        found[0], service=old.service, consumer=old.consumer, reason=old.reason, detail=old.detail, attempt=old.attempt
    ).event
    return Letter(made) if isinstance(made, DeadLetter) and made.record_sha256 is None else None


async def _record(  # noqa: PLR0917  # as an entry has them
    settings: Settings,
    service: str,
    action: Action,
    subject: str,
    why: str | None,
    details: Details | None = None,
    trace: str | None = None,
) -> None:
    """Write down in the audit log of the service whose letters they are what is to be done, before it is."""
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-dead-letters", mongo_options(settings))
    entry = Entry(action, operators_cause(trace), (ALL_ISSUERS,), subject, why, details or {})
    try:
        await operators_log(client[service]).record(entry)
    finally:
        await mongo.close(client)


async def _publish(settings: Settings, letters: Collection[DeadLetter], trace: str) -> None:
    now = datetime.now(UTC)
    origin = Origin(settings.public_base, "operator", unkeyed_event_id)
    events = [RecordSentAgain(**each.model_dump(), sent_at=now) for each in letters]
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_idempotence=settings.kafka_idempotence,
        acks="all",
        max_request_size=LARGEST_LETTER_BYTES,
        **kafka_options(settings),
    )
    await producer.start()
    try:
        await publish_records(producer, [encode(Outgoing(each, trace), origin) for each in events])
    finally:
        await producer.stop()


def _matches(each: Letter, consumer: str | None, reason: str | None, places: Collection[str] | None) -> bool:
    return (
        consumer in {None, each.letter.consumer}
        and reason in {None, each.letter.reason}
        and (not places or each.place in places)
    )


def _print(letters: Iterable[Letter]) -> None:
    table = Table()
    for column in ("consumer", "place", "reason", "detail", "set aside", "sent again"):
        table.add_column(column, overflow="fold")
    for each in letters:
        letter = each.letter
        sent = "" if each.sent_at is None else f"{each.sent_at:%Y-%m-%d %H:%M}"
        when = f"{letter.failed_at:%Y-%m-%d %H:%M}"
        table.add_row(letter.consumer, each.place, letter.reason, letter.detail, when, sent)
    Console().print(table)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


def _with_kafka(work: Callable[[Settings], Awaitable[int]]) -> int:
    """Run with the settings of the environment; what is wrong with them or a store is one sentence and status 2."""

    async def run() -> int:
        return await work(store_settings())

    try:
        return asyncio.run(run())
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return os.EX_CONFIG
    except PyMongoError as error:
        print(f"bowerbird: nothing was done, since nothing was recorded: {why_store_failed(error)}", file=sys.stderr)
        return 2
    except (KafkaError, OSError) as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
        return 2
