"""`bowerbird rewrap`: seals the issuers' signing keys anew under the key-encryption key in BOWERBIRD_KEK_FILE."""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Annotated

from aiokafka.errors import KafkaError
from cyclopts import Parameter
from pymongo.errors import PyMongoError

from bowerbird.authority import Authority
from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.operators import why_store_failed
from libs.common import mongo
from libs.common.clock import now
from libs.common.kafka import Kafka
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption
from services.issuer.keys.probe import KeyEncryptionProbe
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.rewrapping import Rewrapped, Rewrapping
from services.issuer.settings import ServiceSettings


def rewrap(
    *, dry_run: Annotated[bool, Parameter(negative="", help="say what would be done, and do nothing")] = False
) -> int:
    """Seal the issuers' signing keys anew; harmless to repeat and to interrupt, while services run.

    It takes the environment of the issuer service: BOWERBIRD_KEK_FILE names the new key-encryption key, and
    BOWERBIRD_OTHER_KEK_FILE the one that is to be given up. The operator's guide has the steps.
    """
    try:
        settings = ServiceSettings.load()
        encryption = FileKeyEncryption.read(settings.kek_file, settings.other_kek_file)
        done = asyncio.run(_rewrap(settings, encryption, dry_run=dry_run))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    except (PyMongoError, KafkaError) as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
        return 1
    print(f"{done.count} signing keys {'would be' if dry_run else 'were'} sealed anew under {done.kek_id}")
    for kek_id, count in done.left.items():
        print(f"{count} are sealed under {kek_id}")
    for problem in done.problems:
        print(f"bowerbird: {problem}", file=sys.stderr)
    return 1 if done.problems else 0


async def _rewrap(settings: ServiceSettings, encryption: FileKeyEncryption, *, dry_run: bool) -> Rewrapped:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-rewrap", mongo_options(settings))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mongo.close, client)
        authority = await Authority.of_stores(settings, client, ["issuer"])
        kafka = Kafka(settings, "issuer", authority.ids.event_id)
        stack.push_async_callback(kafka.stop)
        database: mongo.Database = client["issuer"]
        repository = SigningKeyRepository(client, database)
        copies = KeyCopies(repository, encryption, publish=kafka.publish, clock=now)
        probe = KeyEncryptionProbe(database, repository, encryption)
        rewrapping = Rewrapping(repository, encryption, copies=copies, probe=probe, audit=operators_log(database))
        if dry_run:
            return await rewrapping.dry_run()
        await kafka.connect()
        return await rewrapping.run(operators_cause())
