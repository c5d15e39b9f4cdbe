"""Verifying as conformance suites ask: whose key it is does not count, and a status shows at once."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common.errors import NotFoundError
from libs.common.workers.threads import Threads
from libs.openbadges.verify import Report
from services.verifier.material.issuers import RegisteredIssuer, RegisteredIssuers
from services.verifier.material.lookup import MaterialSource
from services.verifier.material.records import StoredStatusList
from services.verifier.pages.answers import as_it_is
from services.verifier.vc_api.api import vc_routes
from services.verifier.vc_api.options import Options, left_out
from services.verifier.verification.poison import KnownPoison
from services.verifier.verification.verifier import Verifier

_THREADS, _WAITING, _SECONDS = 2, 256, 5.0


class StatusLists:
    """The status lists of the instances, in memory; no issuer is known, so did:key issuers alone verify."""

    def __init__(self) -> None:
        self._lists: dict[str, StoredStatusList] = {}

    def publish(self, list_id: str, version: int, text: str) -> None:
        """Hold a signed list; the highest version takes precedence."""
        held = self._lists.get(list_id)
        if held is None or held.order[1] <= version:
            self._lists[list_id] = StoredStatusList(list_id, (0, version), text)

    async def registered_issuers(self, dids: Iterable[str]) -> dict[str, RegisteredIssuer]:
        """Return none."""
        return {}

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        """Return the newest version of a list."""
        return self._lists.get(list_id)

    async def authority_document(self) -> str | None:
        """Return none: each instance signs its own lists."""
        return None


def verifying_routes(lists: StatusLists, public_base: str, clock: Callable[[], datetime]) -> APIRouter:
    """POST /credentials/verify and /presentations/verify, and GET /status/{list_id}."""
    # Nothing is remembered: a suite revokes and looks at once.
    issuers = RegisteredIssuers(lists, remembered_seconds=0)
    source = MaterialSource(lists, public_base, patience_seconds=_SECONDS, remembered_seconds=0, issuers=issuers)
    threads = Threads(_THREADS, waiting=_WAITING, seconds=_SECONDS)
    verifier = Verifier(source, clock, own=threads, strangers=threads, poison=KnownPoison(), conformance=True)
    router = vc_routes(verifier, as_suites_ask)

    @router.get("/status/{list_id}", summary="A signed status list credential")
    async def status_list(request: Request, list_id: str) -> Response:
        held = await lists.status_list(list_id)
        if held is None:
            raise NotFoundError("there is no status list of this id here")
        return as_it_is(request, held.text, "application/vc+ld+json", "no-store")

    return router


def as_suites_ask(report: Report, options: Options) -> Report:
    """Return the report without whose key it is, and without its dates where the caller asks for the proof alone.

    VCDM 2.0 leaves both to validation (section A), which comes after verification (section 7.1), and the vectors of
    the specifications name issuers that do not own their keys. In production a foreign key is never good.
    """
    ignored = {"issuer", "dates"} if options.proof_alone else {"issuer"}
    checks = [left_out(check) if check.name in ignored else check for check in report.checks]
    return replace(report, checks=tuple(checks))
