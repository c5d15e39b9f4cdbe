"""Refusals of access: into the audit log at once where a key is known, else counted, so that nobody can fill it."""

from collections import Counter
from collections.abc import Callable
from time import monotonic

from pymongo.errors import PyMongoError

from libs.audit import metrics
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common.errors import ERRORS, BowerbirdError, OtherTenantError
from libs.common.metrics import from_zero
from libs.common.telemetry import get_logger, new_trace, trace_id

_FLUSH_SECONDS = 60.0
# In a minute and process: entries written at once, and kinds of repeats that are told apart.
_AT_ONCE = 20
_TOLD_APART = 50
_ERRORS: tuple[type[BowerbirdError], ...] = (*ERRORS, OtherTenantError)
_REASONS = {each.code for each in _ERRORS if each.is_refusal}


class Refusals:
    """Records that somebody was refused, at most 21 entries a minute.

    The first refusal of a known key at a route and for a reason is an entry of its own, written before the answer.
    Repeats, and callers without a known key, are counted: one entry a minute has the counts, by address and route.
    """

    def __init__(self, log: AuditLog, service: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._service = service
        self._clock = clock
        self._since = clock()
        self._seen: set[tuple[str | None, str, str]] = set()
        self._counts: Counter[str] = Counter()
        from_zero(metrics.REFUSALS, _REASONS)

    async def record(self, cause: Cause, *, tenant: str | None, route: str, reason: str) -> None:
        """Record one refusal; where the log is unavailable it is counted, and access is refused all the same.

        Args:
            cause: who was refused.
            tenant: the issuer that the key belongs to; None where no key of an issuer was shown.
            route: the template of the path, never the path.
            reason: the code of the error.
        """
        metrics.REFUSALS.labels(reason).inc()
        what = (cause.key, route, reason)
        if cause.key is None or what in self._seen or len(self._seen) >= _AT_ONCE:
            self._count(f"{cause.key or cause.client or 'unknown'} {route} {reason}")
            return
        self._seen.add(what)
        tenants = () if tenant is None else (tenant,)
        try:
            await self._log.record(Entry(Action.ACCESS_REFUSED, cause, tenants, f"route {route}", reason))
        except PyMongoError as error:
            get_logger().warning("refusal not recorded", problem=type(error).__name__, trace=cause.trace)
            self._count(f"{cause.key} {route} {reason}")

    async def flush(self) -> float:
        """Write down what was counted, once a minute; return the seconds until it is worth looking again."""
        if self._clock() - self._since >= _FLUSH_SECONDS:
            await self._write()
        return _FLUSH_SECONDS / 4

    async def stop(self) -> None:
        """Write down what was counted, if that is possible, since the process stops."""
        try:
            await self._write()
        except PyMongoError as error:
            get_logger().warning("refusals not recorded", problem=type(error).__name__, count=self._counts.total())

    async def _write(self) -> None:
        self._since = self._clock()
        self._seen.clear()
        if self._counts:
            counts = dict(self._counts)
            cause = Cause.of_service(self._service, trace_id(new_trace()))
            entry = Entry(
                Action.ACCESS_REFUSED, cause, (), "counted", details={"refusals": sum(counts.values()), "by": counts}
            )
            await self._log.record(entry)
            self._counts.clear()

    def _count(self, label: str) -> None:
        if label not in self._counts and len(self._counts) >= _TOLD_APART:
            label = "others"
        self._counts[label] += 1
