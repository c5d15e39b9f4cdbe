"""The one place that knows all four services: their settings, how each is built, and their indexes."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libs.common.mongo import Database, Index
from libs.common.retention import Kept
from libs.common.settings import Settings

if TYPE_CHECKING:
    # It imports what a service runs on, which a command that only asks for names does without.
    from libs.common.runtime import Plumbing


@dataclass(frozen=True)
class Service:
    """How a service is configured, built and prepared, and what it keeps for a stated life."""

    settings: type[Settings]
    build: "Callable[[Plumbing, Any], None]"
    indexes: Sequence[Index]
    kept: Callable[[Database, Any], list[Kept]]


def _nothing(_database: Database, _settings: Settings) -> list[Kept]:
    return []


NAMES = ("evidence", "issuer", "verifier", "notifier")


def find(name: str) -> Service:
    """The service of this name; only its own code is imported, so that a process starts with no more than it runs."""
    module = importlib.import_module(f"services.{name}.service")
    return Service(module.ServiceSettings, module.build, module.INDEXES, getattr(module, "kept", _nothing))
