"""`bowerbird backup` and `bowerbird restore`: what they are told, print, and how they end."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

from aiokafka.errors import KafkaError
from cyclopts import Parameter
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bowerbird.backups import manifest
from bowerbird.backups.backup import make, require_new, require_whole_stores
from bowerbird.backups.manifest import BackupError, Manifest
from bowerbird.backups.places import erasures_ended_since, lost_since, places, span, topic_ids
from bowerbird.backups.restore import Target, look_at, require_free, require_whole, restore
from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import store_settings, why_store_failed
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Details, Entry
from libs.common import mongo
from libs.common.mongo import Client
from libs.common.settings import Settings, SettingsError
from libs.common.store_access import mongo_options

_HOUR: Final = 3600
# Versions before it kept erasures on Kafka alone.
_LEDGER: Final = "notifier.erasures"
_UNKNOWN: Final = (
    "Nothing was restored: Kafka cannot be asked, so nobody can tell what of the time after this backup is lost. Start "
    "Kafka, or see why it does not answer, and look again. Is it lost for good, say --without-kafka: what came after "
    "the backup is lost with it then, and whoever was erased since is to be erased again."
)

Longest = Annotated[int, Parameter(help="hours for which MongoDB keeps the moment readable: longest that it may take")]
Reason = Annotated[str | None, Parameter(help="why, in your words, for the audit log")]
Yes = Annotated[bool, Parameter(negative="", help="do it; without this it is only looked at")]
WithoutKafka = Annotated[
    bool, Parameter(negative="", help="do it also where Kafka, which has what came after the backup, cannot be asked")
]


def backup(folder: Path, /, *, longest: Longest = 12, reason: Reason = None) -> int:
    """Write a backup of all databases, as they are at one moment, into a new directory, while services run.

    It connects as one who may read every database, and add to the audit log (as `bowerbird setup` does), which has an
    entry of it before anything is read. The signing keys in the backup are
    sealed: keep the key-encryption key, the authority's secret and the other files of secrets elsewhere.

    Args:
        folder: the directory, which must not exist.
        longest: see its help.
        reason: see its help.
    """

    async def run(settings: Settings, client: Client, progress: "_Progress") -> int:
        noted = await places(settings)
        require_new(folder)
        await require_whole_stores(client)
        subject = f"backup {folder.name}"
        entry = Entry(Action.DATABASES_BACKED_UP, operators_cause(), (ALL_ISSUERS,), subject, reason)
        await operators_log(client["issuer"]).record(entry)
        unknown: list[str] = []
        made = await make(
            client, folder, noted, longest_seconds=longest * _HOUR, tell=progress.show, unknown=unknown.append
        )
        size = sum(each.bytes for each in made.files)
        progress.line(f"{folder}: {made.documents} documents, {size} bytes, as of {made.at.isoformat()}")
        progress.line(f"manifest {made.digest}; note it elsewhere")
        for each in unknown:
            print(f"bowerbird: copied as it is: {each}", file=sys.stderr)
        return 0

    return _told(run)


def restore_backup(
    folder: Path, /, *, yes: Yes = False, without_kafka: WithoutKafka = False, reason: Reason = None
) -> int:
    """Restore a backup into empty stores, while no service runs; without --yes look whether it can be, and say so.

    The audit log of the issuer service says so in an entry behind those that were restored.

    Args:
        folder: the backup's directory.
        yes: see its help.
        without_kafka: see its help.
        reason: see its help.
    """

    async def run(settings: Settings, client: Client, progress: "_Progress") -> int:
        found = manifest.read(folder)
        target = await look_at(client)
        for line in _plan(folder, found, target):
            progress.line(line)
        replay, asked = await _replay(settings, found)
        for line in replay:
            progress.line(line)
        require_free(target, found)
        if yes and not asked and not without_kafka:
            raise BackupError(_UNKNOWN)
        progress.line("looking whether every file is whole")
        await require_whole(folder, found, progress.show)
        if not yes:
            progress.line("The backup is whole and the stores are free. Nothing was done: say --yes to restore.")
            return 0
        details: Details = {"manifest": found.digest, "moment": found.at.isoformat(), "documents": found.documents}
        subject = f"backup {folder.name}"
        entry = Entry(Action.DATABASES_RESTORED, operators_cause(), (ALL_ISSUERS,), subject, reason, details)
        await restore(client, folder, found, progress.show, entry)
        progress.line(f"restored: {found.documents} documents, as of {found.at.isoformat()}")
        progress.line("Next: `bowerbird setup`, then start the services; they read what was published since.")
        return 0

    return _told(run)


def _plan(folder: Path, found: Manifest, target: Target) -> list[str]:
    keys = ", ".join(f"{count} under {kek_id}" for kek_id, count in found.sealed_keys.items()) or "none"
    older = _version(target.version) < _version(found.mongodb)
    return [
        f"backup    {folder}, as of {found.at.isoformat()}, manifest {found.digest}",
        f"holds     {found.documents} documents in {len(found.files)} collections",
        f"needs     the authority's secret {', '.join(found.secret_ids) or '(none yet)'}",
        f"needs     the key-encryption keys of its signing keys: {keys}",
        f"made by   Bowerbird {found.bowerbird}, from MongoDB {found.mongodb}",
        *(["begun     all was written before; what is left to do is done now"] if target.begun == found.digest else []),
        f"into      MongoDB {target.version}{': OLDER than the one it was read from' if older else ''}",
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


async def _replay(settings: Settings, found: Manifest) -> tuple[list[str], bool]:
    """Return what Kafka holds of what came after the backup, and whether it could be asked."""
    if found.places is None:
        return [], True
    try:
        ids, (first, ends) = await topic_ids(settings), await span(settings)
    except KafkaError as error:
        unknown = (
            f"replay    UNKNOWN: Kafka cannot be asked ({type(error).__name__}). What came after the backup comes from "
            "there alone; whether it still has it, and what is lost, no line here says"
        )
        return [unknown], False
    since = sum(
        max(0, end - found.places.ends.get(topic, {}).get(number, 0))
        for topic, offsets in ends.items()
        for number, end in offsets.items()
    )
    with_ledger = any(each.name == _LEDGER for each in found.files)
    lost = [
        *lost_since(found.places, first, ends, ids, with_ledger=with_ledger),
        *erasures_ended_since(found.at, datetime.now(UTC)),
    ]
    return [f"replay    {since} records were published since", *(f"LOST      {each}" for each in lost)], True


class _Progress:
    """Shows how far the work is: a line that changes at a terminal, a line for each collection elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal else None
        self._shown = ("", 0)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        if self._live is not None:
            self._live.stop()

    def show(self, collection: str, documents: int) -> None:
        """Show how many documents of a collection are done."""
        if self._shown[0] != collection:
            self._finish()
        self._shown = (collection, documents)
        if self._live is not None:
            self._live.update(Text(f"{collection}: {documents}"))

    def line(self, text: str) -> None:
        """Print a line that stays."""
        self._finish()
        self._console.print(text, soft_wrap=True)

    def _finish(self) -> None:
        collection, documents = self._shown
        self._shown = ("", 0)
        if collection:
            self._console.print(f"  {collection}: {documents}", soft_wrap=True)


def _told(work: Callable[[Settings, Client, _Progress], Coroutine[Any, Any, int]]) -> int:
    """Run a command; what was foreseen is one sentence on stderr and exit status 1."""

    async def run(settings: Settings) -> int:
        url = settings.mongo_url.get_secret_value()
        client = mongo.connect(url, "bowerbird-backup", mongo_options(settings), patient=True)
        try:
            with _Progress() as progress, _ended_by_sigterm():
                return await work(settings, client, progress)
        finally:
            await mongo.close(client)

    try:
        return asyncio.run(run(store_settings()))
    except (SettingsError, BackupError) as error:
        problem = str(error)
    except (PyMongoError, KafkaError) as error:
        problem = why_store_failed(error)
    except asyncio.CancelledError:
        problem = "Ended by a signal before it was done."
    print(f"bowerbird: {problem}", file=sys.stderr)
    return 1


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM cancel this task, so that what it changed for as long as it runs is set back."""
    task = asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
