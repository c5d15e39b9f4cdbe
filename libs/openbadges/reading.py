"""From what somebody handed in (JSON text, a parsed document, a picture) to one parsed document."""

from dataclasses import dataclass
from typing import Any

from libs.openbadges.baking import PictureFormat, picture_format, unbake
from libs.openbadges.baking.content import COMPACT_JWS
from libs.openbadges.errors import CredentialError
from libs.openbadges.parsing import LIMITS, Limits, parse, write


class UnreadFormError(CredentialError):
    """The document may be good, and has a form that is not read here."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that was read, and the kind of picture that it was baked into (None for plain JSON)."""

    document: dict[str, Any]
    picture: PictureFormat | None


def open_document(given: str | bytes | dict[str, Any], limits: Limits = LIMITS) -> Opened:
    """Read a document; bytes that are a PNG or SVG have it taken out first (Open Badges 3.0, section 5).

    Raises:
        CredentialError: see `baking.unbake`, `parsing.parse`.
        LimitError: beyond the limits.
        UnreadFormError: a compact JWS.
    """
    if not isinstance(given, bytes) or given[:1] == b"{" or picture_format(given) is None:
        return Opened(read_json(given, limits), None)
    baked = unbake(given)
    return Opened(read_json(baked.content.text, limits), baked.format)


def read_json(given: str | bytes | dict[str, Any], limits: Limits = LIMITS) -> dict[str, Any]:
    """Read a document that is JSON; one that was parsed elsewhere is checked like text.

    Raises:
        CredentialError, LimitError: see `parsing.parse`.
        UnreadFormError: a compact JWS.
    """
    if isinstance(given, dict):
        given = write(given)
    if given[:1] not in {"{", b"{"}:
        text = given.decode("latin-1") if isinstance(given, bytes) else given
        if COMPACT_JWS.match(text.strip()):
            raise UnreadFormError("jwt_unread", "It is a JSON Web Token; credentials of this form are not read here.")
    document = parse(given, limits)
    check_form(document)
    return document


def check_form(document: dict[str, Any]) -> None:
    """Tell an envelope from a credential.

    Raises:
        UnreadFormError: a credential in an envelope of its own (VCDM 2.0, section 4.13), which is not opened here.
    """
    types = document.get("type")
    if "EnvelopedVerifiableCredential" in (types if isinstance(types, list) else [types]):
        raise UnreadFormError("enveloped_unread", "The credential is in an envelope that is not opened here.")
