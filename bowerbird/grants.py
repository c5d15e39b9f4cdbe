"""`bowerbird sign-grants-anew`: so that the secret that signed the grants of API keys can be given up."""

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
from libs.access.grant_probe import GrantProbe
from libs.access.repository import KeyRepository
from libs.access.signatures import GrantSigner
from libs.common import mongo
from libs.common.kafka import Kafka
from libs.common.settings import SettingsError
from libs.common.store_access import mongo_options
from libs.common.telemetry import new_trace
from libs.contracts.events import ApiKeyGranted
from services.issuer.access.renewal import GrantRenewal, Renewal, subject_of
from services.issuer.settings import ServiceSettings

DryRun = Annotated[bool, Parameter(negative="", help="say what would be done, and do nothing")]


def sign_anew(*, dry_run: DryRun = False) -> int:
    """Sign the grants and withdrawals of API keys anew with the secret in BOWERBIRD_GRANT_SECRET_FILE.

    It takes the environment of the issuer service, which must run with that secret already; harmless to repeat. Exit
    status 1 where a grant is found that the audit log does not know: it is left as it is, and ends with the old secret.
    """
    try:
        settings = ServiceSettings.load()
        signer = GrantSigner.load(settings.grant_secret_file)
        found = asyncio.run(_renew(settings, signer, dry_run=dry_run))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    except (PyMongoError, KafkaError) as error:
        print(f"bowerbird: {why_store_failed(error)}", file=sys.stderr)
        return 1
    print(f"{len(found.explained)} records {'would be' if dry_run else 'were'} signed anew by {signer.public_key}")
    for each in found.unexplained:
        kind = "grant" if isinstance(each, ApiKeyGranted) else "withdrawal"
        print(f"left: the {kind} of {subject_of(each)} of {each.issuer_id}, which the audit log does not know")
    return 1 if found.unexplained else 0


async def _renew(settings: ServiceSettings, signer: GrantSigner, *, dry_run: bool) -> Renewal:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-grants", mongo_options(settings))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mongo.close, client)
        authority = await Authority.of_stores(settings, client, ["issuer"])
        kafka = Kafka(settings, "issuer", authority.ids.event_id)
        stack.push_async_callback(kafka.stop)
        database: mongo.Database = client["issuer"]
        renewal = GrantRenewal(
            KeyRepository(database), signer=signer, audit=operators_log(database), publish=kafka.publish
        )
        if dry_run:
            return await renewal.due()
        await kafka.connect()
        trace = new_trace()
        done = await renewal.run(operators_cause(trace), trace)
        await GrantProbe(database).replace(signer)
        return done
