"""`bowerbird verify` and `bowerbird inspect`: is a credential good, and what does it say?"""

import asyncio
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from cyclopts import Parameter
from rich.console import Console

from bowerbird import lookups, showing
from bowerbird.lookups import SourceError
from libs.common.fetch import Fetcher, FetchError, Rules
from libs.openbadges.baking import PICTURE_BYTES
from libs.openbadges.jsonld.parsing import check
from libs.openbadges.model.documents import model_of, read_model
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Outcome
from libs.openbadges.verify import Recipient, dependencies_of, open_document
from libs.openbadges.verify import verify as verify_credential

EXIT_STATUS: Final[dict[Outcome, int]] = {"pass": 0, "fail": 1, "unknown": 2}

DidDocuments = Annotated[list[Path] | None, Parameter(negative="", help="a file with an issuer's DID document")]
StatusLists = Annotated[list[Path] | None, Parameter(negative="", help="a file with a status list credential")]
Json = Annotated[
    bool, Parameter(name="--json", negative="", help="print JSON for programs; of several sources one object a line")
]
Registries = Annotated[
    list[Path] | None, Parameter(negative="", help="a file with a registry of issuers that you trust, JSON or signed")
]
RegistrySigner = Annotated[
    list[str] | None, Parameter(negative="", help="the did:key that must have signed registries that are signed")
]
Online = Annotated[
    bool,
    Parameter(negative="", help="fetch DID documents, status lists and newer versions; always so for a URL"),
]
Asked = Annotated[
    str | None,
    Parameter(allow_leading_hyphen=True, help="whom it must be about: an id, or an identifier in plain text"),
]
AskedType = Annotated[str | None, Parameter(help="of which type that identifier is, such as emailAddress")]
Loopback = Annotated[
    bool, Parameter(negative="", help="also fetch from this machine, over http: for a stack under development")
]


