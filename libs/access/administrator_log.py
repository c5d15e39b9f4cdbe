"""Which administrators' keys there are, and are used, into the audit log: a new one counts once it stands there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from libs.access.administrators import Administrator, Administrators
from libs.access.key_text import key_id
from libs.audit.entry import Action, Cause, Entry
from libs.common.telemetry import new_trace, trace_id

_TICK_SECONDS = 1.0
_ACTIONS = (Action.ADMINISTRATOR_ADDED, Action.ADMINISTRATOR_REMOVED)


class Log(Protocol):
    """The audit log of the service that knows administrators."""

    async def record(self, *entries: Entry) -> None:
        """Add these entries."""
        ...

    async def of_actions(self, issuer_id: str, actions: Sequence[Action]) -> list[Entry]:
        """Return the entries of these actions that concern this issuer, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class KnownAdministrator:
    """An administrator's key as everybody may see it who is one.

    Attributes:
        key: the first 16 digits of its SHA-256.
        last_day: on which it works, in UTC; None where it has no end.
        last_used: the day, in UTC; None where it never was.
    """

    key: str
    name: str
    last_day: date | None
    last_used: date | None


class AdministratorLog:
    """Compares the file of administrators with the log, and writes down what is new in it and what is gone.

    Who changed the file is not known here: the entries say when this service saw it. Several processes may each write
    down the same change.
    """

    def __init__(self, administrators: Administrators, log: Log, tenant: str) -> None:
        """Let no administrator in before the log has been read.

        Args:
            administrators: those of the file.
            log: the log.
            tenant: under which the entries stand: administrators alone may read it.
        """
        self._administrators = administrators
        self._log = log
        self._tenant = tenant
        self._noted: dict[str, Administrator] | None = None
        self._told: dict[str, tuple[str, date]] = {}
        administrators.honour(())

    async def compare(self) -> None:
        """Write down what has changed since, then let in whom the file names.

        Raises:
            PyMongoError: the log is unavailable, so nobody new is let in.
        """
        listed = self._administrators.listed()
        named = {key_id(sha256): each for sha256, each in listed.items()}
        if named != self._noted:
            noted = await self._read()
            changes = [
                _listed(Action.ADMINISTRATOR_ADDED, *each, self._tenant) for each in named.items() - noted.items()
            ]
            changes += [
                _listed(Action.ADMINISTRATOR_REMOVED, *each, self._tenant) for each in noted.items() - named.items()
            ]
            if changes:
                await self._log.record(*changes)
            self._noted = named
        self._administrators.honour(listed)

    async def tick(self) -> float:
        """Do so; return the seconds until the next time."""
        await self.compare()
        return _TICK_SECONDS

    async def write_uses(self) -> float:
        """Write down each key's first use of a day in this process; return the seconds until the next time."""
        used = {sha256: each for sha256, each in self._administrators.used.items() if self._told.get(sha256) != each}
        if used:
            await self._log.record(
                *(
                    _entry(Action.ADMINISTRATOR_USED, key_id(sha256), name, self._tenant, day=day.isoformat())
                    for sha256, (name, day) in used.items()
                )
            )
            self._told |= used
        return _TICK_SECONDS

    async def known(self) -> list[KnownAdministrator]:
        """Return the administrators whom the file names and who have not ended, by their names.

        Raises:
            PyMongoError: the log is unavailable, which has when each was used.
        """
        used: dict[str, date] = {}
        for each in await self._log.of_actions(self._tenant, (Action.ADMINISTRATOR_USED,)):
            key, day = str(each.details["key"]), date.fromisoformat(str(each.details["day"]))
            used[key] = max(day, used.get(key, day))
        named = ((key_id(sha256), each) for sha256, each in self._administrators.listed().items())
        known = [KnownAdministrator(key, each.name, each.last_day, used.get(key)) for key, each in named]
        return sorted(known, key=lambda each: (each.name, each.key))

    async def _read(self) -> dict[str, Administrator]:
        """Return the administrators by the ids of their keys, as the log has them."""
        noted: dict[str, Administrator] = {}
        for each in await self._log.of_actions(self._tenant, _ACTIONS):
            key, last_day = str(each.details["key"]), each.details.get("last_day")
            one = Administrator(
                each.subject.removeprefix("administrator "),
                None if last_day is None else date.fromisoformat(str(last_day)),
            )
            if each.action is Action.ADMINISTRATOR_ADDED:
                noted[key] = one
            elif noted.get(key) == one:
                del noted[key]
        return noted


def _listed(action: Action, key: str, one: Administrator, tenant: str) -> Entry:
    ends = {} if one.last_day is None else {"last_day": one.last_day.isoformat()}
    return _entry(action, key, one.name, tenant, **ends)


def _entry(action: Action, key: str, name: str, tenant: str, **details: str) -> Entry:
    cause = Cause.of_service("issuer", trace_id(new_trace()))
    return Entry(action, cause, (tenant,), f"administrator {name}", details={"key": key, **details})
