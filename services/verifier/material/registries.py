"""The registries that the operator trusts, read at start from the file that names them."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from libs.common.settings import SettingsError
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.trust import Registry, read_registry


class TrustedRegistry(BaseModel):
    """One registry: its document, what it is called, and of a signed one the did:key that must have signed it."""

    model_config = ConfigDict(extra="forbid")

    file: Path
    name: str | None = None
    signer: str | None = None


class TrustedRegistries(BaseModel):
    """The file: {"registries": [{"file", "name"?, "signer"?}]}; files stand relative to it."""

    model_config = ConfigDict(extra="forbid")

    registries: list[TrustedRegistry]


def trusted_registries(path: Path | None, now: datetime) -> tuple[Registry, ...]:
    """Read the registries; without a file there are none.

    Raises:
        SettingsError: a file is missing or not in the form that it must have, or a signature does not hold up: better
            not to start than to call a listed issuer unknown.
    """
    if path is None:
        return ()
    try:
        named = TrustedRegistries.model_validate_json(path.read_bytes())
        return tuple(
            read_registry((path.parent / one.file).read_bytes(), name=one.name, signer=one.signer, now=now)
            for one in named.registries
        )
    except (OSError, ValidationError, CredentialError) as error:
        raise SettingsError(f"the trusted registries of {path} cannot be used: {error}") from error
