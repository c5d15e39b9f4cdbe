"""Whether a URL opens something to whoever has it: tokens, signatures, keys, passwords, shares. Pure.

A URL that becomes public must hold nothing of the kind. It cannot be taken out either: such a URL leads nowhere
without it, or elsewhere. What is found is named by its parameter, never by its value.

- Parameters, in query, fragment and path, whose names speak of secrets (OAuth 2.0, RFC 6749 and RFC 6750; AWS Signature
  Version 4; Google's V4 signatures; Azure's shared access signatures), whatever is in them.
- Parameters whose names may speak of something harmless (`key`, `code`, `session`), where the value is random.
- Random values without a name, or with one of one letter, of 20 characters or more, in query and fragment. Of a
  fragment none in hexadecimal: many sites write a part of a page so.
- Segments behind one that speaks of sharing (`/share/…`, `/s/…`), where they are random.
- Values that are known by their form: JSON Web Tokens (RFC 7519), keys of well-known services, a user with a password.
- Links of sharing services that open a document to whoever has the link, and addresses that take messages (webhooks).

An id of a document (`/d/1a2B3c…/edit`, `?id=…`) is no secret here: most of them open nothing by themselves. Where its
owner lets in whoever has the link, that is not found, and no more is a secret in any other segment of a path.
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
        "loginkey", "invitekey", "sastoken", "xapikey", "tok", "jsession", "passwort", "kennwort", "motdepasse",
        "pw", "psw", "pswd", "tkn", "accesscode", "invitecode", "joincode", "cjc", "enrolkey", "enrolmentkey",
        "sharelinkid", "mdp", "senha", "clave", "contrasena", "contrasea", "wachtwoord", "haslo", "salasana",
        "losenord", "unlock", "unlockcode", "pincode", "hdnea", "hdnts", "hdntl", "editkey", "edit2",
    }
)  # fmt: skip
_ENDS: Final = (
    *("token", "secret", "password", "signature", "apikey", "accesskey", "sessionid", "sessid", "authkey"),
    *("tkn", "pwd", "passcode", "accesscode"),
)
_BEGINS: Final = ("xamz", "xgoog")
# Where the next page of a list begins.
_HARMLESS_NAMES: Final = frozenset({"pagetoken", "nextpagetoken", "nexttoken", "continuationtoken", "synctoken"})
_HARMLESS: Final = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null", "undefined"})
_WHERE_RANDOM: Final = frozenset(
    {
        "key", "code", "session", "sid", "s", "ticket", "invite", "invitation", "share", "shareid",
        "sharelink", "access", "grant", "pin", "hash", "nonce", "state", "assertion", "login", "magic",
        "link", "confirmation", "reset", "guest", "sso", "cred", "sess", "shared", "sharing", "viewkey",
        "verify", "hm", "md5", "digest", "t", "p",
    }
)  # fmt: skip

_OPENING_SEGMENTS: Final = frozenset(
    {"invite", "invitation", "session", "reset", "magic", "share", "shared", "sharing", "sharelink", "s"}
)
# Which document, and which video, as SharePoint and others write it.
_ONE_LETTER_IDS: Final = frozenset({"d", "v"})

_PARAMETER: Final = re.compile(r"[?&#;/]([^=&#;?/]{1,80})=([^&#;?]*)")
_SEGMENTS: Final = re.compile(r"/([A-Za-z_-]{1,30})(?=/([^/?#;]+))")
# A query or a fragment that is one value without a name.
_BARE: Final = re.compile(r"\?([\w-]{20,})(?=#|$)|#!?/?([\w-]{20,})$", re.ASCII)
_ONE_VALUE: Final = re.compile(r"[\w-]{20,}=*", re.ASCII)
_HEX: Final = re.compile("[0-9a-f-]+")
_PIN: Final = re.compile("[0-9]{4,12}")
_USER_AND_PASSWORD: Final = re.compile(r"(?:^|//)(?!(?:mailto|acct|sips?|xmpp):)[^/?#@:\s]{1,64}:[^/?#@\s]{1,64}@\w")
_NO_LETTERS: Final = re.compile("[^a-z0-9]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECE: Final = re.compile("[A-Za-z0-9]{10,}")
_WORD: Final = re.compile("[A-Z][a-z]{2,}|[a-z]{4,}")
_TURN: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|ya29\.[\w.-]{20,}"
    r"|gh[opsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{15,}|xox[abeprs]-[\w-]{10,}|[rs]k_live_[A-Za-z0-9]{16,}"
    r"|private-[0-9a-f]{16,})",
    re.ASCII,
)
# Host, or the end of it, and what of the path, query and fragment makes the link one that opens a document.
_SHARES: Final = (
    ("sharepoint.com", re.compile(r"/:[a-z]:/(?!r/)|^(?!/:[a-z]:/r/).*[?&]e=[^&#]", re.IGNORECASE)),
    ("1drv.ms", re.compile(r"/.")),
    ("onedrive.live.com", re.compile(r"[?&](?:e|redeem|migratedtospo)=[^&#]", re.IGNORECASE)),
    ("vimeo.com", re.compile(r"[?&]h=[0-9a-f]{6}|^/[0-9]+/[0-9a-f]{8,}", re.IGNORECASE)),
    ("mega.nz", re.compile("#.")),
    ("mega.co.nz", re.compile("#.")),
    ("t.me", re.compile(r"^/(?:\+|joinchat/)[^/]")),
    ("telegram.me", re.compile(r"^/(?:\+|joinchat/)[^/]")),
    ("zoom.us", re.compile("^/rec/(?:share|play)/.")),
    ("photos.google.com", re.compile("^/share/.")),
    ("trello.com", re.compile("^/invite/.")),
    ("app.seesaw.me", re.compile("/share/.")),
    ("loom.com", re.compile("^/share/.")),
    ("teams.microsoft.com", re.compile("^/l/meetup-join/.")),
    ("join.slack.com", re.compile("/shared_invite/.")),
    ("signal.group", re.compile("#.")),
    ("drive.proton.me", re.compile("^/urls/.")),
    ("box.com", re.compile("^/s/.")),
    ("dropbox.com", re.compile(r"^/(?:s|sh|scl)/[^/]")),
    ("canva.com", re.compile(r"^/design/[^/]+/(?!view|edit)[\w-]{16,}")),
    ("excalidraw.com", re.compile("#(?:json|room)=.")),
    ("wetransfer.com", re.compile("^/downloads/.")),
    ("share.icloud.com", re.compile("/.")),
    (
        "icloud.com",
        re.compile(
            "^/(?:sharedalbum|photos|iclouddrive|pages|numbers|keynote|notes|freeform)/(?:[a-z-]{2,10}/)?#?[^/#]"
        ),
    ),
    ("photos.app.goo.gl", re.compile("/.")),
    ("we.tl", re.compile("/.")),
    ("chat.whatsapp.com", re.compile("/.")),
    ("discord.gg", re.compile("/.")),
    ("discord.com", re.compile("^/(?:api/webhooks|invite)/.")),
    ("hooks.slack.com", re.compile("/.")),
    ("hooks.zapier.com", re.compile("/.")),
    ("webhook.office.com", re.compile("/.")),
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
        found = _in_parameter(_NO_LETTERS.sub("", unquote(parameter[1]).lower()), unquote(parameter[2]))
        if found is not None:
            return found
    bare = _BARE.search(rest)
    # Sites name a part of a page by an id in hexadecimal.
    if bare is not None and _is_random(bare[1] or bare[2]) and not (bare[2] and _HEX.fullmatch(bare[2])):
        return "holds a value that looks like a secret"
    for segments in _SEGMENTS.finditer(rest):
        name = _NO_LETTERS.sub("", segments[1].lower())
        if (_speaks(name) or name in _OPENING_SEGMENTS) and _is_random(segments[2]):
            return f"holds what looks like a secret ({_shown(name)})"
    return None


def _in_parameter(name: str, value: str) -> str | None:
    if _speaks(name) and value.lower() not in _HARMLESS:
        return f"holds what looks like a secret ({_shown(name)})"
    if (name in _WHERE_RANDOM and _is_random(value)) or (name == "pin" and _PIN.fullmatch(value)):
        return f"holds what looks like a secret ({name})"
    if len(name) == 1 and name not in _ONE_LETTER_IDS and _ONE_VALUE.fullmatch(value) and _is_random(value):
        return "holds a value that looks like a secret"
    return "holds a user name or password" if _USER_AND_PASSWORD.search(value) else None


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
