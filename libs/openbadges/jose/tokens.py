"""From a compact JWS to the credential or presentation in it, by the profile that its header names."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from libs.openbadges.jose.compact import Compact, read_compact
from libs.openbadges.jsonld.parsing import LIMITS, Limits, parse
from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CREDENTIALS_V1
from libs.openbadges.model.errors import CredentialError, UnreadFormError
from libs.openbadges.model.members import first_context
from libs.openbadges.model.older_badges import older_badge
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile

TokenProfile = Literal["open-badges", "vc+jwt", "vp+jwt"]

REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "nonce"})
"""Claims about the token, which are no part of the document in it (RFC 7519, section 4.1; RFC 7800; OpenID)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A JWT that was read; nothing is known yet about whether it is good.

    Attributes:
        compact: the JWS.
        claims: its payload, parsed.
        profile: whose rules it follows: those of Open Badges 3.0 (section 8.2) or of VC-JOSE-COSE 1.0.
        document: the credential or presentation in it, without claims about the token.
    """

    compact: Compact
    claims: dict[str, Any]
    profile: TokenProfile
    document: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """The protected header."""
        return self.compact.header


def read_token(text: str | bytes, limits: Limits = LIMITS, profile: ProcessingProfile = PRODUCTION) -> Token:
    """Read a JWT whose payload is a credential or a presentation.

    Args:
        text: the compact JWS, without space around it.
        limits: of its payload.
        profile: whether tokens of VCDM 1.1 are read.

    Raises:
        LimitError, CredentialError: see `read_compact` and `parsing.parse`; `jwt_vc_claim`, a token of VC-JOSE-COSE
            that wraps its content in `vc` or `vp` (VC-JOSE-COSE 1.0, section 3.1.3).
        UnreadFormError: `jwt_typ`, a token of another type; a badge of before Open Badges 3.0, see `older_badge`.
    """
    compact = read_compact(text, limits)
    claims = parse(compact.payload, limits)
    if (badge := older_badge(claims)) is not None:
        raise badge
    older = _older(compact.header, claims) if profile.older_tokens else None
    if older is not None:
        return Token(compact, claims, older, _wrapped(claims, older[:2]))
    named = _profile(compact.header, claims)
    if named == "open-badges" and "vc" in claims:
        return Token(compact, claims, named, _restored(_wrapped(claims, "vc"), claims))
    if "vc" in claims or "vp" in claims:
        raise CredentialError("jwt_vc_claim", "The token holds its content in a claim where none may be.")
    document = {name: value for name, value in claims.items() if name not in REGISTERED}
    return Token(compact, claims, named, document)


def _wrapped(claims: dict[str, Any], name: str) -> dict[str, Any]:
    """Take the document out of the claim that wraps it."""
    document = claims[name]
    if not isinstance(document, dict):
        raise CredentialError("jwt_vc_claim", f"The claim {name} holds no document.", f"/{name}")
    return document


def _restored(document: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
    """Return a credential of VCDM 1.1 with what stands in the claims alone, as its section 6.3.1 allows.

    What the credential says itself stays, and is held against the claims. A claim that cannot be read is left to that.
    """
    if first_context(document) != CREDENTIALS_V1:
        return document
    said = {"issuer": claims.get("iss"), "id": claims.get("jti"), "issuanceDate": _date(claims.get("nbf"))}
    said["expirationDate"] = _date(claims.get("exp"))
    restored = {name: text for name, text in said.items() if isinstance(text, str)} | document
    issuer, subject = restored.get("issuer"), restored.get("credentialSubject")
    if isinstance(issuer, dict) and isinstance(said["issuer"], str):
        restored["issuer"] = {"id": said["issuer"], **issuer}
    if isinstance(subject, dict) and isinstance(claims.get("sub"), str):
        restored["credentialSubject"] = {"id": claims["sub"], **subject}
    return restored


def _date(seconds: object) -> str | None:
    """Return a NumericDate as an xsd:dateTime; None where it is none, or out of reach."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return times.write(datetime.fromtimestamp(math.floor(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _older(header: dict[str, Any], claims: dict[str, Any]) -> TokenProfile | None:
    """Return what a token wraps as VCDM 1.1 has it (section 6.3.1) without being an Open Badge; None if it does not.

    The suite of VCDM 2.0 sends such ones in envelopes. VC-JOSE-COSE 1.0 forbids both claims (section 3.1.3), so they
    are read for suites alone, and never where the token names a type of VC-JOSE-COSE.
    """
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower() != "jwt" or {"vc", "vp"} <= claims.keys():
        return None
    if "vp" in claims:
        return "vp+jwt"
    return "vc+jwt" if "vc" in claims and not {"jti", "nbf"} <= claims.keys() else None


def _profile(header: dict[str, Any], claims: dict[str, Any]) -> TokenProfile:
    """Return whose rules apply.

    VC-JOSE-COSE 1.0 (sections 3.1.1 and 3.1.2) names its types; the Open Badges profile allows JWT or none. Without a
    type, a token with the two claims that only Open Badges asks for is taken as one of those.
    """
    typ = header.get("typ")
    if typ is None:
        badge = "vc" in claims or {"jti", "nbf"} <= claims.keys()
        return "open-badges" if badge else "vc+jwt"
    name = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    if name in {"vc+jwt", "vp+jwt"}:
        return "vp+jwt" if name == "vp+jwt" else "vc+jwt"
    if name == "jwt" and "vp" not in claims:
        return "open-badges"
    raise UnreadFormError("jwt_typ", f"It is a JSON Web Token of the type {typ}, which is not read here.")
