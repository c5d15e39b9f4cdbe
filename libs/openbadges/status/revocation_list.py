"""1EdTech Credential Revocation List 1.0: an issuer's list of the ids of credentials that it has revoked, unsigned."""

import re
from typing import Any, Final

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import identifier_of, issuer_of, types_of

KIND: Final = "1EdTechRevocationList"
_UUID_URN: Final = re.compile(r"urn:uuid:[0-9a-f-]{36}", re.IGNORECASE)


def check_revocation_list(document: dict[str, Any], url: str, listed: dict[str, Any]) -> Finding:
    """Look a credential up in the list that it names.

    The list carries no proof: it counts because it stands where the credential, which is signed, says. One that does
    not list the credential counts only where it names the same issuer and URL.

    Args:
        document: the credential.
        url: where the list stands.
        listed: the list: its id, its issuer, and `revokedCredential`, each with an id and maybe `revoked`.

    Raises:
        CredentialError: `STATUS_VERIFICATION_ERROR`, it is no such list, or another one; `MALFORMED_VALUE_ERROR`, the
            credential has no id that it could be listed by, or the list says neither yes nor no.
    """
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier:
        raise CredentialError("MALFORMED_VALUE_ERROR", "The credential has no id, by which its issuer could revoke it.")
    given = listed.get("revokedCredential", listed.get("revokedCredentials", []))
    # The standard has an object for each; lists of ids alone are met too.
    entries = [{"id": one} if isinstance(one, str) else one for one in given] if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in entries):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "What stands at the URL is no revocation list.")
    states = [one.get("revoked", True) for one in entries if _folded(one["id"]) == _folded(identifier)]
    if True in states:
        return Finding("fail", "revoked", "The issuer has revoked it.")
    if any(state is not False for state in states):
        raise CredentialError("MALFORMED_VALUE_ERROR", "Whether the list revokes it is neither true nor false.")
    if KIND not in types_of({"type": KIND, **listed}):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "What stands at the URL is no revocation list.")
    if listed.get("id") != url or identifier_of(listed.get("issuer")) != issuer_of(document):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The revocation list is that of another issuer or URL.")
    return Finding("pass", "not_set", "It has not been revoked or suspended.")


def _folded(identifier: str) -> str:
    """Return an id in one case where that makes no difference: that of a URN's UUID (RFC 9562, section 4)."""
    return identifier.lower() if _UUID_URN.fullmatch(identifier) else identifier
