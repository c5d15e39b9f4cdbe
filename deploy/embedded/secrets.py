"""The keys of an embedded stack: made once, random, readable by this user alone."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from deploy import store_access
from deploy.embedded.layout import Layout
from deploy.embedded.problems import StackError, from_os_error
from libs.access.key_text import key_sha256, new_key
from libs.access.signatures import GrantSigner

_KEY_BYTES: Final = 32


def prepare(layout: Layout) -> None:
    """Make, before the stores have anything, what belongs to it.

    Raises:
        StackError: one of these files is gone, and a store is not.
    """
    for each in (authority_secret_file, kek_file, grant_secret_file, issuer_list_key_file):
        each(layout)


def kek_file(layout: Layout) -> Path:
    """The file with the key-encryption key: 32 random bytes in base64. It belongs to the stores.

    Raises:
        StackError: it is gone, and a store is not: no signing key that is sealed there would open again.
    """
    return _of_stores(layout, "kek", "signing keys were sealed under it")


def authority_secret_file(layout: Layout) -> Path:
    """The file with the secret that ids are derived from: 32 random bytes in base64. It belongs to the stores.

    Raises:
        StackError: it is gone, and a store is not: a new one would give everything in it another id.
    """
    return _of_stores(layout, "authority-secret", "ids were derived from it")


def admin_key(layout: Layout) -> str:
    """The API key of the one administrator, which creates issuers. Only its digest is given to a service."""
    path = layout.secrets / "admin-key"
    _once(path, new_key())
    return path.read_text(encoding="ascii").strip()


def admin_keys_file(layout: Layout) -> Path:
    """The file with the digest by which the issuer service knows the admin key; more may be added to it."""
    path = layout.secrets / "admin-keys"
    _once(path, f"first {key_sha256(admin_key(layout))}")
    return path


def grant_secret_file(layout: Layout) -> Path:
    """The file with the secret that signs grants of API keys, for the issuer service alone.

    Raises:
        StackError: it is gone, and a store is not.
    """
    return _of_stores(layout, "grant-secret", "API keys were granted with it")


def grant_keys_file(layout: Layout) -> Path:
    """The file with the public half of that secret, for every service."""
    path = layout.secrets / "grant-keys"
    _once(path, GrantSigner.load(grant_secret_file(layout)).public_key)
    return path


def issuer_list_key_file(layout: Layout) -> Path:
    """The file with the key that signs the list of issuers, for the issuer service alone.

    Raises:
        StackError: it is gone, and a store is not.
    """
    return _of_stores(layout, "issuer-list-key", "readers trust the list of issuers by it")


def password_file(layout: Layout, store: str, user: str) -> Path:
    """The file with the password of this user at `kafka` or `mongodb`: 256 random bits."""
    path = passwords(layout) / f"{store}-{user}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _once(path, secrets.token_urlsafe(_KEY_BYTES))
    return path


def password(layout: Layout, store: str, user: str) -> str:
    """The password itself."""
    return password_file(layout, store, user).read_text(encoding="ascii").strip()


def passwords(layout: Layout) -> Path:
    """The folder of the passwords."""
    return layout.secrets / "passwords"


def certificate(layout: Layout, store: str) -> tuple[Path, Path]:
    """The certificate of `kafka` or `mongodb`, and the file with its key and the certificate."""
    return store_access.certificate(layout.secrets / store)


def mongodb_key_file(layout: Layout) -> Path:
    """The file by which the members of the replica set know each other; MongoDB asks for no user without one."""
    path = layout.secrets / "mongodb-key"
    _once(path, base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii"))
    return path


def _of_stores(layout: Layout, name: str, why: str) -> Path:
    """Return the file of a secret that what is stored depends on, made where nothing is stored yet."""
    path = layout.secrets / name
    filled = [each for each in (layout.mongodb, layout.kafka) if each.is_dir() and any(each.iterdir())]
    if filled and not path.exists():
        raise StackError(
            f"{path} is missing, and there are data in {' and in '.join(map(str, filled))}: {why}.",
            "Put the file back, or erase the stack: `bowerbird down --erase`.",
        )
    _once(path, base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii"))
    return path


def _once(path: Path, content: str) -> None:
    """Write a secret unless there is one: complete or not at all, and never over another one."""
    if path.exists():
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{content}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            return
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        partial.unlink(missing_ok=True)
