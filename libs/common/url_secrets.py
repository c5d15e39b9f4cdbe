"""Whether a URL opens something to whoever has it: tokens, signatures, keys, passwords, shares. Pure.

A URL that becomes public must hold nothing of the kind. It cannot be taken out either: such a URL leads nowhere
without it, or elsewhere. What is found is named by its parameter, never by its value.

- Parameters, in query, fragment and path, whose names speak of secrets (OAuth 2.0, RFC 6749 and RFC 6750; AWS Signature
  Version 4; Google's V4 signatures; Azure's shared access signatures), whatever is in them.
- Parameters whose names may speak of something harmless (`key`, `code`, `session`), where the value is random.
- Values that are known by their form: JSON Web Tokens (RFC 7519), keys of well-known services.
- Links of sharing services that open a document to whoever has the link.

An id of a document (`/d/1a2B3c…/edit`, `?id=…`) is no secret here: most of them open nothing by themselves.
"""

import re
from typing import Final
from urllib.parse import unquote

_ALWAYS: Final = frozenset(
    {
        "token", "tk", "auth", "authorization", "bearer", "jwt", "sig", "signature", "hmac", "secret",
        "password", "pass", "passwd", "passphrase", "passcode", "pwd", "apikey", "accesskey", "accesskeyid",
        "awsaccesskeyid", "googleaccessid", "secretkey", "privatekey", "authkey", "authcode", "sharedkey",
        "sharekey", "subscriptionkey", "resourcekey", "rlkey", "keypairid", "sessionid", "sessionkey",
        "sessid", "phpsessid", "jsessionid", "aspnetsessionid", "samlresponse", "otp", "magiclink",
        "loginkey", "invitekey", "sastoken", "xapikey",
    }
)  # fmt: skip
_ENDS: Final = ("token", "secret", "password", "signature", "apikey", "accesskey", "sessionid", "sessid", "authkey")
_BEGINS: Final = ("xamz", "xgoog")
# Where the next page of a list begins.
_HARMLESS_NAMES: Final = frozenset({"pagetoken", "nextpagetoken", "nexttoken", "continuationtoken", "synctoken"})
_HARMLESS: Final = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null", "undefined"})
_WHERE_RANDOM: Final = frozenset(
    {
        "key", "code", "session", "sid", "s", "ticket", "invite", "invitation", "share", "shareid",
        "sharelink", "access", "grant", "pin", "hash", "nonce", "state", "assertion", "login", "magic",
        "link", "confirmation", "reset", "guest", "sso", "cred",
    }
)  # fmt: skip

_OPENING_SEGMENTS: Final = frozenset({"invite", "session", "reset", "magic"})

_PARAMETER: Final = re.compile(r"[?&#;/]([^=&#;?/]{1,80})=([^&#;?]*)")
_SEGMENTS: Final = re.compile(r"/([A-Za-z_-]{3,30})/(?=([^/?#;]+))")
_NO_LETTERS: Final = re.compile("[^a-z0-9]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECE: Final = re.compile("[A-Za-z0-9]{10,}")
_WORD: Final = re.compile("[A-Z][a-z]{2,}|[a-z]{4,}")
_TURN: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|ya29\.[\w.-]{20,}"
    r"|gh[opsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{15,}|xox[abeprs]-[\w-]{10,}|[rs]k_live_[A-Za-z0-9]{16,})",
    re.ASCII,
)
# Host, or the end of it, and what of the path, query and fragment makes the link one that opens a document.
_SHARES: Final = (
    ("sharepoint.com", re.compile(r"/:[a-z]:/(?!r/)|^(?!/:[a-z]:/r/).*[?&]e=[^&#]", re.IGNORECASE)),
    ("1drv.ms", re.compile(r"/.")),
    ("onedrive.live.com", re.compile(r"[?&](?:e|redeem|migratedtospo)=[^&#]", re.IGNORECASE)),
    ("vimeo.com", re.compile(r"[?&]h=[0-9a-f]{6}|^/[0-9]+/[0-9a-f]{8,}", re.IGNORECASE)),
    ("mega.nz", re.compile("#.")),
)
_HOST: Final = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_DECODINGS: Final = 2


def secret_in(url: str) -> str | None:
    """Return what makes this http or https URL open something to whoever has it, in words; None where nothing does."""
    host = _HOST.match(url)
    if host is None or host.end() >= len(url) - 1:
        return None
    rest = url[host.end() :]
    name = host[1].lower().partition(":")[0].removesuffix(".")
    for service, share in _SHARES:
        if (name == service or name.endswith(f".{service}")) and share.search(rest):
            return f"is a link by which {service} lets in whoever has it"
    found = _in(rest)
    for _ in range(_DECODINGS):
        # Another URL may stand in this one, encoded.
        if found is not None or "%" not in rest:
            break
        rest = unquote(rest)
        found = _in(rest)
    return found


def _in(rest: str) -> str | None:
    if _KNOWN.search(rest):
        return "holds a token"
    for parameter in _PARAMETER.finditer(rest):
        name, value = _NO_LETTERS.sub("", unquote(parameter[1]).lower()), unquote(parameter[2])
        if _speaks(name) and value.lower() not in _HARMLESS:
            return f"holds what looks like a secret ({_shown(name)})"
        if name in _WHERE_RANDOM and _is_random(value):
            return f"holds what looks like a secret ({name})"
    for segments in _SEGMENTS.finditer(rest):
        name = _NO_LETTERS.sub("", segments[1].lower())
        if (_speaks(name) or name in _OPENING_SEGMENTS) and _is_random(segments[2]):
            return f"holds what looks like a secret ({_shown(name)})"
    return None


def _speaks(name: str) -> bool:
    if name in _HARMLESS_NAMES:
        return False
    return name in _ALWAYS or name.endswith(_ENDS) or name.startswith(_BEGINS)


def _shown(name: str) -> str:
    """Return the name where it is one of ours; others could repeat a person's words."""
    return name if name in _ALWAYS else next((each for each in (*_BEGINS, *_ENDS) if each in name), "token")


def _is_random(value: str) -> bool:
    """Return whether no person wrote a value: letters, capitals and digits change too often, or it is a UUID."""
    if _UUID.search(value):
        return True
    return any(len(_TURN.findall(_WORD.sub("", piece))) >= 3 for piece in _PIECE.findall(value))
