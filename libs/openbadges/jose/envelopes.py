"""Enveloped credentials and presentations: a JWT as the `id` of a small JSON-LD document (VCDM 2.0, section 4.13)."""

from typing import Any, Final

from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.errors import CredentialError, UnreadFormError
from libs.openbadges.model.members import types_of
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

CREDENTIAL: Final = "EnvelopedVerifiableCredential"
PRESENTATION: Final = "EnvelopedVerifiablePresentation"

_MEDIA_TYPES: Final = {CREDENTIAL: "application/vc+jwt", PRESENTATION: "application/vp+jwt"}
_MEMBERS: Final = frozenset({"@context", "id", "type"})
_OLDER_MEDIA_TYPE: Final = "application/jwt"
"""For tokens of VCDM 1.1 (see `tokens`); the suite of VCDM 2.0 sends one, and it alone gets it read."""


def envelop_credential(jwt: str) -> dict[str, Any]:
    """Put a `vc+jwt` into an envelope (VCDM 2.0, section 4.13.1, Enveloped Verifiable Credentials)."""
    return _envelop(jwt, CREDENTIAL)


def envelop_presentation(jwt: str) -> dict[str, Any]:
    """Put a `vp+jwt` into an envelope (VCDM 2.0, section 4.13.2, Enveloped Verifiable Presentations)."""
    return _envelop(jwt, PRESENTATION)


def envelope_kind(document: dict[str, Any]) -> str | None:
    """Return which kind of envelope a document says that it is; None for none."""
    listed = types_of(document)
    return next((kind for kind in _MEDIA_TYPES if kind in listed), None)


def unwrap(document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> str:
    """Take the JWT out of an envelope (VCDM 2.0, section 4.13; RFC 2397).

    Raises:
        CredentialError: `envelope_form`, no envelope as the data model has it.
        UnreadFormError: `envelope_media_type`, it holds something else than a JWT.
    """
    kind = envelope_kind(document)
    contexts = document.get("@context")
    if kind is None or (contexts[0] if isinstance(contexts, list) and contexts else contexts) != CREDENTIALS_V2:
        raise CredentialError("envelope_form", f"An envelope has the context {CREDENTIALS_V2} first.", "/@context")
    beside = next((name for name in document if name not in _MEMBERS), None)
    if beside is not None:
        # Nobody signed it: whoever shows what was sent would show it beside the verdict on what is inside.
        raise CredentialError("envelope_form", f"An envelope holds @context, id and type alone, not {beside[:60]!r}.")
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier.startswith("data:") or "," not in identifier:
        raise CredentialError("envelope_form", "The id of an envelope is a data: URL.", "/id")
    media_type, _, content = identifier.removeprefix("data:").partition(",")
    if media_type.lower() != _MEDIA_TYPES[kind] and not (profile.older_tokens and media_type == _OLDER_MEDIA_TYPE):
        raise UnreadFormError(
            "envelope_media_type", f"Envelopes of the type {media_type[:60]} are not read here.", "/id"
        )
    return content


def _envelop(jwt: str, kind: str) -> dict[str, Any]:
    return {"@context": CREDENTIALS_V2, "id": f"data:{_MEDIA_TYPES[kind]},{jwt}", "type": kind}
