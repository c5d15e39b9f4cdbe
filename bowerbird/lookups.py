"""What verifying a credential depends on from outside: from files, and from the network where that was allowed."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bowerbird.list_copies import Copy, newest
from libs.common.fetch import Fetcher, FetchError
from libs.openbadges.baking import PICTURE_BYTES
from libs.openbadges.crypto.did import did_web_url
from libs.openbadges.jose.compact import as_compact
from libs.openbadges.jose.plain import read_json
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.trust import REGISTRY_TEXT_BYTES, KnownParties, read_registry
from libs.openbadges.verify import (
    STATUS_LIST_LIMITS,
    Dependencies,
    Report,
    ResolvedInputs,
    dependencies_of,
    open_document,
    status_list_signers,
)
from libs.openbadges.verify.refresh import refresh_url

# A document can name many URLs; more than these are not asked for it.
MOST_LOOKUPS: Final = 16

_JSON: Final = "application/did+json, application/json, application/ld+json, application/vc;q=0.9"
_CREDENTIAL: Final = (
    "application/vc, application/vc+jwt, application/ld+json, application/json, image/png, image/svg+xml,"
    " text/plain;q=0.5"
)
_STATUS_LIST: Final = "application/vc, application/vc+jwt, application/ld+json, application/json, text/plain;q=0.5"
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_Found = TypeVar("_Found")


class SourceError(Exception):
    """A file that was named cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """What was found, and in one message each what was not."""

    material: ResolvedInputs
    problems: tuple[str, ...]


