"""The one place that knows all four services: their settings, how each is built, and their indexes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import services.evidence.service
import services.issuer.service
import services.notifier.service
import services.verifier.service
from libs.common.mongo import Index
from libs.common.runtime import Plumbing
from libs.common.settings import Settings


@dataclass(frozen=True)
class Service:
    """How a service is configured, built and prepared."""

    settings: type[Settings]
    build: Callable[[Plumbing, Any], None]
    indexes: Sequence[Index]


def _service(module: Any) -> Service:
    return Service(module.ServiceSettings, module.build, module.INDEXES)


SERVICES = {
    "evidence": _service(services.evidence.service),
    "issuer": _service(services.issuer.service),
    "verifier": _service(services.verifier.service),
    "notifier": _service(services.notifier.service),
}
