"""Before all stages: from what was handed in (JSON, JWT, envelope, picture) to one parsed document."""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from libs.openbadges.baking import Container, container_of, unbake
from libs.openbadges.integrity.recognition import RECOGNIZER
from libs.openbadges.jose.compact import as_compact, refuse_other_tokens
from libs.openbadges.jose.envelopes import envelope_kind, unwrap
from libs.openbadges.jose.tokens import Token, read_token
from libs.openbadges.jsonld.parsing import LIMITS, Limits, check, parse, write
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.errors import CredentialError, UndecidedError, UnreadFormError
from libs.openbadges.model.older_badges import older_badge
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.file_kinds import refuse_other_kinds

_HOLDERS: Final = ("credential", "verifiableCredential", "vc", "securedDocument", "data")
"""Members in which programs and calls hand a credential on."""
_START: Final = 64
_LIST: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*[{\"]")


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that was read.

    Attributes:
        document: the credential or presentation.
        container: the kind of picture that it was baked into, or PDF, if it was.
        token: the JWT that it is secured by; None where it carries its proofs itself.
        enveloped: whether the JWT stood in an envelope.
        canonical: the document without its proof, where its text matched a template.
    """

    document: dict[str, Any]
    container: Container | None = None
    token: Token | None = None
    enveloped: bool = False
    canonical: CanonicalDocument | None = None


def open_document(
    given: str | bytes | dict[str, Any], limits: Limits = LIMITS, profile: ProcessingProfile = PRODUCTION
) -> Opened:
    """Read a document; out of bytes that are a PNG, an SVG or a PDF it is taken first (Open Badges 3.0, section 5).

    A compact JWS is read as a JWT (Open Badges 3.0, section 8.2; VC-JOSE-COSE 1.0, section 3.1), and so is one in an
    envelope (VCDM 2.0, section 4.13).

    Raises:
        CredentialError: see `baking.unbake`, `parsing.parse`, `jose.tokens.read_token`, `jose.envelopes.unwrap`.
        LimitError: beyond the limits.
        UndecidedError: a file in which no credential can stand, see `file_kinds`; `wrapped`, what only holds one.
        UnreadFormError: a JWT or an envelope of a kind that is not read here, or a badge of before Open Badges 3.0.
    """
    if isinstance(given, bytes) and given[:2] != b'{"':
        refuse_other_kinds(given)
    if not isinstance(given, bytes) or given[:1] == b"{" or container_of(given) is None:
        return _open_text(given, limits, profile)
    baked = unbake(given)
    return replace(_open_text(baked.content.text, limits, profile), container=baked.format)


def _open_text(given: str | bytes | dict[str, Any], limits: Limits, profile: ProcessingProfile) -> Opened:
    if isinstance(given, dict):
        check(given, limits)
        given = write(given)
    text = given
    refuse_other_tokens(text)
    jws = as_compact(text)
    if jws is not None:
        token = read_token(jws, limits, profile)
        return Opened(token.document, token=token)
    return _recognized(text, limits) or open_parsed(_parsed(text, limits), limits, profile)


def _parsed(text: str | bytes, limits: Limits) -> dict[str, Any]:
    """Parse a document; one that only holds a credential is unknown, for there is nothing to say of the credential.

    Raises:
        CredentialError: see `parsing.parse`.
        UndecidedError: `wrapped`, a list, or an object without contexts around a credential.
        UnreadFormError: `encoding_unread`, in an encoding of one byte for each character.
    """
    try:
        document = parse(text, limits)
    except CredentialError as error:
        if error.code == "not_an_object" and _LIST.match(text if isinstance(text, bytes) else text[:_START].encode()):
            raise UndecidedError("wrapped", "This is a list. Hand in each credential in it by itself.") from None
        if error.code == "not_json" and isinstance(text, bytes) and _is_latin(text, limits):
            raise UnreadFormError("encoding_unread", "The document is not written in UTF-8; save it so.") from None
        raise
    holder = next((name for name in _HOLDERS if isinstance(document.get(name), dict | list | str)), None)
    if holder is not None and "@context" not in document:
        message = f"This holds a credential (in {holder}) and is none. Hand in the credential itself."
        raise UndecidedError("wrapped", message)
    return document


def _is_latin(text: bytes, limits: Limits) -> bool:
    """Return whether a text is a credential but for its encoding, which is Latin-1 or one like it."""
    try:
        text.decode()
    except UnicodeDecodeError:
        try:
            return "@context" in parse(text.decode("latin-1"), limits)
        except CredentialError:
            return False
    return False


def _recognized(text: str | bytes, limits: Limits) -> Opened | None:
    """Open a text whose like was met before; None where it must be read like any other."""
    try:
        raw = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        return None
    found = RECOGNIZER.recognize(raw) if len(raw) <= limits.bytes else None
    if found is None:
        return None
    canonical, options, value = found
    if envelope_kind(canonical.document) is not None:
        return None
    proof = {name: one if isinstance(one, str) else list(one) for name, one in options.items()}
    return Opened({**canonical.document, "proof": {**proof, "proofValue": value}}, canonical=canonical)


def open_parsed(document: dict[str, Any], limits: Limits = LIMITS, profile: ProcessingProfile = PRODUCTION) -> Opened:
    """Open a parsed document whose size was checked before: an envelope gives what is in it (VCDM 2.0, section 4.13).

    Raises:
        CredentialError: see `open_document`.
    """
    if (older := older_badge(document)) is not None:
        raise older
    if envelope_kind(document) is None:
        return Opened(document)
    jws = as_compact(unwrap(document, profile))
    if jws is None:
        raise CredentialError("jws_form", "What stands in the envelope is no JSON Web Token.", "/id")
    token = read_token(jws, limits, profile)
    return Opened(token.document, token=token, enveloped=True)
