"""Puts closing together: what applies commands, and the loop over those that wait for their credential."""

from collections.abc import Awaitable, Callable, Sequence

from libs.common.clock import now
from libs.common.runtime import Plumbing
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.waiting import WaitingClosing
from services.issuer.credentials.waiting_commands import WaitingCommands
from services.issuer.credentials.worker import ChangedLists, Closing, StackedUpon
from services.issuer.decision_ids import DecisionId
from services.issuer.settings import ServiceSettings


def add_closing(
    plumbing: Plumbing,
    settings: ServiceSettings,
    *,
    credentials: MongoCredentials,
    remove_evidence_texts: Callable[[Sequence[DecisionId]], Awaitable[None]],
    lists: ChangedLists,
    announcer: Announcer,
    stacked: StackedUpon,
) -> Closing:
    """Register the loop, and return what applies commands."""
    waiting = WaitingCommands(plumbing.database)
    closing = Closing(
        credentials=credentials,
        remove_evidence_texts=remove_evidence_texts,
        lists=lists,
        announcer=announcer,
        stacked=stacked,
        waiting=waiting,
        most_waiting=settings.waiting_commands_most,
        clock=now,
    )
    loop = WaitingClosing(
        waiting,
        closing=closing,
        credentials=credentials,
        publish=plumbing.kafka.publish,
        clock=now,
        longest=settings.commands_wait,
    )
    plumbing.repeat("waiting-commands", loop.tick)
    return closing
