"""Secrets in files: 32 random bytes in base64, in a file that its owner alone may use."""

import base64
import binascii
import stat
from pathlib import Path

from libs.common.settings import SettingsError

SECRET_BYTES = 32


def read_secret(path: Path, variable: str) -> bytes:
    """Return the 32 bytes that the file holds.

    Args:
        path: the file.
        variable: the environment variable that names it, for the message.

    Raises:
        SettingsError: the file is missing, readable by others, or holds something else; says what to do.
    """
    # A new one in place of one that was lost forks every id, and opens nothing that was sealed.
    make = (
        "put it back from where you keep it; only for an installation that has none yet, make one with: "
        f"(umask 077; head -c {SECRET_BYTES} /dev/urandom | base64 > {path})"
    )
    text = read_private(path, variable, make)
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise SettingsError(f"{variable}: {path} does not hold {SECRET_BYTES} bytes in base64; {make}")
    return secret


def read_private(path: Path, variable: str, make: str) -> str:
    """Return the ASCII text of a file that its owner alone may use.

    Args:
        path: the file.
        variable: the environment variable that names it, for the message.
        make: how to make one, for the message.

    Raises:
        SettingsError: the file is missing, readable by others, or no text; says what to do.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise SettingsError(f"{variable}: there is no file {path}; {make}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {path} cannot be read ({type(error).__name__}); {make}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(
            f"{variable}: others than its owner may use {path} (mode {stat.S_IMODE(mode):04o}); do: chmod 600 {path}"
        )
    return text
