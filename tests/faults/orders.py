"""Every failpoint with the service whose process is killed there, at which passing of it, and with which others."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from libs.common.failpoints import NAMES, Name, Order

Work = Literal["founding", "deciding", "revoking"]
"""What a service does where it is killed: what comes of a new school, of its evidence, or of what was decided."""

CONSUMERS: Final[Mapping[str, Work]] = {
    "evidence-access": "founding",
    "evidence-batches": "deciding",
    "evidence-catalogue": "founding",
    "evidence-decisions": "deciding",
    "issuer-access": "founding",
    "issuer-catalogue": "founding",
    "issuer-evidence": "deciding",
    "issuer-commands": "revoking",
    "issuer-key-use": "founding",
    "verifier-documents": "deciding",
    "verifier-issuers": "founding",
    "verifier-achievements": "founding",
    "verifier-status-lists": "revoking",
    "notifier-access": "founding",
    "notifier-catalogue": "founding",
    "notifier-contacts": "deciding",
    "notifier-decisions": "deciding",
    "notifier-lifecycle": "revoking",
}
_FOUNDING: Final = ("issuer.signing_keys.", "issuer.publications.")
_REVOKING: Final = ("issuer.revoking.", "issuer.status_list.1", "issuer.status_list.2")
# A mail passes these once; the mails that tell of the issue are killed at the step between them.
_OF_REVOCATIONS: Final = ("notifier.sending.2", "notifier.sending.4")
# What waits, or takes the place of a badge, has tests of its own with such; one has a database that was set back.
_ELSEWHERE: Final = ("consumer.", "issuer.waiting", "issuer.superseding", "issuer.adopting")
# In the middle of the work, where it is certain that there is a second time: one passing a batch of evidence, a mail.
_SECOND: Final = ("evidence.ingestion.", "issuer.award.", "notifier.sending.")


@dataclass(frozen=True)
class Kill:
    """The kill of one service at one point; of `later` ones, at a mail that tells of a revocation."""

    service: str
    order: Order
    work: Work
    later: bool = False

    def order_after(self, mails: int) -> Order:
        """Return the order, where so many mails go before those that tell of a revocation."""
        return replace(self.order, passing=mails + 1) if self.later else self.order

    def __str__(self) -> str:
        return f"{self.order.name} {self.order.of}".strip()


def _work(name: Name, of: str) -> Work:
    if of:
        return CONSUMERS[of]
    if name.startswith(_FOUNDING):
        return "founding"
    return "revoking" if name.startswith((*_REVOKING, *_OF_REVOCATIONS)) else "deciding"


def _kill(name: Name, of: str = "") -> Kill:
    service = (of or name).replace(".", "-").partition("-")[0]
    order = Order(name, of, passing=2 if name.startswith(_SECOND) else 1)
    return Kill(service, order, _work(name, of), later=name in _OF_REVOCATIONS)


KILLS: Final = [
    *(_kill(name) for name in NAMES if not name.startswith(_ELSEWHERE)),
    *(_kill(name, of) for of in CONSUMERS for name in NAMES if name.startswith("consumer.")),
]


def _together() -> list[list[Kill]]:
    works: dict[tuple[str, Work], list[Kill]] = defaultdict(list)
    for kill in KILLS:
        works[kill.service, kill.work].append(kill)
    runs: list[list[Kill]] = [[] for _ in range(max(map(len, works.values())))]
    for (_service, work), kills in works.items():
        # From the end, so that the kills of most runs are as many, and `later` ones the only ones of the notifier.
        for run, kill in zip(reversed(runs) if work == "revoking" else runs, kills, strict=False):
            run.append(kill)
    return runs


TOGETHER: Final = _together()
"""Every kill once: in one run those of different services, or of different work of one, which divides their time."""
