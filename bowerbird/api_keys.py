"""`bowerbird keys`: list, make, rotate and withdraw API keys of issuers, by the running issuer service."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec
from urllib.parse import quote, urlencode

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bowerbird import service_api
from bowerbird.service_api import CallError
from bowerbird.showing import plain
from libs.access.key_files import write_new

P = ParamSpec("P")

Issuer = Annotated[str, Parameter(help="the id of the issuer whose keys these are")]
KeyFile = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="the file with your own key, an administrator's or one with keys:write; - for standard input",
    ),
]
Url = Annotated[str, Parameter(help="where the issuer service answers")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON for programs")]
Reason = Annotated[
    str | None, Parameter(help="why, in your own words: it stands in the list of keys and in the audit log for good")
]
To = Annotated[Path | None, Parameter(help="a new file for the new key, instead of printing it")]

_KEY_FILE = "var/secrets/admin-key"
_URL = "http://127.0.0.1:8102"


@dataclass(frozen=True)
class _Keys:
    """The API keys of one issuer, as the service that answers at a URL lets the holder of a key see and change them."""

    issuer: str
    key_file: str
    url: str

    def call(self, method: str, path: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is answered.

        Raises:
            CallError: see `service_api`.
        """
        key = service_api.read_key(self.key_file)

        async def call() -> dict[str, Any]:
            async with service_api.client(self.url, key) as http:
                whole = f"/v1/issuers/{quote(self.issuer, safe='')}/keys{path}"
                answer: dict[str, Any] = await service_api.call(http, method, whole, body)
            return answer

        return asyncio.run(call())


def _told(command: Callable[P, int]) -> Callable[P, int]:
    """What the service refuses is one sentence on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except CallError as error:
            print(f"bowerbird: {error}", file=sys.stderr)
            return 1

    return wrapped


@_told
def list_keys(
    issuer: Issuer, *, ended: bool = False, key_file: KeyFile = _KEY_FILE, url: Url = _URL, as_json: Json = False
) -> int:
    """List the API keys of an issuer, the oldest first.

    Args:
        issuer: see its help.
        ended: also those that no longer work.
        key_file: see its help.
        url: see its help.
        as_json: see its help.
    """
    now = datetime.now(UTC)
    keys = [each for each in _Keys(issuer, key_file, url).call("GET")["keys"] if ended or _ends(each) > now]
    _show(keys, now, as_json)
    return 0


@_told
def make(
    issuer: Issuer,
    name: Annotated[str, Parameter(help="what will use the key, not who: it stands in the audit log")],
    *scopes: Annotated[str, Parameter(help="what it may do, such as evidence:write (docs/reference/scopes.md)")],
    expires_at: Annotated[
        datetime | None, Parameter(help="when it ends, such as 2027-06-30; else in a year, or with your own key")
    ] = None,
    reason: Reason = None,
    to: To = None,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
    as_json: Json = False,
) -> int:
    """Make an API key of an issuer. It is shown this once; with --to it goes into a file that you alone may read."""
    if not scopes:
        print("bowerbird: name at least one scope", file=sys.stderr)
        return os.EX_USAGE
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    if expires_at is not None:
        body["expires_at"] = expires_at.astimezone(UTC).isoformat()
    if reason is not None:
        body["reason"] = reason
    return _made(to, as_json, lambda: _Keys(issuer, key_file, url).call("POST", body=body))


@_told
def rotate(
    issuer: Issuer,
    key_id: Annotated[str, Parameter(help="the id of the key that is to be followed by a new one")],
    *,
    overlap_hours: Annotated[int, Parameter(help="how long the old key works still")] = 24,
    reason: Reason = None,
    to: To = None,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
    as_json: Json = False,
) -> int:
    """Make a key of the same name and scopes; the old one works for the overlap still."""
    path, body = f"/{quote(key_id, safe='')}/rotate", {"overlap_hours": overlap_hours, "reason": reason}
    return _made(to, as_json, lambda: _Keys(issuer, key_file, url).call("POST", path, body))


@_told
def withdraw(
    issuer: Issuer,
    key_id: Annotated[str, Parameter(help="the id of the key")],
    *,
    leaked: Annotated[
        bool, Parameter(negative="", help="somebody else has it: withdraw the keys that were made with it, too")
    ] = False,
    reason: Reason = None,
    key_file: KeyFile = _KEY_FILE,
    url: Url = _URL,
    as_json: Json = False,
) -> int:
    """Withdraw a key: within two seconds no service takes it. To withdraw it again changes nothing."""
    query = ({"leaked": "true"} if leaked else {}) | ({} if reason is None else {"reason": reason})
    path = f"/{quote(key_id, safe='')}?{urlencode(query)}"
    _show(_Keys(issuer, key_file, url).call("DELETE", path)["keys"], datetime.now(UTC), as_json)
    return 0


def _made(to: Path | None, as_json: bool, ask: Callable[[], dict[str, Any]]) -> int:
    """Ask for a key and hand it over; its file is made before the key, which nobody could see again."""
    if to is not None:
        try:
            write_new(to, "")
        except OSError as error:
            raise CallError(f"{to} cannot be made: {error.strerror}") from None
    try:
        answer = ask()
    except BaseException:
        if to is not None:
            to.unlink()
        raise
    key = answer.pop("key")
    if to is not None:
        to.write_text(f"{key}\n", encoding="ascii")
    elif as_json:
        answer["key"] = key
    _show([answer], datetime.now(UTC), as_json)
    if to is not None:
        print(f"the key is in {to}", file=sys.stderr)
    elif not as_json:
        print(f"\n{key}\n\nIt is shown this once: only its digest is stored.")
    return 0


def _show(keys: Sequence[dict[str, Any]], now: datetime, as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(keys, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table()
    for column in ("id", "name", "scopes", "made by", "why", "last used", "works"):
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for each in keys:
        table.add_row(
            plain(each["id"]),
            plain(each["name"]),
            plain(" ".join(each["scopes"])),
            plain(each["granted_by"]),
            plain(each["reason"] or ""),
            "not known" if each["last_used"] is None else f"{_moment(each['last_used'])[:13]}h",
            _works(each, now),
        )
    Console(highlight=False, markup=False, emoji=False).print(table)


def _works(key: dict[str, Any], now: datetime) -> str:
    why = ": ".join(plain(key[each]) for each in ("end_reason", "end_note") if key[each])
    reason = f" ({why})" if why else ""
    return f"{'until' if _ends(key) > now else 'ended'} {_moment(key['ends_at'])}{reason}"


def _ends(key: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(key["ends_at"])


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
