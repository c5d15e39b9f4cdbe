"""`bowerbird republish`: fills the topics from the stores, for the day that Kafka's disk is lost and theirs is not."""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Annotated

from aiokafka.errors import KafkaError
from cyclopts import Parameter
from pymongo.errors import PyMongoError

from bowerbird.authority import PUBLISHERS, Authority, issuer_settings
from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import why_store_failed
from bowerbird.publications import Kind, Publications
from libs.access.api_keys import ALL_ISSUERS
from libs.audit.entry import Action, Entry
from libs.common import mongo
from libs.common.clock import now
from libs.common.kafka import Kafka
from libs.common.mongo import Client
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from libs.common.telemetry import new_trace
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.recovery import marks
from services.issuer.recovery.refilled import Refilled
from services.issuer.registry.repository import IssuerListRepository
from services.issuer.settings import ServiceSettings
from services.issuer.status.repository import StatusListRepository

Yes = Annotated[bool, Parameter(negative="", help="do it; without this it is only counted")]
Reason = Annotated[str | None, Parameter(help="why, in your words, for the audit log")]


def republish(*, yes: Yes = False, reason: Reason = None) -> int:
    """Publish again what the stores hold; without --yes count it. Harmless to repeat, also while services run.

    What is changed meanwhile is not lost behind its older form: credentials and keys are read once more after they were
    published, and of all else the services publish the newest again where they read an older form behind it.

    It takes the environment of the issuer service, with a user at MongoDB and Kafka who may read every database and
    write every topic, as that of `bowerbird setup` may. Run `bowerbird setup` before, so that there are topics. The
    issuer service's audit log has an entry of it before anything is published.

    Args:
        yes: see its help.
        reason: see its help.
    """
    try:
        settings = issuer_settings()
        problems = asyncio.run(_republish(settings, reason, dry_run=not yes))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    except (PyMongoError, KafkaError) as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"bowerbird: {problem}", file=sys.stderr)
    if not yes:
        print("Nothing was published: say --yes to do it.")
    return 1 if problems else 0


async def _republish(settings: ServiceSettings, reason: str | None, *, dry_run: bool) -> list[str]:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-republish", mongo_options(settings))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mongo.close, client)
        authority = await Authority.of_stores(settings, client)
        kafkas = {name: Kafka(settings, name, authority.ids.event_id) for name in PUBLISHERS}
        publications = Publications(client, authority, now())
        for kafka in kafkas.values():
            stack.push_async_callback(kafka.stop)
            if not dry_run:
                await kafka.connect()
        trace = new_trace()
        if not dry_run:
            entry = Entry(Action.TOPICS_REPUBLISHED, operators_cause(trace), (ALL_ISSUERS,), "topics", reason)
            await operators_log(client["issuer"]).record(entry)
        # Before anything is published: one that is made anew meanwhile is another one.
        filled = {} if dry_run else await kafkas["issuer"].topics.ids([each.name for each in marks.TOPICS])
        problems = await _keys(client, settings, kafkas["issuer"], dry_run=dry_run)
        for kind in publications.kinds():
            count = await _publish(publications, kind, None if dry_run else kafkas[kind.publisher], trace)
            print(f"{count:>12,}  {kind.name}", flush=True)
        await _lists(client, dry_run=dry_run)
        problems += [f"left out, since it cannot be read: {each}" for each in publications.damage.found]
        if not dry_run and not problems:
            await Refilled(client["issuer"]).note(filled.values(), now())
    return problems


async def _publish(publications: Publications, kind: Kind, kafka: Kafka | None, trace: str) -> int:
    """Publish all of this kind and wait until each is confirmed; return how many there are."""
    count = 0
    async for some in kind.events():
        if kafka is not None:
            await publications.publish(some, kafka.publish, trace)
        count += len(some)
    return count


async def _keys(client: Client, settings: ServiceSettings, kafka: Kafka, *, dry_run: bool) -> list[str]:
    """Publish the sealed copies of signing keys; return why some are not."""
    repository = SigningKeyRepository(client, client["issuer"])
    if dry_run:
        print(f"{sum((await repository.count_by_kek()).values()):>12,}  sealed copies of signing keys")
        return []
    encryption = FileKeyEncryption.read(settings.kek_file, settings.other_kek_file)
    done = await KeyCopies(repository, encryption, publish=kafka.publish, clock=now).republish()
    print(f"{done.count:>12,}  sealed copies of signing keys", flush=True)
    return list(done.problems)


async def _lists(client: Client, *, dry_run: bool) -> None:
    """Have the issuer service sign and publish the next version of every list: what it signs is newer than any copy."""
    for name, lists in (
        ("status lists, signed again by the issuer service", StatusListRepository(client["issuer"])),
        ("list of issuers, signed again by the issuer service", IssuerListRepository(client["issuer"])),
    ):
        count = await lists.count() if dry_run else await lists.change_all()
        print(f"{count:>12,}  {name}", flush=True)
