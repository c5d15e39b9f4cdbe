"""Credentials of synthetic learners: verified as whatever anybody hands in, and not kept."""

from collections.abc import Sequence

from libs.common.canary import CanaryFailedError
from libs.common.errors import BowerbirdError
from libs.contracts.events import CanaryDocument, Event
from services.verifier.verification.verifier import Verifier


class SyntheticCredentials:
    """Verifies them in the workers that verify what strangers send."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def verify(self, event: CanaryDocument) -> Sequence[Event]:
        """Verify one.

        Raises:
            CanaryFailedError: it does not pass, or no worker had the time.
        """
        try:
            report = await self._verifier.verify(event.document.encode(), counted=False)
        except BowerbirdError as error:
            raise CanaryFailedError(type(error).__name__) from None
        faults = [f"{check.name} {check.outcome}: {check.code}" for check in report.checks if check.outcome != "pass"]
        if faults:
            raise CanaryFailedError("; ".join(faults))
        return []
