"""What a presentation must be (VCDM 2.0, section 4.13; VCDM 1.1, section 4.10)."""

from typing import Any

from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.datamodel.forms import (
    check_contexts_form,
    check_id,
    checked_types,
    refuse,
    require_url,
    things,
)

_ENVELOPED = "EnvelopedVerifiableCredential"


def check_presentation(document: dict[str, Any]) -> None:
    """Check a presentation; the credentials in it are only told from what is none, and checked each by itself.

    Raises:
        CredentialError: the first rule that it breaks, with the place.
    """
    check_contexts_form(document, CREDENTIALS_V2, CREDENTIALS_V1)
    if "VerifiablePresentation" not in checked_types(document, ""):
        raise refuse("The type of a presentation has VerifiablePresentation in it.", "/type")
    check_id(document, "")
    if "holder" in document:
        holder = document["holder"]
        if isinstance(holder, dict):
            check_id(holder, "/holder", required=True)
        else:
            require_url(holder, "/holder")
    for name in ("termsOfUse", "refreshService"):
        if name in document:
            for one, path in things(document[name], f"/{name}"):
                checked_types(one, path)
                check_id(one, path)
    held = document.get("verifiableCredential", [])
    if held == [] and isinstance(held, list):
        return
    for one, path in things(held, "/verifiableCredential"):
        types = checked_types(one, path)
        if _ENVELOPED in types:
            check_enveloped(one, path)
        elif "VerifiableCredential" not in types:
            raise refuse("A presentation holds credentials, and credentials in envelopes.", f"{path}/type")


def check_enveloped(one: dict[str, Any], path: str = "", kind: str = _ENVELOPED) -> None:
    """Check the object that stands for an enveloped credential or presentation (VCDM 2.0, sections 4.13.1, 4.13.2).

    Raises:
        CredentialError: no base context, another type, no data: URL.
    """
    contexts = one.get("@context")
    if CREDENTIALS_V2 not in (contexts if isinstance(contexts, list) else [contexts]):
        raise refuse("An envelope names the context of verifiable credentials.", f"{path}/@context")
    if checked_types(one, path) != [kind]:
        raise refuse(f"The type of this envelope is {kind}.", f"{path}/type")
    identifier = one.get("id")
    if not isinstance(identifier, str) or not identifier.startswith("data:") or "," not in identifier:
        raise refuse("The id of an envelope is a data: URL with what it envelops.", f"{path}/id")
