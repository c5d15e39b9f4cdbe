"""Checks a mailbox against the notifier: what is said to be sent is there, once."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Final

from bowerbird.auditing.difference import Difference
from libs.common.mongo import Client

_AT_ONCE: Final = 500


def mails_in(folder: Path) -> Counter[str]:
    """Return how often each mail is there, by its delivery: a file is named after the Message-ID."""
    return Counter(path.name.partition("@")[0] for path in folder.glob("*.eml"))


async def differences(client: Client, mails: Counter[str], settled: datetime) -> AsyncIterator[Difference]:
    """Yield mails that are said to be sent and are not there, and those that are there twice."""
    for delivery, count in mails.items():
        if count > 1:
            yield Difference("mails_repeated", delivery)
    # An operator's query, over all tenants.
    cursor = client["notifier"]["deliveries"].find({"state": "sent", "sent_at": {"$lt": settled}}, {"_id": 1})
    while found := await cursor.to_list(_AT_ONCE):
        for each in found:
            if str(each["_id"]) not in mails:
                yield Difference("mails_missing", str(each["_id"]))
