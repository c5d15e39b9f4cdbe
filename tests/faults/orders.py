"""Every failpoint with the service whose process is killed there, and at which passing of it."""

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from libs.common.failpoints import NAMES, Order

CONSUMERS: Final = (
    "evidence-access",
    "evidence-batches",
    "evidence-decisions",
    "issuer-access",
    "issuer-catalogue",
    "issuer-evidence",
    "issuer-commands",
    "issuer-key-use",
    "verifier-documents",
    "verifier-issuers",
    "verifier-achievements",
    "verifier-status-lists",
    "notifier-access",
    "notifier-catalogue",
    "notifier-contacts",
    "notifier-decisions",
    "notifier-lifecycle",
)
# In the middle of the work, where it is certain that there is a second time: one passing a batch of evidence, a mail.
_SECOND: Final = ("evidence.ingestion.", "issuer.award.", "notifier.sending.")


@dataclass(frozen=True)
class Kill:
    """The kill of one service at one point; of `later` ones, at a mail that tells of a revocation."""

    service: str
    order: Order
    later: bool = False

    def order_after(self, mails: int) -> Order:
        """Return the order, where so many mails go before those that tell of a revocation."""
        return replace(self.order, passing=mails + 1) if self.later else self.order

    def __str__(self) -> str:
        return f"{self.order.name} {self.order.of}".strip()


# A mail passes these once; the mails that tell of the issue are killed at the step between them.
_OF_REVOCATIONS: Final = ("notifier.sending.2", "notifier.sending.4")


def _kill(order: Order) -> Kill:
    service = (order.of or order.name).replace(".", "-").partition("-")[0]
    return Kill(service, order, later=order.name in _OF_REVOCATIONS)


KILLS: Final = [
    _kill(Order(name, passing=2 if name.startswith(_SECOND) else 1))
    for name in NAMES
    # What waits has tests of its own, in which something waits.
    if not name.startswith(("consumer.", "issuer.waiting"))
] + [_kill(Order(name, of)) for of in CONSUMERS for name in NAMES if name.startswith("consumer.")]

_OF_ISSUER: Final = [kill for kill in KILLS if kill.service == "issuer"]
_OF_OTHERS: Final = [kill for kill in KILLS if kill.service != "issuer"]
TOGETHER: Final = [
    [kill for kill in pair if kill is not None] for pair in zip_longest(_OF_ISSUER, _OF_OTHERS, fillvalue=None)
]
"""Every kill once: one of the issuer and one of another service in the same run, which halves their time."""
