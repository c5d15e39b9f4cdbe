"""The command `issuer-list-key`: makes the key that signs the list of issuers, and says by which name to trust it."""

import base64
import secrets
import sys
from pathlib import Path

from libs.access.key_files import write_new
from libs.common.secret_files import SECRET_BYTES
from libs.common.settings import SettingsError
from libs.openbadges.crypto.did import did_key
from services.issuer.registry.publication import read_list_key


def issuer_list_key(*, key_file: Path = Path("var/secrets/issuer-list-key")) -> int:
    """Make the key that signs the list of issuers, unless it is there; print the did:key that readers trust.

    Args:
        key_file: the issuer service's alone (BOWERBIRD_ISSUER_LIST_KEY_FILE).
    """
    try:
        if not key_file.exists():
            write_new(key_file, base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii"))
        print(did_key(read_list_key(key_file).public_multibase))
    except SettingsError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    return 0
