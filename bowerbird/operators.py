"""What commands for operators share: the settings of the stores, and what is said where one of them fails."""

from typing import Final

from aiokafka.errors import AuthenticationFailedError, KafkaError, SaslAuthenticationFailed, for_code
from pymongo.errors import OperationFailure, PyMongoError

from bowerbird.registry import NAMES, find
from bowerbird.setup import SetupSettings
from libs.common.fence import UnfinishedRestoreError
from libs.common.settings import Settings

# Of Kafka's protocol: to a topic, a group, the cluster, a transactional id.
_KAFKA_REFUSES: Final = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    *(for_code(code) for code in (29, 30, 31, 53)),
)
# MongoDB's Unauthorized and AuthenticationFailed.
_MONGO_REFUSES: Final = {13, 18}


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


def why_store_failed(error: PyMongoError | KafkaError | OSError) -> str:
    """Return what is the matter with a store, and what to do, for whoever runs the command."""
    if isinstance(error, UnfinishedRestoreError):
        return str(error)
    store = "MongoDB" if isinstance(error, PyMongoError) else "Kafka"
    kind = type(error).__name__
    if isinstance(error, _KAFKA_REFUSES):
        return f"Kafka refuses it ({kind}): run it as a user who may do it"
    if isinstance(error, OperationFailure):
        name = (error.details or {}).get("codeName", error.code)
        if error.code in _MONGO_REFUSES:
            return f"MongoDB refuses it ({name}): run it as a user who may do it"
        return f"MongoDB cannot do it ({kind}, {name})"
    return f"{store} does not answer ({kind}); run this again"
