"""`bowerbird issuers`: suspend an issuer and resume it, by the running issuer service."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from bowerbird import service_api
from bowerbird.service_api import CallError
from bowerbird.showing import plain
from libs.contracts.reasons import SUSPENSION_MEANINGS, SuspensionReason

Issuer = Annotated[str, Parameter(help="the id of the issuer")]
Reason = Annotated[
    str,
    Parameter(
        help="a public code: " + "; ".join(f"{code}: {meaning}" for code, meaning in SUSPENSION_MEANINGS.items())
    ),
]
KeyFile = Annotated[
    str,
    Parameter(allow_leading_hyphen=True, help="the file with an administrator's key; - for standard input"),
]
Url = Annotated[str, Parameter(help="where the issuer service answers")]

_KEY_FILE = "var/secrets/admin-key"
_URL = "http://127.0.0.1:8102"


def suspend(issuer: Issuer, reason: Reason, *, key_file: KeyFile = _KEY_FILE, url: Url = _URL) -> int:
    """Suspend an issuer: nothing is signed for it, and its evidence waits. To suspend it again changes nothing."""
    if reason not in SuspensionReason.__members__.values():
        print(f"bowerbird: {plain(reason)} is none of {', '.join(SuspensionReason)}", file=sys.stderr)
        return 1
    return _tell(issuer, "PUT", {"reason": reason}, key_file, url)


def resume(issuer: Issuer, *, key_file: KeyFile = _KEY_FILE, url: Url = _URL) -> int:
    """Let an issuer issue again: evidence that waited for it is decided. To resume it again changes nothing."""
    return _tell(issuer, "DELETE", None, key_file, url)


def _tell(issuer: str, method: str, body: Mapping[str, Any] | None, key_file: str, url: str) -> int:
    async def call(key: str) -> Any:
        async with service_api.client(url, key) as http:
            return await service_api.call(http, method, f"/v1/issuers/{quote(issuer, safe='')}/suspension", body)

    try:
        answer = asyncio.run(call(service_api.read_key(key_file)))
    except CallError as error:
        print(f"bowerbird: {error}", file=sys.stderr)
        return 1
    held = answer["suspension"]
    state = "may issue" if held is None else f"is suspended since {plain(held['since'])}: {plain(held['reason'])}"
    print(f"{plain(answer['name'])} ({plain(answer['id'])}) {state}")
    return 0
