"""What becomes of every credential: does what anybody can download verify, and was its mail sent?"""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal

from demo.api import Api, DemoError, Endpoints
from demo.progress import Display

_AT_ONCE = 8
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 600.0
_MAIL_ENDS = frozenset({"sent", "failed_permanently", "gave_up", "cancelled"})
VERIFYING = "credentials checked"
MAILING = "mails out"

Verdict = Literal["pass", "revoked", "fail"]


class Outcomes:
    """Waits for the outcomes of one school's credentials."""

    def __init__(self, api: Api, endpoints: Endpoints, key: str, display: Display) -> None:
        self._api = api
        self._endpoints = endpoints
        self._key = key
        self._display = display
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def verdicts(self, credentials: Mapping[str, str]) -> list[Verdict]:
        """Return the verdict on each credential, verified as the document that its page offers to download."""
        return await asyncio.gather(*map(self._verdict, credentials))

    async def mailed(self, credentials: Mapping[str, str]) -> int:
        """Return how many have an e-mail that the mail server took; waits while one is still on its way.

        `credentials` gives the learner's address of each, empty where there is none.
        """
        return sum(await asyncio.gather(*(self._mailed(*each) for each in credentials.items())))

    async def _verdict(self, credential_id: str) -> Verdict:
        give_up_at = monotonic() + _PATIENCE_SECONDS
        while True:
            async with self._limit:
                page = f"{self._endpoints.verifier}/badges/{credential_id}"
                document = await self._api.text(f"{page}/credential.json", arriving=True)
                body = f'{{"credential":{document}}}'.encode()
                report = await self._api.post(f"{self._endpoints.verifier}/v1/verify", body)
            verdict = _verdict(report)
            # Unknown is neither yes nor no: a key or a status list may still be on its way to the verifier.
            if verdict is not None or monotonic() > give_up_at:
                self._display.advance(VERIFYING)
                return verdict or "fail"
            await asyncio.sleep(_POLL_SECONDS)

    async def _mailed(self, credential_id: str, address: str) -> bool:
        give_up_at = monotonic() + _PATIENCE_SECONDS
        while True:
            async with self._limit:
                url = f"{self._endpoints.notifier}/v1/deliveries?credential_id={credential_id}"
                deliveries = (await self._api.get(url, self._key, arriving=True))["deliveries"]
            states = [delivery["state"] for delivery in deliveries]
            if states and (_MAIL_ENDS.issuperset(states) or (not address and states == ["no_address"])):
                self._display.advance(MAILING, "sent" in states)
                return "sent" in states
            if monotonic() > give_up_at:
                raise DemoError(f"the mail of credential {credential_id} is still {states or 'not planned'}")
            await asyncio.sleep(_POLL_SECONDS)


def _verdict(report: Mapping[str, Any]) -> Verdict | None:
    """Return None where something could not be checked and nothing failed."""
    failed = {(check["name"], check["code"]) for check in report["checks"] if check["outcome"] == "fail"}
    if failed:
        return "revoked" if failed == {("status", "revoked")} else "fail"
    return "pass" if report["verdict"] == "pass" else None
