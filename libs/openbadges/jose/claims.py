"""What a token claims about itself, against the document in it: the Open Badges profile and VC-JOSE-COSE."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from libs.openbadges.jose.tokens import Token
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import identifier_of, moment_of, subject_of, validity_names

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far another's clock may be ahead when it says that it has just signed."""

_BADGE_HEADER: Final = frozenset({"alg", "kid", "jwk", "typ"})
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999, the last one that can be written as a date."""


def badge_claims(document: dict[str, Any]) -> dict[str, Any]:
    """Return the claims that the Open Badges profile adds to a credential (Open Badges 3.0, section 8.2.4.2).

    Raises:
        CredentialError: `claim_missing`, the credential lacks what the profile asks for.
    """
    first, last = validity_names(document)
    claims: dict[str, Any] = {
        "iss": identifier_of(document.get("issuer")),
        "jti": identifier_of(document.get("id")),
        "sub": subject_of(document),
    }
    for name, value in claims.items():
        if value is None:
            raise CredentialError("claim_missing", f"As a JWT, an Open Badge needs what becomes the claim {name}.")
    if first not in document:
        raise CredentialError("claim_missing", "As a JWT, an Open Badge needs a date from which it is valid.")
    claims["nbf"] = _written(times.read(document[first], f"/{first}"))
    if last in document:
        claims["exp"] = _written(times.read(document[last], f"/{last}"))
    return claims


def check_claims(token: Token) -> None:
    """Check a token's header and claims by the rules of its profile.

    Raises:
        CredentialError: `header_extra`, `header_key`, `claim_missing`, `claim_mismatch`, `claim_form`.
    """
    if token.profile == "open-badges":
        _check_badge_header(token.header)
        _check_badge_claims(token.claims, token.document)
    else:
        _check_other_claims(token)


def check_token_dates(token: Token, now: datetime) -> None:
    """Check when the token itself is in force (RFC 7519, sections 4.1.4 to 4.1.6).

    Raises:
        CredentialError: `expired`, `not_yet_valid`, `claim_form`.
    """
    ends, begins, made = (_moment(token.claims, name) for name in ("exp", "nbf", "iat"))
    if ends is not None and ends <= now:
        raise CredentialError("expired", f"The token was good until {times.write(ends)}.")
    if begins is not None and begins > now:
        raise CredentialError("not_yet_valid", f"The token is good only from {times.write(begins)}.")
    if made is not None and made > now + CLOCK_SKEW:
        raise CredentialError(
            "not_yet_valid", f"The token says that it was made on {times.write(made)}, in the future."
        )


def signed_at(token: Token) -> datetime | None:
    """Return when a token was made: `iat`, else when it begins to be in force; None where it says neither.

    The Open Badges profile has no `iat`, so its `nbf`, which repeats the credential's validFrom, stands for it.

    Raises:
        CredentialError: `claim_form`, `date_form`, `date_without_zone`.
    """
    for name in ("iat", "nbf"):
        if (moment := _moment(token.claims, name)) is not None:
            return moment
    return moment_of(token.document, validity_names(token.document)[0])


def _check_badge_header(header: dict[str, Any]) -> None:
    """Check the header (Open Badges 3.0, section 8.2.4.1): nothing but four members, and a key in one of two."""
    extra = sorted(header.keys() - _BADGE_HEADER)
    if extra:
        raise CredentialError("header_extra", f"The header of an Open Badge has no {extra[0][:40]}.")
    if "kid" not in header and "jwk" not in header:
        raise CredentialError("header_key", "The header names no key (kid or jwk).")


def _check_badge_claims(claims: dict[str, Any], document: dict[str, Any]) -> None:
    """Check that each claim equals what it repeats (Open Badges 3.0, section 8.2.4.4).

    A subject without an id cannot be repeated; then, and only then, may `sub` be missing.
    """
    first, last = validity_names(document)
    _check_equal(claims, "iss", identifier_of(document.get("issuer")))
    _check_equal(claims, "jti", identifier_of(document.get("id")))
    subject = subject_of(document)
    if subject is not None or "sub" in claims:
        _check_equal(claims, "sub", subject)
    _check_date(claims, "nbf", document, first)
    if last in document:
        _check_date(claims, "exp", document, last)


def _check_other_claims(token: Token) -> None:
    """Check that claims, which may all be missing, do not contradict the document (VC-JOSE-COSE 1.0, section 3.1.3)."""
    document = token.document
    who = document.get("holder" if token.profile == "vp+jwt" else "issuer")
    expected = {"iss": identifier_of(who), "jti": identifier_of(document.get("id")), "sub": subject_of(document)}
    for name, value in expected.items():
        if name in token.claims and value is not None:
            _check_equal(token.claims, name, value)
    if "iss" in token.header:
        _check_equal(token.header, "iss", token.claims.get("iss", expected["iss"]))


def _check_equal(claims: dict[str, Any], name: str, value: str | None) -> None:
    if name not in claims:
        raise CredentialError("claim_missing", f"The token does not claim {name}.", f"/{name}")
    if not isinstance(claims[name], str) or claims[name] != value:
        raise CredentialError("claim_mismatch", f"The claim {name} is not what the credential says.", f"/{name}")


def _check_date(claims: dict[str, Any], name: str, document: dict[str, Any], member: str) -> None:
    stated, claimed = moment_of(document, member), _moment(claims, name)
    if stated is None:
        raise CredentialError("claim_missing", f"The credential has no {member}.", f"/{member}")
    if claimed is None:
        raise CredentialError("claim_missing", f"The token does not claim {name}.", f"/{name}")
    # A NumericDate is mostly written in whole seconds, whatever the date beside it.
    if math.floor(claimed.timestamp()) != math.floor(stated.timestamp()):
        raise CredentialError("claim_mismatch", f"The claim {name} is not {member}.", f"/{name}")


def _moment(claims: dict[str, Any], name: str) -> datetime | None:
    """Read a NumericDate: seconds since 1970 (RFC 7519, section 2)."""
    if name not in claims:
        return None
    seconds = claims[name]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LATEST:
        raise CredentialError("claim_form", f"The claim {name} is no NumericDate.", f"/{name}")
    return datetime.fromtimestamp(seconds, UTC)


def _written(moment: datetime) -> int | float:
    seconds = moment.timestamp()
    return int(seconds) if seconds == int(seconds) else seconds
