"""Changes of signing keys that could not be announced: tried again, and never the end of the process."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.audit.entry import Cause
from libs.common.errors import BowerbirdError, ConflictError, UnavailableError
from services.issuer.keys.lifecycle import KeyLifecycle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class Unpublished:
    """A repository with two issuers whose keys are not announced."""

    async def unpublished_issuers(self) -> list[str]:
        return ["wattle", "banksia"]


class Publishing:
    """Issuers whose publication fails as it is told."""

    def __init__(self, error: BowerbirdError | None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def publish_keys(self, issuer_id: str, _trace: str, _cause: Cause) -> None:
        self.asked.append(issuer_id)
        if self.error is not None:
            raise self.error


def lifecycle(issuers: Publishing) -> KeyLifecycle:
    parts: dict[str, Any] = {"issuers": issuers, "signing_keys": None, "repository": Unpublished(), "audit": None}
    return KeyLifecycle(**parts, clock=lambda: NOW)


async def test_what_a_crash_left_unpublished_is_announced() -> None:
    issuers = Publishing(None)
    assert await lifecycle(issuers).repair() > 0
    assert issuers.asked == ["wattle", "banksia"]


@pytest.mark.parametrize("error", [ConflictError("at the same moment"), UnavailableError("not arrived yet")])
async def test_what_cannot_be_announced_now_is_left_for_the_next_time(error: BowerbirdError) -> None:
    issuers = Publishing(error)
    assert await lifecycle(issuers).repair() > 0
    assert issuers.asked == ["wattle"]
    issuers.error = None
    await lifecycle(issuers).repair()
    assert issuers.asked == ["wattle", "wattle", "banksia"]
