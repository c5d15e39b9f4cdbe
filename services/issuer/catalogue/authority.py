"""The authority itself: its did:web, its DID document in versions, and the key that signs status lists in its name.

It is no issuer: it stands in no list of issuers and can have no achievements. Its keys are kept, sealed and changed as
those of issuers are, under an id that no issuer can have.
"""

from collections.abc import Callable
from datetime import datetime

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.errors import ConflictError, NotFoundError, UnavailableError
from libs.common.telemetry import new_trace, trace_id
from libs.contracts.events import AUTHORITY_ID, AuthorityPublished, IssuerPublished
from libs.openbadges.crypto.keys import Ed25519Key
from services.issuer.catalogue.issuers import Issuers
from services.issuer.catalogue.publications import Publications, same_content, unless_overtaken
from services.issuer.catalogue.repository import Catalogue
from services.issuer.keys.did_documents import did_document
from services.issuer.keys.encryption import KeyUnavailableError
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import KeyState
from services.issuer.urls import Urls


class Authority:
    """Publishes versions of the authority's DID document, and has its active key."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        publications: Publications,
        signing_keys: SigningKeys,
        keys: SigningKeyRepository,
        audit: AuditWriter,
        urls: Urls,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._publications = publications
        self._signing_keys = signing_keys
        self._keys = keys
        self._audit = audit
        self._urls = urls
        self._clock = clock
        self._did: str | None = None

    async def signing_key(self) -> tuple[str, Ed25519Key]:
        """Return the DID and its active key, once a document that holds it is published.

        A key is made for the first document alone: where one is published already, the key that it names is the key.

        Raises:
            KeyUnavailableError: the key is not in this database or does not open, or the document is on its way.
        """
        if self._did is None:
            try:
                self._did = (await self._established()).did
            except (ConflictError, UnavailableError) as error:
                raise KeyUnavailableError(f"the authority's DID document is not published yet: {error}") from error
        await self._signing_keys.refresh([AUTHORITY_ID])
        return self._did, await self._signing_keys.key(AUTHORITY_ID)

    async def current(self) -> AuthorityPublished:
        """Return the newest version of the document.

        Raises:
            NotFoundError: none was published yet.
        """
        newest = await self._newest()
        if newest is None:
            raise NotFoundError.for_caller()
        return newest

    async def publish_keys(self, trace: str, cause: Cause) -> AuthorityPublished | None:
        """Publish the next version if the keys' states make another document; see `Issuers.publish_keys`.

        Returns:
            The newest version, or None where the first is not published yet.

        Raises:
            ConflictError: others publish versions all the time.
            UnavailableError: the version is published, and does not arrive here.
        """

        async def publish() -> AuthorityPublished | None:
            newest = await self._newest()
            return None if newest is None else await self._publish(newest, newest.did, trace, cause)

        return await unless_overtaken(publish)

    async def _established(self) -> AuthorityPublished:
        """Return the newest version; where there is none, make the first key and publish the first."""
        newest = await self._newest()
        if newest is not None:
            return newest
        trace = new_trace()
        cause = Cause.of_service("issuer", trace_id(trace))
        await self._audit.record(
            Entry(Action.SIGNING_KEY_ADDED, cause, (AUTHORITY_ID,), "authority", details={"state": "active"})
        )
        await self._signing_keys.create(AUTHORITY_ID, KeyState.ACTIVE, self._clock())
        return await unless_overtaken(lambda: self._publish(None, self._urls.authority(), trace, cause))

    async def _publish(
        self, newest: AuthorityPublished | None, did: str, trace: str, cause: Cause
    ) -> AuthorityPublished:
        keys = await self._keys.of_issuer(AUTHORITY_ID)
        event = AuthorityPublished(
            authority_id=AUTHORITY_ID,
            version=1 if newest is None else newest.version + 1,
            did=did,
            did_document=did_document(did, keys, None if newest is None else newest.did_document),
            published_at=self._clock(),
        )
        if newest is not None and same_content(newest, event):
            await self._publications.finish(newest, trace)
            published = newest
        else:
            published = await self._claim(event, trace, cause)
        await self._keys.mark_published(keys)
        return published

    async def _claim(self, event: AuthorityPublished, trace: str, cause: Cause) -> AuthorityPublished:
        published, _ = await self._publications.publish(
            event,
            trace,
            cause=cause,
            action=Action.AUTHORITY_PUBLISHED,
            otherwise=f"version {event.version} of the authority was published with other content at the same moment",
        )
        assert isinstance(published, AuthorityPublished)  # noqa: S101  # a claim holds the kind that it was made for
        return published

    async def _newest(self) -> AuthorityPublished | None:
        """Return the newest version claimed or arrived: after a restore, the catalogue may know what no claim does."""
        claimed = await self._publications.newest(f"{AuthorityPublished.key_prefix}{AUTHORITY_ID}")
        arrived = await self._catalogue.newest_authority()
        known = [each for each in (claimed, arrived) if isinstance(each, AuthorityPublished)]
        return max(known, key=lambda each: each.version, default=None)


class DidDocuments:
    """The DID documents of issuers and of the authority, each by the id that its keys are kept under."""

    def __init__(self, issuers: Issuers, authority: Authority) -> None:
        self._issuers = issuers
        self._authority = authority

    async def current(self, issuer_id: str) -> IssuerPublished | AuthorityPublished:
        """Return the newest version.

        Raises:
            NotFoundError: there is no such issuer.
        """
        return await (self._authority.current() if issuer_id == AUTHORITY_ID else self._issuers.current(issuer_id))

    async def publish_keys(self, issuer_id: str, trace: str, cause: Cause) -> object:
        """Publish a version that tells of the keys as they are stored, unless the newest one does.

        Raises:
            ConflictError: others publish versions of this document all the time.
            UnavailableError: the version is published, and does not arrive here.
        """
        if issuer_id == AUTHORITY_ID:
            return await self._authority.publish_keys(trace, cause)
        return await self._issuers.publish_keys(issuer_id, trace, cause)
