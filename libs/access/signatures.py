"""Signatures on grants: made by the issuer service's own key, checked by every service with the public half."""

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Self, TypeVar

import orjson

from libs.common.secret_files import read_secret
from libs.common.settings import PREFIX, SettingsError
from libs.contracts.events import SignedEvent
from libs.openbadges.crypto.keys import Ed25519Key, decode_public, verify_ed25519
from libs.openbadges.model.errors import CredentialError, UndecidedError

SignedT = TypeVar("SignedT", bound=SignedEvent)

SECRET_VARIABLE = f"{PREFIX}GRANT_SECRET_FILE"
PUBLIC_VARIABLE = f"{PREFIX}GRANT_KEYS_FILE"


class GrantSigner:
    """Signs facts about access. Only the issuer service has the secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519Key.from_seed(secret)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the secret: 32 bytes in base64.

        Raises:
            SettingsError: the file is missing, readable by others, or holds something else.
        """
        return cls(read_secret(path, SECRET_VARIABLE))

    @property
    def public_key(self) -> str:
        """The public half, a Multikey."""
        return self._key.public_multibase

    def sign(self, event: SignedT) -> SignedT:
        """Return the event with its signature."""
        named = event.model_copy(update={"signed_by": self.public_key})
        signature = base64.urlsafe_b64encode(self._key.sign(_signed_text(named))).decode()
        return named.model_copy(update={"signature": signature})


class GrantKeys:
    """The public keys whose signatures on grants count."""

    def __init__(self, public_keys: Iterable[str]) -> None:
        self._raw = {each: decode_public(each) for each in public_keys}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file: one Multikey a line.

        Raises:
            SettingsError: the file is missing or holds something else.
        """
        make = "make it with `bowerbird grant-keys`"
        try:
            lines = path.read_text("ascii").split()
            keys = cls(lines)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{PUBLIC_VARIABLE}: {path} cannot be read ({type(error).__name__}); {make}") from None
        except (CredentialError, UndecidedError):
            raise SettingsError(f"{PUBLIC_VARIABLE}: {path} holds something else than Ed25519 Multikeys") from None
        if not lines:
            raise SettingsError(f"{PUBLIC_VARIABLE}: {path} holds no key; {make}")
        return keys

    def renew(self, path: Path) -> None:
        """Let the keys that the file holds now count, and no others.

        Raises:
            SettingsError: as `load`; then those count that did before.
        """
        self._raw = self.load(path)._raw  # noqa: SLF001  # of this class

    def __contains__(self, public_key: str) -> bool:
        return public_key in self._raw

    def verify(self, event: SignedEvent) -> bool:
        """Return whether one of these keys signed exactly this event."""
        raw = self._raw.get(event.signed_by)
        if raw is None:
            return False
        try:
            signature = base64.urlsafe_b64decode(event.signature)
        except (binascii.Error, ValueError):
            return False
        return verify_ed25519(raw, _signed_text(event), signature)


def _signed_text(event: SignedEvent) -> bytes:
    """Return what is signed. The type stands before the data, so that no event passes for one of another type."""
    data = event.model_dump(mode="json", exclude={"signature"})
    return event.type.encode() + b"\n" + orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
