"""Making the files of access: the secret that signs grants with its public half, and administrators' keys."""

import base64
import os
import secrets
from datetime import date
from pathlib import Path

from libs.access.administrators import parsed
from libs.access.key_text import key_sha256, new_key
from libs.access.signatures import GrantSigner
from libs.common.secret_files import SECRET_BYTES


def make_grant_keys(secret_file: Path, public_file: Path) -> str:
    """Make the secret unless it is there, and see that the public half stands in the other file; return that half.

    Other lines of the public file stay: for as long as two secrets are in use, both count.

    Raises:
        SettingsError: the secret is there and cannot be used.
        OSError: a file cannot be written.
    """
    if not secret_file.exists():
        write_new(secret_file, base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii"))
    public = GrantSigner.load(secret_file).public_key
    lines = public_file.read_text("ascii").split() if public_file.exists() else []
    if public not in lines:
        _replace(public_file, [*lines, public])
    return public


def add_administrator(name: str, key_file: Path, admin_keys_file: Path, last_day: date | None = None) -> None:
    """Make an API key for an administrator, and add the line with its digest to the file that the issuer reads.

    Args:
        name: of the administrator.
        key_file: a new file, for the key.
        admin_keys_file: the file that the issuer reads.
        last_day: on which the key works, in UTC; None for one without an end.

    Raises:
        SettingsError: the file of administrators holds something else, or the name cannot stand in it; nothing is made.
        OSError: the key's file is there already, or a file cannot be written.
    """
    lines = admin_keys_file.read_text("ascii").splitlines() if admin_keys_file.exists() else []
    key = new_key()
    lines.append(f"{name} {key_sha256(key)}{'' if last_day is None else f' {last_day.isoformat()}'}")
    parsed(lines, admin_keys_file)
    write_new(key_file, key)
    _replace(admin_keys_file, lines)


def write_new(path: Path, content: str) -> None:
    """Write a secret into a new file that its owner alone may use.

    Raises:
        FileExistsError: there is a file already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{content}\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, lines: list[str]) -> None:
    """Write a file that holds no secret, completely or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    partial.chmod(0o644)
    partial.replace(path)
