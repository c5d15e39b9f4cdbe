"""What commands need that make events as the issuer service makes them: its settings, ids and announcements."""

from collections.abc import Sequence
from typing import Final, Self

from bowerbird.operators import every_setting
from libs.common.authority_secret import AuthoritySecret, refuse_other
from libs.common.fence import Fence
from libs.common.mongo import Client
from libs.contracts.ids import Ids
from libs.contracts.proofs import LEARNER_EVENTS, Proofs
from services.evidence.batches.contact_sealing import ContactSealing
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.commands import Commands
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.settings import ServiceSettings
from services.issuer.urls import Urls

PUBLISHERS: Final = ("evidence", "issuer", "notifier")
"""The services whose events a command may have to publish again."""


def issuer_settings() -> ServiceSettings:
    """Return the settings of the issuer service, from an environment that may hold those of others too.

    Raises:
        SettingsError: a variable is no setting of any service, or not valid.
    """
    return ServiceSettings.load(also_known=every_setting)


class Authority:
    """What makes ids, announcements, commands and proofs, the same as the issuer service makes."""

    def __init__(self, settings: ServiceSettings, secret: AuthoritySecret) -> None:
        self.ids = Ids(secret.key)
        pseudonym = self.ids.learner_pseudonym if settings.partners_link_learners else None
        self.commands = Commands(secret.key)
        self.learner_proofs = Proofs(secret.key(LEARNER_EVENTS))
        self.sealing = RecordSealing(secret.key)
        self.contact_sealing = ContactSealing(secret.key)
        self.announcer = Announcer(Urls(settings.public_base), self.sealing, pseudonym)

    @classmethod
    async def of_stores(cls, settings: ServiceSettings, client: Client, databases: Sequence[str] = PUBLISHERS) -> Self:
        """Read the authority's secret, and hold it against the one that these databases were filled under.

        Raises:
            UnfinishedRestoreError: a database is restored by half.
            SettingsError: the secret cannot be used, or is another one.
            PyMongoError: a database is unavailable.
        """
        for name in databases:
            await Fence(client, client[name]).require_restored()
        secret = AuthoritySecret.load(settings.authority_secret_file)
        for name in databases:
            await refuse_other(client[name], secret)
        return cls(settings, secret)
