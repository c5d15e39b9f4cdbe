"""The interoperability instances: what each issues with, and the status lists of those that add an entry."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from conformance.issuing.store import Entry, InteropStore
from libs.common.errors import InvalidRequestError, NotFoundError
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.issue.jwt import sign_vc_jwt
from libs.openbadges.issue.signing import Prepared, prepare, sign
from libs.openbadges.jose import algorithm_of, envelop_credential
from libs.openbadges.jsonld.contexts import CREDENTIALS_V1, DATA_INTEGRITY_V2, conformance_contexts
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes, StatusList, entry, list_document

PublishList = Callable[[str, int, str], Awaitable[None]]
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
        store: InteropStore,
        *,
        public_base: str,
        publish: PublishList,
        clock: Callable[[], datetime],
    ) -> None:
        """Take what is needed; `public_base` is where status lists stand, under /status/."""
        self._store = store
        self._lists = f"{public_base}/status/"
        self._publish = publish
        self._clock = clock
        self._keys: dict[Curve, Ed25519Key | P256Key] = {}
        self._published: set[str] = set()
        self._turn = asyncio.Lock()

    async def did(self, curve: Curve) -> str:
        """The did:key of the instances on this curve."""
        return did_key((await self._key(curve)).public_multibase)

    async def issue(self, instance: Instance, credential: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """Sign a credential as it is, with the status entry that the instance adds.

        Raises:
            InvalidRequestError: it must not be signed; names the place.
        """
        document = dict(credential)
        contexts = document.get("@context")
        if isinstance(contexts, list) and contexts[:1] == [CREDENTIALS_V1] and DATA_INTEGRITY_V2 not in contexts:
            document["@context"] = [*contexts, DATA_INTEGRITY_V2]
        key = await self._key(instance.curve)
        now = self._clock()
        # What is wrong is told before a place in a list is spent on it.
        await asyncio.to_thread(_checked, document)
        if instance.purpose is not None:
            await self._add_status(document, instance.purpose, options)
        return await asyncio.to_thread(_signed, document, instance, key, now)

    async def set_status(self, credential_id: str, purpose: str, *, value: bool) -> None:
        """Set or unset the status of a credential that was issued here with its id; public when this returns.

        Raises:
            NotFoundError: no such credential, or none with an entry for this purpose.
        """
        found = [one for one in await self._store.entries(credential_id) if one.purpose == purpose]
        if not found:
            raise NotFoundError(f"no credential of this id has a status for the purpose {purpose} here")
        for one in found:
            await self._store.set(one.list_id, one.index, value=value)
            await self._make_public(one)

    async def _add_status(self, document: dict[str, Any], purpose: str, options: dict[str, Any]) -> None:
        number = await self._store.take_number(purpose)
        secret = (await self._store.secrets()).indexes
        list_number, place = divmod(number, MINIMUM_SIZE)
        list_id = f"interop.{purpose}.{list_number}"
        index = StatusIndexes(secret + list_id.encode(), MINIMUM_SIZE).index(place)
        taken = Entry(purpose, list_id, index)
        if list_id not in self._published:
            await self._make_public(taken)
        for name in (document.get("id"), options.get("credentialId")):
            if isinstance(name, str):
                await self._store.remember(name[:_LONGEST_ID], [taken])
        added = entry(self._lists + list_id, index, purpose)
        others = document.get("credentialStatus", [])
        listed = others if isinstance(others, list) else [others]
        document["credentialStatus"] = [*listed, added] if listed else added

    async def _make_public(self, one: Entry) -> None:
        """Sign the list as it stands now and publish it; one at a time, so that a newer one is never overtaken."""
        async with self._turn:
            version, indexes = await self._store.list_state(one.list_id)
            key = await self._key("Ed25519")
            text = await asyncio.to_thread(
                _signed_list, self._lists + one.list_id, one.purpose, indexes, key, self._clock()
            )
            await self._publish(one.list_id, version, text)
            self._published.add(one.list_id)

    async def _key(self, curve: Curve) -> Ed25519Key | P256Key:
        if not self._keys:
            secrets = await self._store.secrets()
            self._keys = {"Ed25519": Ed25519Key.from_seed(secrets.ed25519), "P-256": P256Key.from_secret(secrets.p256)}
        return self._keys[curve]


def _checked(document: dict[str, Any]) -> Prepared:
    """Prepare a document to be signed.

    Raises:
        InvalidRequestError: it must not be signed; names the place.
    """
    try:
        with conformance_contexts():
            return prepare(document)
    except CredentialError as error:
        raise InvalidRequestError(
            f"this credential is not issued: {error}",
            [{"field": f"/credential{error.path}", "reason": error.sentence, "code": error.code}],
        ) from error


def _signed(document: dict[str, Any], instance: Instance, key: Ed25519Key | P256Key, now: datetime) -> dict[str, Any]:
    method = verification_method(did_key(key.public_multibase), key.public_multibase)
    prepared = _checked(document)
    with conformance_contexts():
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
            [{"field": f"/credential{error.path}", "reason": error.sentence, "code": error.code}],
        ) from error


def _signed_list(url: str, purpose: str, indexes: frozenset[int], key: Ed25519Key | P256Key, now: datetime) -> str:
    statuses = StatusList()
    for index in indexes:
        statuses.set(index)
    did = did_key(key.public_multibase)
    document = list_document(url, did, statuses, valid_from=now, purpose=purpose)
    return sign(prepare(document), key, verification_method(did, key.public_multibase), now)
