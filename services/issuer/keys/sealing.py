"""The secret of a signing key as it is stored: what it is sealed together with, and how it is opened and checked."""

from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.model.errors import CredentialError
from services.issuer.keys.encryption import KeyEncryption, KeyUnavailableError, Sealed
from services.issuer.keys.repository import StoredKey
from services.issuer.keys.states import SigningKey


def bound_to(key: SigningKey) -> str:
    """Return what the secret of this key is sealed together with, so that it opens for no other key or issuer."""
    return f"signing key {key.key_id} of issuer {key.issuer_id}"


def sealed(key: SigningKey, secret: Ed25519Key, encryption: KeyEncryption) -> Sealed:
    """Return the secret of this key, sealed."""
    return encryption.seal(secret.seed, bound_to(key))


def opened(stored: StoredKey, encryption: KeyEncryption) -> Ed25519Key:
    """Return the secret of this key.

    Raises:
        KeyUnavailableError: it does not open, or what opens is the secret of another key.
    """
    seed = encryption.open(stored.sealed, bound_to(stored.key))
    try:
        secret = Ed25519Key.from_seed(seed)
    except CredentialError:
        secret = None
    if secret is None or secret.public_multibase != stored.key.key_id:
        raise KeyUnavailableError(f"{bound_to(stored.key)} opens to another key's secret: what is stored was changed")
    return secret
