"""What commands need that make events as the issuer service makes them: its settings, ids and announcements."""

from bowerbird.operators import every_setting
from libs.common.authority_secret import AuthoritySecret
from libs.contracts.ids import Ids
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.settings import ServiceSettings
from services.issuer.urls import Urls


def issuer_settings() -> ServiceSettings:
    """Return the settings of the issuer service, from an environment that may hold those of others too.

    Raises:
        SettingsError: a variable is no setting of any service, or not valid.
    """
    return ServiceSettings.load(also_known=every_setting)


class Authority:
    """What makes ids and announcements, the same as the issuer service makes."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Read the authority's secret.

        Raises:
            SettingsError: it cannot be used.
        """
        secret = AuthoritySecret.load(settings.authority_secret_file)
        self.ids = Ids(secret.key)
        pseudonym = self.ids.learner_pseudonym if settings.partners_link_learners else None
        self.announcer = Announcer(Urls(settings.public_base), RecordSealing(secret.key), pseudonym)
