"""The commands that make the files of access: `grant-keys` and `admin-key`."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from libs.access.key_files import add_administrator, make_grant_keys
from libs.common.settings import SettingsError

_NAME = Parameter(help="small letters, digits, dots and hyphens; it stands in the audit log")
_LAST_DAY = Parameter(help="such as 2027-06-30: the last day, in UTC, on which the key works; none: it has no end")


def grant_keys(
    *, secret_file: Path = Path("var/secrets/grant-secret"), public_file: Path = Path("var/secrets/grant-keys")
) -> int:
    """Make the secret that signs grants of API keys, once, and write its public half for every service.

    Args:
        secret_file: the issuer service's alone (BOWERBIRD_GRANT_SECRET_FILE).
        public_file: for every service (BOWERBIRD_GRANT_KEYS_FILE).
    """
    try:
        print(make_grant_keys(secret_file, public_file))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    return 0


def admin_key(
    name: Annotated[str, _NAME],
    *,
    key_file: Path,
    admin_keys_file: Path = Path("var/secrets/admin-keys"),
    last_day: Annotated[date | None, _LAST_DAY] = None,
) -> int:
    """Make an administrator's API key; to withdraw it, take its line out of the file.

    Args:
        name: whose it is.
        key_file: a new file, for the administrator alone.
        admin_keys_file: the file that the issuer service reads (BOWERBIRD_ADMIN_KEYS_FILE).
        last_day: see its help.
    """
    try:
        add_administrator(name, key_file, admin_keys_file, last_day)
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    print(f"the key is in {key_file}; the issuer service writes it down, and knows it within two seconds")
    return 0
