"""Puts access together: the administrators of the file, and what makes API keys and withdraws them."""

from functools import partial

from libs.access.administrator_log import AdministratorLog
from libs.access.administrators import Administrators
from libs.access.api_keys import ALL_ISSUERS, ApiKeys
from libs.access.catching_up import CatchingUp
from libs.access.grant_probe import GrantProbe, published_grants
from libs.access.key_use import UseWorker
from libs.access.repository import KeyRepository
from libs.access.signatures import PUBLIC_VARIABLE, GrantKeys, GrantSigner
from libs.access.worker import AccessWorker, Restoring
from libs.common.arrivals import Arrivals
from libs.common.clock import now
from libs.common.runtime import Plumbing
from libs.common.settings import SettingsError
from libs.contracts import topics
from libs.contracts.events import (
    ApiKeyGranted,
    ApiKeyUsed,
    ApiKeyWithdrawn,
)
from services.issuer.access.administration import KeyAdministration
from services.issuer.access.administrators_api import administrator_routes
from services.issuer.access.api import access_routes
from services.issuer.catalogue.repository import Catalogue
from services.issuer.settings import ServiceSettings


def known_administrators(plumbing: Plumbing, settings: ServiceSettings) -> tuple[Administrators, AdministratorLog]:
    """Return those of the file, each let in once the audit log has its key, and what writes that down.

    Raises:
        SettingsError: the file cannot be used.
    """
    administrators = Administrators(settings.admin_keys_file)
    noted = AdministratorLog(administrators, plumbing.audit, ALL_ISSUERS)
    plumbing.require(noted.compare)
    plumbing.repeat("administrators", noted.tick)
    plumbing.repeat("administrators-used", noted.write_uses)
    return administrators, noted


def add_access(
    plumbing: Plumbing,
    settings: ServiceSettings,
    *,
    keys: ApiKeys,
    access: KeyRepository,
    known: Catalogue,
    noted: AdministratorLog,
) -> None:
    """Register what makes and withdraws API keys, and lists those of administrators.

    Raises:
        SettingsError: the secret that signs grants cannot be used, or its public half is not among the public keys.
    """
    signer, grant_keys = GrantSigner.load(settings.grant_secret_file), GrantKeys.load(settings.grant_keys_file)
    plumbing.reload("grant-keys", lambda: grant_keys.renew(settings.grant_keys_file))
    if signer.public_key not in grant_keys:
        raise SettingsError(
            f"{PUBLIC_VARIABLE}: {settings.grant_keys_file} lacks the public half of {settings.grant_secret_file}; "
            "`bowerbird grant-keys` adds it"
        )
    probe = GrantProbe(plumbing.database)
    plumbing.require(partial(probe.require, grant_keys))
    # Before any grant is read: those that no key of the file signed would count for nothing, and be passed by.
    published = partial(published_grants, plumbing.kafka)
    plumbing.preparation.add("asking who signed grants", partial(probe.make, signer, grant_keys, published))
    granted = Arrivals()
    worker = AccessWorker(access, grant_keys)
    catching_up = CatchingUp(plumbing.kafka, plumbing.positions, f"{plumbing.service}-access", worker)
    plumbing.preparation.add("reading API keys", catching_up.run)
    keys.wait_until(lambda: catching_up.done)
    contracts: list[type[ApiKeyGranted | ApiKeyWithdrawn]] = [ApiKeyGranted, ApiKeyWithdrawn]
    plumbing.consume(
        name="access",
        topics=[topics.ACCESS_KEYS],
        contracts=contracts,
        handle=granted.after(Restoring(worker, access).handle),
        tombstones=True,
    )
    plumbing.consume(
        name="key-use", topics=[topics.ACCESS_USE], contracts=[ApiKeyUsed], handle=UseWorker(access).handle
    )
    administration = KeyAdministration(
        access, signer=signer, audit=plumbing.audit, arrivals=granted, publish=plumbing.kafka.publish, clock=now
    )
    plumbing.repeat("keys-not-shown", administration.end_not_shown)
    plumbing.app.include_router(access_routes(keys, administration, known))
    plumbing.app.include_router(administrator_routes(keys, noted))
