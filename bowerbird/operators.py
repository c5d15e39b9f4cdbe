"""What commands for operators share: the settings of the stores, whosever environment it is."""

from bowerbird.registry import NAMES, find
from bowerbird.setup import SetupSettings
from libs.common.settings import Settings


def every_setting() -> set[str]:
    """Return the names of the settings of all services and of `bowerbird setup`: one file may hold them all."""
    of_services = {each for name in NAMES for each in find(name).settings.model_fields}
    return {*of_services, *SetupSettings.model_fields}


def store_settings() -> Settings:
    """Return what an environment says of the stores: a service's own, or that of `bowerbird setup`.

    Raises:
        SettingsError: a variable is no setting of any service, or not valid.
    """
    return Settings.load(also_known=every_setting)
