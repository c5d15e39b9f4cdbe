"""Documents that must be JSON: a token in their place is told from broken JSON."""

from typing import Any

from libs.openbadges.jose.compact import as_compact
from libs.openbadges.jsonld.parsing import LIMITS, Limits, parse, write
from libs.openbadges.model.errors import UnreadFormError


def read_json(given: str | bytes | dict[str, Any], limits: Limits = LIMITS) -> dict[str, Any]:
    """Read a document that is JSON; one that was parsed elsewhere is checked like text.

    Raises:
        CredentialError, LimitError: see `parsing.parse`.
        UnreadFormError: `jwt_unread`, a compact JWS, where none may be.
    """
    if isinstance(given, dict):
        return parse(write(given), limits)
    if as_compact(given) is not None:
        raise UnreadFormError("jwt_unread", "It is a JSON Web Token, where a document in JSON was expected.")
    return parse(given, limits)
