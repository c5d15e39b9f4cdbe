"""Whether a verification method was in force when it signed (Controlled Identifiers 1.0, section 2.2)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError, UndecidedError

_ENDS: Final = (("revoked", "method_revoked", "was revoked"), ("expires", "method_expired", "expired"))
"""What ends a verification method, with the code and the words for signatures that came too late."""


def check_state(method: Mapping[str, Any], signed_at: Callable[[], datetime | None], now: datetime) -> None:
    """Check that a verification method was neither revoked nor expired when it signed.

    A signature that was made before that moment stays good: a retired key still verifies what it signed in its time.

    Args:
        method: a verification method of a DID document.
        signed_at: returns when the signature says that it was made, or None where it does not say; only asked for
            methods that end.
        now: the moment of verification.

    Raises:
        CredentialError: `method_revoked` or `method_expired`, the signature was made at that moment or later.
        UndecidedError: the same codes, where the moment has passed and the signature does not say when it was made;
            `method_state`, a moment that cannot be read.
    """
    for member, code, ended in _ENDS:
        if member not in method:
            continue
        try:
            moment = times.read(method[member])
        except CredentialError as error:
            raise UndecidedError(
                "method_state", f"The key {method.get('id')} does not say clearly when it {ended}: {error}"
            ) from error
        made = signed_at()
        if made is None and moment <= now:
            message = f"The key {method.get('id')} {ended} on {times.write(moment)}; when it signed this is not told."
            raise UndecidedError(code, message)
        if made is not None and made >= moment:
            message = f"The key {method.get('id')} {ended} on {times.write(moment)}, before it signed this."
            raise CredentialError(code, message)