def verify(
    source: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True, help="a file (JSON, JWT, PNG, SVG or PDF), an https URL, or - for standard input"
        ),
    ],
    *others: Annotated[str, Parameter(help="more of them, answered in their order")],
    did_document: DidDocuments = None,
    status_list: StatusLists = None,
    registry: Registries = None,
    registry_signer: RegistrySigner = None,
    online: Online = False,
    allow_loopback: Loopback = False,
    recipient: Asked = None,
    recipient_type: AskedType = None,
    as_json: Json = False,
) -> int:
    """Verify credentials. Exit status: 0 every check passes, whoever signed; 1 one fails, 2 not all could be checked.

    Anybody can sign a credential that passes every check, under any name: who signed is told beside the verdict (of
    `--json` in `signer`), and known only of those whom a `--registry` lists. 64 is wrong usage.
    """
    try:
        given = lookups.from_files(did_document or [], status_list or [])
        parties = lookups.known_parties(registry or [], registry_signer or [], datetime.now(UTC))
    except SourceError as error:
        return _wrong_usage(error)
    asked = _Question(
        replace(given, material=replace(given.material, parties=parties)),
        Fetcher(Rules(loopback=allow_loopback)),
        online,
        None if recipient is None else Recipient(recipient, recipient_type),
        "none" if not as_json else "lines" if others else "indented",
    )
    statuses = set()
    for one in (source, *others):
        if others and not as_json:
            print(f"{showing.plain(one)}:", flush=True)
        statuses.add(_answered(one, asked))
    return next(status for status in (os.EX_USAGE, 1, 2, 0) if status in statuses)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of each source.

    Attributes:
        given: what was read from files before.
        fetcher: for what is looked up on the way.
        online: whether it is, of a file too.
        recipient: whom it must be about; None does not ask.
        json: for programs: indented, as one of several lines, or none.
    """

    given: lookups.Lookups
    fetcher: Fetcher
    online: bool
    recipient: Recipient | None
    json: Literal["none", "indented", "lines"]


def _answered(source: str, asked: _Question) -> int:
    """Do as `_verified`; a fault of ours is no verdict, and keeps no other source from its answer."""
    try:
        return _verified(source, asked)
    except BrokenPipeError:
        raise  # Nobody reads the answers any more.
    except Exception as error:  # noqa: BLE001  # whatever a document, or one that it names, makes us meet
        return _unanswered(f"This could not be verified, by a fault of this program: {error!r}", source, asked)


def _unanswered(problem: str, source: str, asked: _Question) -> int:
    """Return the exit status of no verdict, once why was printed."""
    if asked.json == "none":
        _complain(problem)
    else:
        answer = {"verdict": "unknown", "summary": problem, "signer": None, "checks": [], "problems": [problem]}
        _tell(answer, source, asked)
    return EXIT_STATUS["unknown"]


def _verified(source: str, asked: _Question) -> int:
    """Verify one source, tell the verdict, and return the exit status."""
    try:
        document = asyncio.run(lookups.fetch_credential(asked.fetcher, source)) if _is_url(source) else _read(source)
    except SourceError as error:
        if asked.json == "lines":
            _tell({"problem": str(error)}, source, asked)
        return _wrong_usage(error)
    except FetchError as error:
        return _unanswered(str(error), source, asked)
    found = asked.given
    online = asked.online or _is_url(source)
    if online:
        found = asyncio.run(lookups.from_network(dependencies_of(document), found.material, asked.fetcher))
    now = datetime.now(UTC)
    report = verify_credential(document, found.material, now, recipient=asked.recipient)
    if online and (newer := lookups.unrefreshed(report)):
        found = asyncio.run(lookups.newer_from_network(document, newer, found, asked.fetcher))
        report = verify_credential(document, found.material, now, recipient=asked.recipient)
    if asked.json == "none":
        showing.show_report(_console(), report, found.problems)
    else:
        _tell({**report.to_dict(), "problems": list(found.problems)}, source, asked)
    return EXIT_STATUS[report.verdict]


def _tell(answer: dict[str, Any], source: str, asked: _Question) -> None:
    """Write an answer as JSON; one of several says of which source it is."""
    if asked.json == "lines":
        _write({"source": source, **answer}, "lines")
    else:
        _write(answer)


def inspect(
    file: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="a file (JSON, JWT, PNG, SVG or PDF), or - for standard input")
    ],
    *,
    as_json: Json = False,
) -> int:
    """Show what a credential says, without verifying it. Exit status: 0, or 1 where it cannot be read."""
    try:
        opened = open_document(_read(file))
        form = _form(opened.document)
    except SourceError as error:
        return _wrong_usage(error)
    except CredentialError as error:
        if as_json:
            _write({"problem": str(error), "code": error.code})
        else:
            _complain(str(error))
        return 1
    if as_json:
        token = opened.token
        around = {} if token is None else {"token": {"header": token.header, "claims": token.claims}}
        _write({"baked_into": opened.container, "form": form, **around, "credential": opened.document})
    else:
        showing.show_document(_console(), opened, form)
    return 0


def _form(document: dict[str, Any]) -> str:
    """Report whether a document follows the data model that its types name, and if not, where it departs from it."""
    try:
        check(document)
        return f"follows the data model of {type(read_model(document)).__name__}"
    except CredentialError as error:
        return f"departs from the data model of {model_of(document).__name__}: {error}"


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(PICTURE_BYTES + 1)
    if _is_url(source):
        raise SourceError("A URL is fetched by `bowerbird verify` only.")
    return lookups.read_file(Path(source))


def _is_url(source: str) -> bool:
    return source.startswith(("https://", "http://"))


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _wrong_usage(error: SourceError) -> int:
    print(f"bowerbird: {error}", file=sys.stderr)
    return os.EX_USAGE


def _complain(message: str) -> None:
    print(f"bowerbird: {showing.plain(message)}", file=sys.stderr)


def _write(answer: dict[str, Any], form: Literal["indented", "lines"] = "indented") -> None:
    option = orjson.OPT_INDENT_2 if form == "indented" else None
    sys.stdout.write(orjson.dumps(answer, option=option).decode() + "\n")
    sys.stdout.flush()
