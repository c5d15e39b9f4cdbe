"""`bowerbird audit promises`: what it is told, prints and measures, and how it ends."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import orjson
from aiokafka.errors import KafkaError
from cyclopts import Parameter
from cyclopts.types import ExistingDirectory
from cyclopts.validators import Number
from pymongo.errors import PyMongoError

from bowerbird.auditing import key_copies, lists, loops, metrics, topics
from bowerbird.auditing import mailbox as mailboxes
from bowerbird.auditing.difference import CHECKS, Difference
from bowerbird.auditing.store_repairs import StoreRepairs
from bowerbird.auditing.stores import StoreChecks
from bowerbird.authority import PUBLISHERS, Authority, issuer_settings
from bowerbird.backups import manifest
from bowerbird.backups.files import require_intact
from bowerbird.backups.manifest import BackupError
from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import why_store_failed
from bowerbird.publications import Publications
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Entry
from libs.common import mongo
from libs.common.clock import now
from libs.common.damage import Damage
from libs.common.kafka import Kafka
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from libs.common.stored import UNREADABLE
from libs.common.telemetry import new_trace
from libs.contracts.events import Event
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.repository import SigningKeyRepository, StoredKey
from services.issuer.settings import ServiceSettings

_SHOWN: Final = 20
_AT_ONCE: Final = 200
_HOUR: Final = 3600
_AGAIN_SECONDS: Final = 300

Repair = Annotated[bool, Parameter(negative="", help="publish again what makes right what can be made right by that")]
Grace = Annotated[
    int,
    Parameter(validator=Number(gte=0), help="minutes; what changed since then is on its way and not looked at"),
]
Mailbox = Annotated[
    ExistingDirectory | None, Parameter(help="a folder of mails as the embedded stack keeps them: look at it too")
]
Backups = Annotated[Path | None, Parameter(help="a folder of backups: read the newest, and tell whether it is whole")]
Every = Annotated[
    int | None, Parameter(validator=Number(gte=1), help="hours; audit again and again, and serve metrics meanwhile")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON for programs, a line an audit")]


@dataclass
class Found:
    """What one audit found.

    Attributes:
        counts: differences by check.
        shown: the first of each check.
        repaired: how many events were published to make right what differs.
        backup: what is the matter with the newest backup; None where nothing is, or none was to be read.
        unread: older backups that cannot be read, each as a sentence; no difference, since a newer one is there.
    """

    counts: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[str]] = field(default_factory=dict)
    repaired: int = 0
    backup: str | None = None
    unread: list[str] = field(default_factory=list)

    def note(self, difference: Difference) -> None:
        """Count a difference."""
        self.counts[difference.check] += 1
        shown = self.shown.setdefault(difference.check, [])
        if len(shown) < _SHOWN:
            shown.append(difference.what)

    @property
    def is_right(self) -> bool:
        """Whether everything is as promised."""
        return not self.counts and self.backup is None


def promises(
    *,
    repair: Repair = False,
    grace: Grace = 60,
    mailbox: Mailbox = None,
    backups: Backups = None,
    every: Every = None,
    as_json: Json = False,
) -> int:
    """Hold stores and topics against promises 1 to 3: nothing lost, nothing twice, the numbers add up.

    It reads everything, while services run, with the environment of the issuer service and a user who may read every
    database and topic. Exit status: 0 all is right, 1 something differs, 2 it could not be looked at.

    Args:
        repair: see its help; what it publishes is harmless to repeat.
        grace: see its help.
        mailbox: see its help.
        backups: see its help.
        every: see its help; metrics are on BOWERBIRD_METRICS_HOST and BOWERBIRD_METRICS_PORT.
        as_json: see its help.
    """
    try:
        settings = issuer_settings()
        audit = _Audit(settings, repair=repair, grace=timedelta(minutes=grace), mailbox=mailbox, backups=backups)
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 2
    if every is None:
        return _once(audit, as_json=as_json)
    for check in CHECKS:
        metrics.DIFFERENCES.labels(check)
    with metrics.served(settings.metrics_host, settings.metrics_port):
        while True:
            time.sleep(every * _HOUR if _once(audit, as_json=as_json) != 2 else _AGAIN_SECONDS)


def _once(audit: "_Audit", *, as_json: bool) -> int:
    begun = time.monotonic()
    try:
        found = asyncio.run(audit.run())
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 2
    except (PyMongoError, KafkaError, OSError) as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
        return 2
    except UNREADABLE as error:
        print(f"bowerbird: the stores hold what this audit cannot read ({error!r}); report it", file=sys.stderr)
        return 2
    for check in CHECKS:
        metrics.DIFFERENCES.labels(check).set(found.counts[check])
    metrics.SECONDS.set(time.monotonic() - begun)
    metrics.LAST_SUCCESS.set_to_current_time()
    print(_json(found) if as_json else "\n".join(_lines(found)), flush=True)
    return 0 if found.is_right else 1


def _json(found: Found) -> str:
    answer = {
        "differences": {check: found.counts[check] for check in CHECKS},
        "examples": found.shown,
        "published": found.repaired,
        "backup": found.backup,
        "unread_backups": found.unread,
    }
    return orjson.dumps(answer).decode()


def _lines(found: Found) -> list[str]:
    lines = [
        line
        for check, count in found.counts.items()
        for line in (f"{check}: {count} {CHECKS[check]}", *(f"    {each}" for each in found.shown[check]))
    ]
    lines += [f"backup: {found.backup}"] if found.backup else []
    lines += [f"{found.repaired} events published; audit again when they are consumed"] if found.repaired else []
    if found.counts["documents_unreadable"]:
        lines.append("what to do with documents_unreadable: docs/runbooks/restore.md, 'Documents that cannot be read'")
    return [f"older backup: {each}" for each in found.unread] + (lines or [f"0 differences in {len(CHECKS)} checks"])


class _Audit:
    """One way of auditing, done as often as asked."""

    def __init__(
        self, settings: ServiceSettings, *, repair: bool, grace: timedelta, mailbox: Path | None, backups: Path | None
    ) -> None:
        self._settings = settings
        self._repair = repair
        self._grace = grace
        self._mailbox = mailbox
        self._backups = backups
        self._encryption = _encryption(settings)

    async def run(self) -> Found:
        """Look at everything, and repair what is to be repaired.

        Raises:
            PyMongoError, KafkaError: a store does not answer.
            OSError: a topic was made anew meanwhile.
            SettingsError: the authority's secret is not the one that the stores were filled under.
        """
        found, settings = Found(), self._settings
        if self._backups is not None:
            found.backup, found.unread = await asyncio.to_thread(_newest_backup, self._backups)
        url = settings.mongo_url.get_secret_value()
        client = mongo.connect(url, "bowerbird-audit", mongo_options(settings), patient=True)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(mongo.close, client)
            authority, at = await Authority.of_stores(settings, client), now()
            publications = Publications(client, authority, at)
            repairs = _Repairs(client["issuer"], publications)
            keys = SigningKeyRepository(client, client["issuer"])
            if self._repair:
                for name in PUBLISHERS:
                    repairs.kafkas[name] = kafka = Kafka(settings, name, authority.ids.event_id)
                    stack.push_async_callback(kafka.stop)
                    await kafka.connect()
            stored = StoreRepairs(client["issuer"], authority.sealing, repairs.record, at)
            async for each in self._differences(client, authority, publications, at):
                found.note(each)
                await repairs.add(each.repair)
                repairs.add_key(each.key)
                if self._repair:
                    await stored.add(each)
            await repairs.publish()
            await stored.publish()
            await repairs.copy(keys, self._encryption)
        found.repaired = repairs.published + stored.lists
        return found

    async def _differences(
        self, client: mongo.Client, authority: Authority, publications: Publications, at: datetime
    ) -> AsyncIterator[Difference]:
        settled = at - self._grace
        damage = publications.damage
        checks = StoreChecks(client, authority.ids, authority.announcer, damage, at=at, grace=self._grace)
        async for each in checks.differences():
            yield each
        async for each in lists.differences(client, settled, damage):
            yield each
        async for some in publications.unanswered():
            for command in some:
                if command.time < settled:
                    yield Difference("commands_undone", f"credential {command.key}", (("issuer", command),))
        async for asked in publications.unwithdrawn():
            for event in asked:
                if event.withdrawn_at < settled:
                    what = f"batch {event.batch_id}, row {event.row}"
                    yield Difference("withdrawals_undone", what, (("issuer", event),))
        with topics.TopicIndex() as index:
            async for each in topics.differences(self._settings, publications.compacted(), index, settled):
                yield each
        async for each in self._keys_and_damage(client, settled, damage):
            yield each
        if self._mailbox is not None:
            mails = await asyncio.to_thread(mailboxes.mails_in, self._mailbox)
            async for each in mailboxes.differences(client, mails, settled):
                yield each

    async def _keys_and_damage(
        self, client: mongo.Client, settled: datetime, damage: Damage
    ) -> AsyncIterator[Difference]:
        copies, keys = await topics.key_copies(self._settings), SigningKeyRepository(client, client["issuer"])
        async for each in key_copies.differences(copies, keys, self._encryption, settled, damage):
            yield each
        await loops.look_at_all(client, damage)
        # Last: by now all else was read.
        for name in damage.found:
            yield Difference("documents_unreadable", name)


class _Repairs:
    """Publishes events, some at a time, once the audit log says that it is done; without a connection none."""

    def __init__(self, audited: mongo.Database, publications: Publications) -> None:
        self._audited = audited
        self._publications = publications
        self._trace = new_trace()
        self.kafkas: dict[str, Kafka] = {}
        self.published = 0
        self._recorded = False
        self._held: dict[str, list[Event]] = {}
        self._keys: list[StoredKey] = []

    def add_key(self, key: StoredKey | None) -> None:
        """Have the sealed copy of this key made again by `copy`."""
        if key is not None and self.kafkas:
            self._keys.append(key)

    async def copy(self, keys: SigningKeyRepository, encryption: FileKeyEncryption | None) -> None:
        """Make sealed copies again."""
        if self._keys and encryption is not None:
            await self.record()
            copies = KeyCopies(keys, encryption, publish=self.kafkas["issuer"].publish, clock=now)
            self.published += (await copies.again(self._keys)).count

    async def add(self, events: Sequence[tuple[str, Event]]) -> None:
        """Publish these, soon."""
        for publisher, event in events if self.kafkas else ():
            self._held.setdefault(publisher, []).append(event)
        if sum(map(len, self._held.values())) >= _AT_ONCE:
            await self.publish()

    async def publish(self) -> None:
        """Publish what is held, and wait until it is confirmed."""
        if self._held:
            await self.record()
        for publisher, held in self._held.items():
            await self._publications.publish(held, self.kafkas[publisher].publish, self._trace)
            self.published += len(held)
        self._held.clear()

    async def record(self) -> None:
        """Record, once, that this audit repairs."""
        if not self._recorded:
            entry = Entry(Action.TOPICS_REPAIRED, operators_cause(self._trace), (ALL_ISSUERS,), "topics")
            await operators_log(self._audited).record(entry)
            self._recorded = True


def _encryption(settings: ServiceSettings) -> FileKeyEncryption | None:
    """Return the key-encryption key; None where an audit is not given it."""
    try:
        return FileKeyEncryption.read(settings.kek_file, settings.other_kek_file)
    except SettingsError:
        return None


def _newest_backup(folder: Path) -> tuple[str | None, list[str]]:
    """Read the newest backup in a folder and measure it.

    Returns:
        what is the matter with the newest, None where it is whole; and older ones whose manifest cannot be read.
    """
    whole, unread = [], []
    for path in folder.glob(f"[!.]*/{manifest.NAME}"):
        # Of a manifest that cannot be read nothing tells the moment: the directory's time stands for it.
        with suppress(FileNotFoundError):  # one that is deleted meanwhile, since it is no longer kept
            written = path.parent.stat().st_mtime
            try:
                whole.append((manifest.read(path.parent).at, written, path.parent))
            except BackupError as error:
                path.parent.stat()
                unread.append((written, str(error)))
    unread.sort()
    if not whole:
        return (unread[-1][1] if unread else f"there is none in {folder}"), [each for _, each in unread[:-1]]
    at, written, newest = max(whole)
    metrics.BACKUP_NEWEST.set(at.timestamp())
    if unread and unread[-1][0] > written:
        return unread[-1][1], [each for _, each in unread[:-1]]
    older = [each for _, each in unread]
    try:
        for each in manifest.read(newest).files:
            require_intact(newest, each)
    except BackupError as error:
        return str(error), older
    metrics.BACKUP_VERIFIED.set_to_current_time()
    return None, older
