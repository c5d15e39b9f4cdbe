"""Signing status lists with the authority's own key, so that no school's lost key holds up a revocation."""

from datetime import datetime, timedelta
from typing import Final, Protocol

from libs.openbadges.crypto import did
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.status import bitstring
from libs.openbadges.status.bitstring import StatusList
from services.issuer.urls import Urls

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far a list is dated back. Anybody's revocation signs the whole authority's list anew, and a verifier whose clock
is behind and allows no difference takes what begins now for something of the future: it would know no status on it."""


class AuthorityKeys(Protocol):
    """Has the authority's DID and the key that signs in its name."""

    async def signing_key(self) -> tuple[str, Ed25519Key]:
        """Return the DID and its active key.

        Raises:
            KeyUnavailableError: it is not available.
        """
        ...


class StatusListSigner:
    """Writes and signs the credential of a list (Bitstring Status List 1.0, section 2.2)."""

    def __init__(self, authority: AuthorityKeys, urls: Urls) -> None:
        self._authority = authority
        self._urls = urls

    async def status_list(
        self, list_id: str, purpose: str, bits: StatusList, at: datetime, *, valid_until: datetime, ttl: timedelta
    ) -> str:
        """Return the signed credential of this list with these bits, as JSON text.

        Raises:
            KeyUnavailableError: the authority's key is not available.
        """
        issuer, key = await self._authority.signing_key()
        document = bitstring.list_document(
            self._urls.status_list(list_id),
            issuer,
            bits,
            valid_from=at - _CLOCKS_DIFFER,
            purpose=purpose,
            valid_until=valid_until,
            ttl=ttl,
        )
        return sign(prepare(document), key, did.verification_method(issuer, key.public_multibase), at)