def read_file(path: Path, longest: int = PICTURE_BYTES) -> bytes:
    """Read a file, at most one byte more than the longest that is looked at.

    Raises:
        SourceError: it cannot be read.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder; name the files in it.")
    try:
        with path.open("rb") as file:
            return file.read(longest + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


async def fetch_credential(fetcher: Fetcher, url: str) -> bytes:
    """Read the credential or picture at a URL.

    Raises:
        FetchError: see there.
    """
    return await fetcher.fetch(url, _CREDENTIAL)


def from_files(did_documents: Sequence[Path], status_lists: Sequence[Path]) -> Lookups:
    """Read DID documents and status list credentials, each known by its own id.

    Of several copies of a status list the newest counts, and none where they disagree.

    Raises:
        SourceError: a file that cannot be read, is neither JSON nor a JWT, or has no id.
    """
    dids, copies = {}, defaultdict[str, list[Copy]](list)
    for path in did_documents:
        identifier, document, _text = _identified(path)
        dids[identifier] = document
    for path in status_lists:
        identifier, document, text = _identified(path)
        copies[identifier].append(Copy(document, text))
    chosen = {identifier: newest(each) for identifier, each in copies.items()}
    problems = tuple(
        f"The copies of the status list {identifier} that were given disagree, so none counts. Give the newest alone."
        for identifier, one in chosen.items()
        if one is None
    )
    lists = {identifier: one.text for identifier, one in chosen.items() if one is not None}
    return Lookups(ResolvedInputs(dids, lists), problems)


def known_parties(registries: Sequence[Path], signers: Sequence[str], now: datetime) -> KnownParties:
    """Read the registries that whoever asks trusts.

    Args:
        registries: files, each JSON or signed.
        signers: whose signatures are trusted for those that are signed.
        now: the moment to judge them by.

    Raises:
        SourceError: a file that cannot be read, or a registry that does not hold up.
    """
    found = []
    for path in registries:
        text = read_file(path, REGISTRY_TEXT_BYTES)
        try:
            expected = () if as_compact(text) is None else signers
            found.append(read_registry(text, signers=expected, now=now))
        except CredentialError as error:
            raise SourceError(f"{path}: {error}") from error
    return KnownParties(registries=found)


async def from_network(wanted: Dependencies, given: ResolvedInputs, fetcher: Fetcher) -> Lookups:
    """Fetch what is needed and was not given; what is not available is left out, and why is told."""
    dids = sorted(wanted.dids - given.did_documents.keys())
    lists = sorted(wanted.status_lists - given.status_lists.keys())
    # Apart: a controller document and a status list may be asked for at one URL, and are read in different ways.
    (documents, untold), (texts, missing) = await asyncio.gather(
        _all_tried(dids[:MOST_LOOKUPS], partial(_did_document, fetcher)),
        _all_tried(lists[: max(0, MOST_LOOKUPS - len(dids))], partial(fetcher.fetch, accept=_STATUS_LIST)),
    )
    status_lists = {**given.status_lists, **texts}
    did_documents = {**given.did_documents, **documents}
    owners = sorted(status_list_signers(status_lists) - did_documents.keys())[:MOST_LOOKUPS]
    more, unknown = await _all_tried(owners, partial(_did_document, fetcher))
    problems = [*untold, *missing, *unknown]
    if len(dids) + len(lists) > MOST_LOOKUPS:
        problems.append(f"It names {len(dids) + len(lists)} URLs; {MOST_LOOKUPS} were asked.")
    material = replace(given, did_documents={**did_documents, **more}, status_lists=status_lists)
    return Lookups(material, tuple(problems))


async def newer_from_network(document: str | bytes, urls: Sequence[str], found: Lookups, fetcher: Fetcher) -> Lookups:
    """Fetch newer versions of a credential and of what is in it, then what those need in turn.

    Args:
        document: the credential.
        urls: where its newer versions stand; from `unrefreshed`, so that only proven credentials lead anywhere.
        found: what was looked up before.
        fetcher: see there.
    """
    refreshed, missing = await _all_tried(urls[:MOST_LOOKUPS], partial(fetcher.fetch, accept=_CREDENTIAL))
    more = await from_network(
        dependencies_of(document, refreshed), replace(found.material, refreshed=refreshed), fetcher
    )
    return Lookups(more.material, tuple(dict.fromkeys([*found.problems, *missing, *more.problems])))


def unrefreshed(report: Report) -> list[str]:
    """Return the URLs of newer versions of the proven credentials in a report that were not fetched."""
    reports = [report, *report.embedded]
    reports += [one.report for each in reports[:] for one in each.endorsements]
    named = [
        refresh_url(one.credential)
        for one in reports
        if one.credential is not None and one.check("refresh").code == "refresh_unavailable"
    ]
    return sorted({one for one in named if one is not None})


async def _all_tried(
    names: Sequence[str], ask: Callable[[str], Awaitable[_Found]]
) -> tuple[dict[str, _Found], list[str]]:
    """Return what was found, by name, and in one message each what was not."""
    found: dict[str, _Found] = {}

    async def tried(name: str) -> str | None:
        try:
            found[name] = await ask(name)
        except (FetchError, CredentialError) as error:
            return f"{name} could not be looked up: {error}"
        return None

    problems = await asyncio.gather(*map(tried, names))
    return found, [problem for problem in problems if problem]


async def _did_document(fetcher: Fetcher, owner: str) -> dict[str, Any]:
    """Fetch the document of a did:web, or the controller document that stands at an https URL."""
    url = owner if owner.startswith("https://") else did_web_url(owner)
    host = urlsplit(url).hostname
    if host in _LOCAL and owner.startswith("did:web:"):
        # The stack under development speaks http; the fetcher refuses that where it was not allowed.
        url = did_web_url(owner, "http")
    return read_json(await fetcher.fetch(url, _JSON))


def _identified(path: Path) -> tuple[str, dict[str, Any], bytes]:
    text = read_file(path)
    try:
        document = open_document(text, STATUS_LIST_LIMITS).document
    except CredentialError as error:
        raise SourceError(f"{path}: {error}") from error
    identifier = document.get("id")
    if not isinstance(identifier, str):
        raise SourceError(f"{path} has no id, so it cannot be told whose it is.")
    return identifier, document, text
