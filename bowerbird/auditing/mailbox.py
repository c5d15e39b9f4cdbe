"""Checks a mailbox against the notifier: what is said to be sent is there, once."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

from bowerbird.auditing.difference import Difference
from bowerbird.auditing.reading import some_of
from libs.common.mongo import Client


def mails_in(folder: Path) -> Counter[str]:
    """Return how often each mail is there, by its delivery: a file is named after the Message-ID."""
    return Counter(path.name.partition("@")[0] for path in folder.glob("*.eml"))


async def differences(client: Client, mails: Counter[str], settled: datetime) -> AsyncIterator[Difference]:
    """Yield mails that are said to be sent and are not there, and those that are there twice."""
    for delivery, count in mails.items():
        if count > 1:
            yield Difference("mails_repeated", delivery)
    sent_long_ago = {"state": "sent", "sent_at": {"$lt": settled}}
    async for some in some_of(client["notifier"]["deliveries"], sent_long_ago, {"_id": 1}):
        for each in some:
            if str(each["_id"]) not in mails:
                yield Difference("mails_missing", str(each["_id"]))
