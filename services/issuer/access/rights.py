"""What an API key may give away, and for how long: pure rules."""

from datetime import datetime, timedelta

from libs.access.api_keys import ALL_ISSUERS, Caller
from libs.access.scopes import Scope
from libs.common.errors import ForbiddenError, InvalidRequestError

LONGEST_LIFE = timedelta(days=2 * 365)
USUAL_LIFE = timedelta(days=365)
LONGEST_OVERLAP = timedelta(days=30)


def grantable(caller: Caller, scopes: frozenset[Scope]) -> frozenset[Scope]:
    """Return these scopes, if the caller may give all of them to a key of its issuer.

    Raises:
        ForbiddenError: the caller lacks one, or it is the administrator's alone.
    """
    may_give = frozenset(Scope) - {Scope.ISSUERS_WRITE} if caller.issuer_id == ALL_ISSUERS else caller.scopes
    if not scopes <= may_give:
        raise ForbiddenError("a key gives no rights that its maker lacks, and no issuer's key adds issuers")
    return scopes


def life(caller: Caller, asked: datetime | None, now: datetime) -> datetime:
    """Return when a key that the caller makes expires: as asked, else in a year or when the caller's own key does.

    Raises:
        InvalidRequestError: the moment is past, or further away than two years.
        ForbiddenError: the caller's own key ends earlier.
    """
    if asked is None:
        usual = now + USUAL_LIFE
        return usual if caller.ends_at is None else min(usual, caller.ends_at)
    if not now < asked <= now + LONGEST_LIFE:
        text = f"must lie in the future, at most {LONGEST_LIFE.days} days from now"
        raise InvalidRequestError("the key cannot live so long", [{"field": "expires_at", "reason": text}])
    if caller.ends_at is not None and asked > caller.ends_at:
        raise ForbiddenError("a key gives no longer life than its maker has; yours ends earlier")
    return asked
