"""The registries that the operator trusts: read again on schedule from files and URLs, with a last good copy."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from libs.common.fetch import FetchError
from libs.common.metrics import from_zero
from libs.common.settings import SettingsError
from libs.common.telemetry import get_logger
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.trust import Registry, read_registry
from services.verifier.material import metrics

# A copy is one document of the database, whose limit is 16 MB.
MOST_BYTES = 12 * 1024 * 1024
_RETRY_SECONDS = 60.0
_OUTCOMES = ("new", "same", "refused", "unreachable")

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns what stands at a URL; raises FetchError."""


class TrustedRegistry(BaseModel):
    """One registry: where its document is, what it is called, and which did:keys may have signed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    url: str | None = None
    name: str | None = None
    signer: str | tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("a registry has either a file or a url")
        if self.url is not None and not self.signers:
            raise ValueError("a registry at a url needs the signer whose signature is trusted")
        return self

    @property
    def signers(self) -> Sequence[str]:
        """The did:keys of which one must have signed it; none where it is JSON that is trusted as it is."""
        if self.signer is None:
            return ()
        return (self.signer,) if isinstance(self.signer, str) else self.signer

    @property
    def label(self) -> str:
        """What it is called where its document has not been read."""
        return self.name or self.url or str(self.file)


class TrustedRegistriesFile(BaseModel):
    """The file: {"registries": [{"file" or "url", "name"?, "signer"?}]}; files stand relative to it."""

    model_config = ConfigDict(extra="forbid")

    registries: list[TrustedRegistry]


@dataclass(frozen=True, slots=True)
class RegistryCopy:
    """The last good copy of a signed registry, for a start at which its URL does not answer."""

    url: str
    text: bytes
    signed_at: datetime


class Copies(Protocol):
    """Where last good copies are stored."""

    async def registry_copy(self, url: str) -> RegistryCopy | None:
        """Return the copy that was signed last."""
        ...

    async def store_registry_copy(self, copy: RegistryCopy) -> None:
        """Store a copy, unless one is stored that was signed later."""
        ...


class _Held:
    """One registry with what is known of it."""

    def __init__(self, source: TrustedRegistry) -> None:
        self.source = source
        self.registry: Registry | None = None
        self.text: bytes | None = None

    @property
    def label(self) -> str:
        """What it is called."""
        return self.source.label if self.registry is None else self.registry.name

    @property
    def signed_at(self) -> datetime | None:
        """When what is held was signed."""
        return None if self.registry is None else self.registry.signed_at

    def is_good(self, now: datetime) -> bool:
        """Return whether it was read, and may still be relied on."""
        return self.registry is not None and (self.registry.ends is None or now < self.registry.ends)

    def read(self, text: bytes, now: datetime) -> bool:
        """Take a document, unless it is the one that is held; return whether it is new.

        Raises:
            CredentialError: it is not as it must be, or older than what is held.
        """
        if text == self.text and self.is_good(now):
            return False
        source = self.source
        read = read_registry(text, name=source.name, signers=source.signers, not_before=self.signed_at, now=now)
        self.registry, self.text = read, text
        return True


class TrustedRegistries:
    """The registries in the operator's order, each as it was last found good."""

    def __init__(
        self,
        sources: Sequence[TrustedRegistry],
        *,
        copies: Copies,
        fetch: Fetch,
        clock: Callable[[], datetime],
        refresh_seconds: float,
    ) -> None:
        self._held: list[_Held] = []
        self._hold(sources)
        self._copies = copies
        self._fetch = fetch
        self._clock = clock
        self._refresh_seconds = refresh_seconds

    def _hold(self, sources: Sequence[TrustedRegistry]) -> None:
        """Trust these and no others, those that are files being read; what is known of one that was held stays.

        Raises:
            OSError, CredentialError: a file cannot be used; then those are trusted that were.
        """
        known = [each for each in self._held if each.source in sources]
        by_source = {each.source: each for each in known}
        by_source |= {source: _Held(source) for source in sources if source not in by_source}
        for held in by_source.values():
            if held.source.file is not None:
                held.read(_file(held.source.file), self._clock())
        self._held = [by_source[source] for source in sources]
        from_zero(metrics.REGISTRY_READS, [each.label for each in sources], _OUTCOMES)

    def name(self, path: Path | None) -> None:
        """Trust the registries that the file names now, and no others.

        Raises:
            SettingsError: it cannot be used, or one of them that is a file; then those are trusted that were.
        """
        try:
            self._hold(_named(path))
        except (OSError, ValidationError, CredentialError) as error:
            raise SettingsError(f"the trusted registries of {path} cannot be used: {error}") from error

    def current(self, now: datetime) -> tuple[Sequence[Registry], Sequence[str]]:
        """Return those that may be relied on, and the names of those that may not: not read yet, or past their end."""
        good = [held.registry for held in self._held if held.registry is not None and held.is_good(now)]
        return good, [held.label for held in self._held if not held.is_good(now)]

    async def tick(self) -> float:
        """Read all of them again, keeping the last good copies; return the seconds until the next time."""
        good = await asyncio.gather(*(self._refreshed(held) for held in self._held))
        return self._refresh_seconds if all(good) else min(_RETRY_SECONDS, self._refresh_seconds)

    async def _refreshed(self, held: _Held) -> bool:
        label = held.source.label
        try:
            await self._recall(held)
            outcome = "new" if await self._read(held) else "same"
        except (FetchError, OSError) as error:
            outcome, problem = "unreachable", str(error)
        except CredentialError as error:
            outcome, problem = "refused", f"{error.code}: {error}"
        else:
            metrics.REGISTRY_GOOD_AT.labels(label).set(self._clock().timestamp())
        metrics.REGISTRY_READS.labels(label, outcome).inc()
        if outcome in {"new", "same"}:
            return True
        get_logger().warning("registry not refreshed", registry=label, outcome=outcome, problem=problem)
        return False

    async def _read(self, held: _Held) -> bool:
        source, now = held.source, self._clock()
        if source.file is not None:
            return await asyncio.to_thread(lambda file: held.read(_file(file), now), source.file)
        text = await self._fetch(source.url or "")
        new = await asyncio.to_thread(held.read, text, now)
        if new and held.signed_at is not None:
            await self._copies.store_registry_copy(RegistryCopy(source.url or "", text, held.signed_at))
        return new

    async def _recall(self, held: _Held) -> None:
        """Take the copy that this or another process stored, where it is newer than what is held."""
        if held.source.url is None:
            return
        copy = await self._copies.registry_copy(held.source.url)
        if copy is None or (held.signed_at is not None and copy.signed_at <= held.signed_at):
            return
        try:
            await asyncio.to_thread(held.read, copy.text, self._clock())
        except CredentialError as error:
            # Its end has passed, or the operator trusts other signers now.
            get_logger().warning("copy of a registry not used", registry=held.source.label, problem=error.code)


def trusted_registries(
    path: Path | None, *, copies: Copies, fetch: Fetch, clock: Callable[[], datetime], refresh_seconds: float
) -> TrustedRegistries:
    """Return the registries that a file names; without it there are none. Those that are files are read.

    Raises:
        SettingsError: a file is missing or not in the form that it must have, or a signature does not hold up: better
            not to start than to call a listed issuer unknown.
    """
    registries = TrustedRegistries([], copies=copies, fetch=fetch, clock=clock, refresh_seconds=refresh_seconds)
    registries.name(path)
    return registries


def _named(path: Path | None) -> list[TrustedRegistry]:
    """Return what the file names; a registry that is a file stands beside it."""
    named = [] if path is None else TrustedRegistriesFile.model_validate_json(path.read_bytes()).registries
    return [
        one if one.file is None or path is None else one.model_copy(update={"file": path.parent / one.file})
        for one in named
    ]


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise LimitError("too_large", f"A registry has at most {MOST_BYTES} bytes.")
    return text
