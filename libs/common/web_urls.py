"""URLs (http, https) as credentials and pages may hold them: one rule for evidence, profiles and pictures. Pure.

What is taken is an absolute URL of RFC 3986 whose text can stand in RDF as it is (RFC 3987, N-Quads IRIREF), so that
whatever is taken can be signed. People's URLs are written into that form: characters that browsers take and no URL
holds ({}|^`[] and quotation marks) are percent-encoded, and an international host becomes A-labels (IDNA 2008).
"""

import ipaddress
import re
from typing import Final

import idna

from libs.common.text import REFUSED
from libs.common.url_secrets import secret_in

PATTERN: Final = (
    r"https?://(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.){0,3}[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
    rf"(?::[0-9]{{1,4}})?(?:[/?#](?:[^\s\\%\x85{REFUSED}]|%[0-9A-Fa-f]{{2}})*)?"
)
"""URLs that are taken, as a regular expression: those with a host of up to four names in ASCII, and a usual port."""

_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
# Taken by browsers, held by no URL outside of a host.
_ENCODED: Final = re.compile(r'["<>\[\]^`{|}]')
_REFUSED: Final = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]|%(?![0-9A-Fa-f]{2})")
_USUAL: Final = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,20}(?:/[\w/.~=&?+@:,-]*)?", re.ASCII
)


class SecretInUrlError(ValueError):
    """The URL opens something to whoever has it. The message says how, and repeats nothing of its values."""


def public_web_url(text: str) -> str:
    """Return the URL in the form that a credential can hold, where anybody may have it.

    A URL with a secret is refused, not shortened: without it, it would lead nowhere.

    Raises:
        SecretInUrlError: it holds a token, a signature, a key or a password, or is itself a share (url_secrets.py).
        ValueError: it is no URL, as `web_url` says.
    """
    url = web_url(text)
    secret = secret_in(url)
    if secret is not None:
        raise SecretInUrlError(secret)
    return url


def web_url(text: str) -> str:
    """Return the URL in the form that a credential can hold.

    Raises:
        ValueError: it is none: the message says why, and repeats nothing of it.
    """
    if _USUAL.fullmatch(text) and "--" not in text:
        return text
    parts = _URL.fullmatch(text)
    if parts is None:
        raise ValueError("starts with neither https:// nor http://")
    if "@" in parts["host"]:
        raise ValueError("holds a user name or password")
    rest = parts["rest"]
    if _REFUSED.search(text):
        raise ValueError("holds a space, a backslash or a percent sign that encodes nothing")
    path, mark, fragment = rest.partition("#")
    # One # begins the fragment, another is a character of it.
    rest = path + mark + fragment.replace("#", "%23")
    encoded = _ENCODED.sub(lambda found: f"%{ord(found[0]):02X}", rest)
    return f"{parts['scheme'].lower()}://{_host(parts['host'])}{encoded}"


def _host(text: str) -> str:
    parts = _HOST.fullmatch(text)
    if parts is None or int(parts["port"] or 0) > 65_535:
        raise ValueError("has no host that could be looked up")
    port = "" if parts["port"] is None else f":{int(parts['port'])}"
    name = parts["name"]
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1])}]{port}"
        except ValueError:
            raise ValueError("has no host that could be looked up") from None
    try:
        ascii_name = name.lower() if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("has no host that could be looked up") from None
    labels = ascii_name.removesuffix(".").split(".")
    if len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("has no host that could be looked up")
    return ascii_name + port
