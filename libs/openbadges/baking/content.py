"""What is baked: the text of one credential or learner record, as JSON or compact JWS."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal

from libs.openbadges.jose.compact import COMPACT_JWS
from libs.openbadges.jsonld.parsing import Limits, parse
from libs.openbadges.model.errors import CredentialError, LimitError, UndecidedError, UnreadFormError
from libs.openbadges.model.older_badges import OPEN_BADGES_2, older_badge, unread
from libs.openbadges.model.records import is_record

PictureFormat = Literal["png", "svg"]
Container = PictureFormat | Literal["pdf"]
"""What a credential is read out of: a picture that it was baked into, or a PDF that it is attached to."""

PICTURE_BYTES: Final = 8 * 1024 * 1024
"""The largest picture that is read or written."""

CREDENTIAL_BYTES: Final = 1024 * 1024
"""The largest credential that is baked or read; a learner record holds many credentials."""

_LIMITS: Final = Limits(bytes=CREDENTIAL_BYTES, depth=60, nodes=100_000)


@dataclass(frozen=True, slots=True)
class Content:
    """The text to bake.

    Attributes:
        text: JSON, or a compact JWS, without space around it.
        is_jws: which of the two.
        is_record: a Comprehensive Learner Record, which has a keyword and a namespace of its own.
    """

    text: str
    is_jws: bool
    is_record: bool


@dataclass(frozen=True, slots=True)
class Baked:
    """What was found in a picture or a PDF."""

    format: Container
    content: Content


def read_content(text: str) -> Content:
    """Tell JSON from a compact JWS and a credential from a learner record.

    Raises:
        CredentialError: neither JSON nor a JWS (`baked_form`), or what `parsing.parse` finds wrong with the JSON.
        LimitError: longer than `CREDENTIAL_BYTES`, or beyond the limits of depth and values.
    """
    text = text.removeprefix("\ufeff").strip()
    if len(text) > CREDENTIAL_BYTES:
        raise LimitError("too_large", f"The credential has more than {CREDENTIAL_BYTES} bytes.")
    if COMPACT_JWS.match(text):
        claims = parse(_payload(text), _LIMITS)
        inner = claims.get("vc")
        return Content(text, is_jws=True, is_record=is_record(inner if isinstance(inner, dict) else claims))
    if not text.startswith("{"):
        raise CredentialError("baked_form", "What is baked into a picture is a credential in JSON or a compact JWS.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CredentialError("not_json", "The credential holds half a character (a lone surrogate).") from error
    return Content(text, is_jws=False, is_record=is_record(parse(text, _LIMITS)))


def baked_many(others: int) -> UndecidedError:
    """Return that a picture holds so many beside its credential that other readers may take for one."""
    return UndecidedError(
        "baked_many",
        f"Beside its credential the picture holds {others} more of another form, and other programs may show those."
        " Ask for the picture as its issuer gave it, or for the credential itself.",
    )


def older_content(text: str | bytes) -> UnreadFormError:
    """Return that a badge was baked as Open Badges 1 and 2 did, as JSON, as a JWS or as the URL of a hosted one."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        stripped = raw.strip()
        payload = _payload(stripped.decode()) if COMPACT_JWS.match(stripped.decode("latin-1")) else stripped
        found = older_badge(parse(payload, _LIMITS))
    except (CredentialError, UnicodeDecodeError):
        found = None
    return found or unread(OPEN_BADGES_2)


def _payload(jws: str) -> bytes:
    part = jws.split(".")[1]
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise CredentialError("baked_form", "The payload of the JWS is not base64url.") from error
