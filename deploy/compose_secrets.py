"""Makes, once, what the containers need at the stores: passwords and certificates, a folder for each container.

`python -m deploy.compose_secrets FOLDER GROUP`: in the container `keys`, where each folder is another one's volume. To
give a service another password, delete its file in `setup/passwords` and start again.
"""

import base64
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from deploy import store_access
from deploy.certificate import write_private
from libs.contracts.rights import SERVICES

# Exporters, what audits by night, and what an operator runs by hand.
_OPERATORS: Final = ("monitor", "backup", "republish")
_STORES: Final = ("kafka", "mongodb")
_BYTES: Final = 32


def main() -> int:
    """Make what is missing."""
    prepare(Path(sys.argv[1]), int(sys.argv[2]))
    return 0


def prepare(root: Path, kafka_group: int) -> None:
    """Make what is missing under `root`, and give each container its copy.

    Args:
        root: has, or gets, the folders `kafka`, `mongodb`, `setup`, and those of the operators' users and services.
        kafka_group: the group of Kafka's container, which runs as another user than this and reads its folder by it.

    Raises:
        OSError: a folder cannot be written.
    """
    # Before anything is in them.
    os.umask(0o077)
    certificates = {store: store_access.certificate(_folder(root / store), [store])[0] for store in _STORES}
    passwords = _folder(root / "setup" / "passwords")
    for store in _STORES:
        for name in (*SERVICES, *_OPERATORS):
            _once(passwords / f"{store}-{name}")
        for name in ("setup", *SERVICES, *_OPERATORS):
            own = _folder(root / name)
            password = own / f"{store}-password"
            if name == "setup":
                _once(password)
            else:
                _copy(passwords / f"{store}-{name}", password)
            _copy(certificates[store], own / f"{store}-certificate.pem")
    _kafka(root, kafka_group)
    _once(root / "mongodb" / "key-file", base64.b64encode(secrets.token_bytes(_BYTES)).decode("ascii"))
    _copy(root / "setup" / "mongodb-password", root / "mongodb" / "administrator-password")


def _kafka(root: Path, group: int) -> None:
    folder = root / "kafka"
    node = folder / "node-password"
    _once(node, f"node={secrets.token_urlsafe(_BYTES)}")
    users = store_access.first_users(
        node.read_text("ascii").strip().removeprefix("node="),
        (root / "setup" / "kafka-password").read_text("ascii").strip(),
    )
    write_private(folder / "first-users", users.encode("ascii"))
    os.chown(folder, -1, group)
    folder.chmod(0o750)
    for name in ("node-password", "first-users", "certificate.pem", "certificate-and-key.pem"):
        os.chown(folder / name, -1, group)
        (folder / name).chmod(0o640)


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _once(path: Path, content: str | None = None) -> None:
    if not path.exists():
        write_private(path, f"{content or secrets.token_urlsafe(_BYTES)}\n".encode("ascii"))


def _copy(source: Path, target: Path) -> None:
    write_private(target, source.read_bytes())


if __name__ == "__main__":
    raise SystemExit(main())
