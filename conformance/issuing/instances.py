"""The issuing instances: what each signs with, and the status lists of those that add an entry."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from conformance.issuing.state import InstanceState, Secrets, StatusEntry
from libs.common.errors import InvalidRequestError, NotFoundError
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.issue.jwt import sign_vc_jwt
from libs.openbadges.issue.signing import Prepared, prepare, sign
from libs.openbadges.jose import algorithm_of, envelop_credential
from libs.openbadges.model.context_urls import CREDENTIALS_V1, DATA_INTEGRITY_V2
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import CONFORMANCE
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes, StatusList, entry, list_document

PublishList = Callable[[str, int, str], None]
"""Makes a status list public: its id, its version, its signed text. When it returns, anybody can read it."""

Curve = Literal["Ed25519", "P-256"]
_LONGEST_ID = 1_000


@dataclass(frozen=True, slots=True)
class Instance:
    """One way of issuing.

    Attributes:
        name: as its path has it.
        cryptosuite: of the Data Integrity proof; None where the credential goes into an envelope, as a JWT.
        curve: of the key that it signs with.
        purpose: of the status entry that it adds; None where it adds none.
    """

    name: str
    cryptosuite: str | None
    curve: Curve = "Ed25519"
    purpose: str | None = None


INSTANCES: Mapping[str, Instance] = {
    one.name: one
    for one in (
        Instance("eddsa-rdfc-2022", "eddsa-rdfc-2022"),
        Instance("eddsa-jcs-2022", "eddsa-jcs-2022"),
        Instance("ecdsa-rdfc-2019", "ecdsa-rdfc-2019", "P-256"),
        Instance("ecdsa-jcs-2019", "ecdsa-jcs-2019", "P-256"),
        Instance("revocation", "eddsa-rdfc-2022", purpose="revocation"),
        Instance("suspension", "eddsa-rdfc-2022", purpose="suspension"),
        Instance("enveloped", None, "P-256"),
    )
}


class Instances:
    """Issues as it is asked to, under whatever issuer the document names."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        public_base: str,
        publish: PublishList,
        clock: Callable[[], datetime],
    ) -> None:
        """Take what is needed.

        Args:
            secrets: what the keys and the order of status entries are derived from.
            public_base: URL below which status lists stand, under /status/.
            publish: makes a list public.
            clock: returns the current time.
        """
        self._keys: Mapping[Curve, Ed25519Key | P256Key] = {
            "Ed25519": Ed25519Key.from_seed(secrets.ed25519),
            "P-256": P256Key.from_secret(secrets.p256),
        }
        self._index_secret = secrets.indexes
        self._state = InstanceState()
        self._lists = f"{public_base}/status/"
        self._publish = publish
        self._clock = clock
        self._published: set[str] = set()
        self._publishing = asyncio.Lock()

    def did(self, curve: Curve) -> str:
        """Return the did:key of the instances on this curve."""
        return did_key(self._keys[curve].public_multibase)

    async def issue(self, instance: Instance, credential: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """Sign a credential as it is, with the status entry that the instance adds.

        Raises:
            InvalidRequestError: it must not be signed; names the place.
        """
        document = dict(credential)
        contexts = document.get("@context")
        if isinstance(contexts, list) and contexts[:1] == [CREDENTIALS_V1] and DATA_INTEGRITY_V2 not in contexts:
            document["@context"] = [*contexts, DATA_INTEGRITY_V2]
        now = self._clock()
        # Before an entry of a list is spent on it.
        await asyncio.to_thread(_checked, document)
        if instance.purpose is not None:
            await self._add_status(document, instance.purpose, options)
        return await asyncio.to_thread(_signed, document, instance, self._keys[instance.curve], now)

    async def set_status(self, credential_id: str, purpose: str, *, value: bool) -> None:
        """Set or unset the status of a credential that was issued here with its id; public when this returns.

        Raises:
            NotFoundError: no such credential, or none with an entry for this purpose.
        """
        found = [one for one in self._state.entries(credential_id) if one.purpose == purpose]
        if not found:
            raise NotFoundError(f"no credential of this id has a status for the purpose {purpose} here")
        for one in found:
            self._state.set_entry(one, value=value)
            await self._make_public(one)

    async def _add_status(self, document: dict[str, Any], purpose: str, options: dict[str, Any]) -> None:
        list_number, number = divmod(self._state.take_number(purpose), MINIMUM_SIZE)
        list_id = f"{purpose}.{list_number}"
        index = StatusIndexes(self._index_secret + list_id.encode(), MINIMUM_SIZE).index(number)
        taken = StatusEntry(purpose, list_id, index)
        if list_id not in self._published:
            await self._make_public(taken)
        for name in (document.get("id"), options.get("credentialId")):
            if isinstance(name, str):
                self._state.record_entries(name[:_LONGEST_ID], [taken])
        added = entry(self._lists + list_id, index, purpose)
        others = document.get("credentialStatus", [])
        listed = others if isinstance(others, list) else [others]
        document["credentialStatus"] = [*listed, added] if listed else added

    async def _make_public(self, one: StatusEntry) -> None:
        """Sign the list as it stands now and publish it; one at a time, so that a newer one is never overtaken."""
        async with self._publishing:
            state = self._state.list_state(one.list_id)
            url, key = self._lists + one.list_id, self._keys["Ed25519"]
            text = await asyncio.to_thread(_signed_list, url, one.purpose, state.indexes, key, self._clock())
            self._publish(one.list_id, state.version, text)
            self._published.add(one.list_id)


def _checked(document: dict[str, Any]) -> Prepared:
    """Prepare a document to be signed.

    Raises:
        InvalidRequestError: it must not be signed; names the place.
    """
    try:
        return prepare(document, CONFORMANCE)
    except CredentialError as error:
        raise InvalidRequestError(
            f"this credential is not issued: {error}",
            [{"field": f"/credential{error.path}", "reason": error.message, "code": error.code}],
        ) from error


def _signed(document: dict[str, Any], instance: Instance, key: Ed25519Key | P256Key, now: datetime) -> dict[str, Any]:
    method = verification_method(did_key(key.public_multibase), key.public_multibase)
    prepared = _checked(document)
    if instance.cryptosuite is None:
        return _enveloped(prepared, key, method)
    signed: dict[str, Any] = orjson.loads(sign(prepared, key, method, now, cryptosuite=instance.cryptosuite))
    return signed


def _enveloped(prepared: Prepared, key: Ed25519Key | P256Key, method: str) -> dict[str, Any]:
    try:
        return envelop_credential(sign_vc_jwt(prepared, key, algorithm=algorithm_of(key), kid=method))
    except CredentialError as error:
        raise InvalidRequestError(
            f"this credential does not go into an envelope: {error}",
            [{"field": f"/credential{error.path}", "reason": error.message, "code": error.code}],
        ) from error


def _signed_list(url: str, purpose: str, indexes: frozenset[int], key: Ed25519Key | P256Key, now: datetime) -> str:
    statuses = StatusList()
    for index in indexes:
        statuses.set(index)
    did = did_key(key.public_multibase)
    document = list_document(url, did, statuses, valid_from=now, purpose=purpose)
    return sign(prepare(document), key, verification_method(did, key.public_multibase), now)
