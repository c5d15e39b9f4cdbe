"""Versions of an issuer: its profile, its DID document, whether it may issue. Which comes next, and publishing it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.errors import ConflictError, NotFoundError
from libs.contracts.events import IssuerPublished, Suspension
from libs.contracts.reasons import SuspensionReason
from libs.openbadges.crypto import did
from libs.openbadges.trust.names import names_no_school
from services.issuer.catalogue.names import IssuerNames
from services.issuer.catalogue.publications import Publications, newest_of, same_content, unless_overtaken
from services.issuer.catalogue.repository import Catalogue
from services.issuer.catalogue.trial import try_issuer
from services.issuer.keys.did_documents import did_document
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import Copy, KeyState, SigningKey
from services.issuer.urls import Urls

# What stands in credentials, so that a sample is tried before it is published.
_SIGNED = frozenset({"name", "url", "email", "logo", "linkedin_id"})

_LOST_KEY = (
    "the active signing key of {issuer_id} is lost, and no new one is made in its place: what {issuer_id} was "
    "published with names the old one. Restart the issuer service, which takes it back from its copy on the topic "
    "signing.keys; the guide for operators has the steps, and what to do where the copy is lost too"
)

DidMethod = Literal["web", "key"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What may change from version to version, all of it public."""

    name: str
    url: str | None = None
    email: str | None = None
    logo: str | None = None
    time_zone: str | None = None
    public_evidence: bool = False
    linkedin_id: str | None = None
    learners_from_16: bool = False


def profile_of(version: IssuerPublished) -> Profile:
    """Return what a version says of its profile."""
    return Profile(**{each.name: getattr(version, each.name) for each in fields(Profile)})


@dataclass(frozen=True, slots=True)
class By:
    """Who asks for a version, for the audit log, and the `traceparent` of the request."""

    cause: Cause
    trace: str


class Issuers:
    """Publishes versions of issuers. An issuer's id and DID are the same in all of them."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        publications: Publications,
        signing_keys: SigningKeys,
        keys: SigningKeyRepository,
        audit: AuditWriter,
        names: IssuerNames,
        urls: Urls,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._names = names
        self._publications = publications
        self._signing_keys = signing_keys
        self._keys = keys
        self._audit = audit
        self._urls = urls
        self._clock = clock

    async def current(self, issuer_id: str) -> IssuerPublished:
        """Return the newest version.

        Raises:
            NotFoundError: there is no such issuer.
        """
        newest = await self.find(issuer_id)
        if newest is None:
            raise NotFoundError.for_caller()
        return newest

    async def find(self, issuer_id: str) -> IssuerPublished | None:
        """Return the newest version claimed or arrived: after a restore, the catalogue may know what no claim does."""
        found = await newest_of(
            self._publications.newest(f"{IssuerPublished.key_prefix}{issuer_id}"),
            self._catalogue.newest_issuer(issuer_id),
        )
        return found if isinstance(found, IssuerPublished) else None

    async def parent_in_tree(self, issuer_id: str) -> str | None:
        """Return the id of the nearest issuer above this one in the tree of organisations, if there is one."""
        above = await self._catalogue.organisations.above(issuer_id)
        issuers = await self._catalogue.issuers(above)
        return next((each for each in above if each in issuers), None)

    async def look_alikes(self, version: IssuerPublished) -> list[str]:
        """Return the ids of other issuers whose names could be taken for this one's."""
        return await self._catalogue.look_alikes(version.name, besides=version.issuer_id)

    async def onboard(
        self,
        issuer_id: str,
        profile: Profile,
        *,
        parent: str | None,
        did_method: DidMethod | None,
        expected_version: int | None,
        by: By,
    ) -> tuple[IssuerPublished, bool]:
        """Publish the first version of an issuer, with a signing key, or the next one where anything differs.

        Returns:
            The version that now is the newest, and whether it is new.

        Raises:
            ConflictError: the parent is not known, the issuer is an organisation with another name or place, it has
                another DID method, its signing key is lost, another version than expected is the newest, or somebody
                else publishes at the same moment.
        """
        await self._require_name_of_organisation(issuer_id, profile.name)
        await self._require_parent_in_tree(issuer_id, parent)
        if parent is not None and parent not in await self._catalogue.issuers([parent]):
            raise ConflictError("the parent is not known; add the department before its schools")
        # Whoever onboards is an administrator, who may publish any name; a school that takes it meanwhile may not.
        await self._names.reserve(profile.name, issuer_id)
        newest = await self.find(issuer_id)
        if newest is None:
            _expect(expected_version, 0)
            name = await self._first_did(issuer_id, did_method or "web", by.cause)
            return await self._publish_first(issuer_id, name, parent, profile, by)
        method = newest.did.split(":")[1]
        if did_method not in {None, method}:
            raise ConflictError(f"{issuer_id} is a did:{method}, and an issuer's DID never changes")
        if all(each.state is not KeyState.ACTIVE for each in await self._keys.of_issuer(issuer_id)):
            raise ConflictError(_LOST_KEY.format(issuer_id=issuer_id))
        return await self._publish_next(newest, {"parent": parent, **asdict(profile)}, by, expected=expected_version)

    async def change_profile(
        self, issuer_id: str, profile: Profile, *, expected_version: int | None, may_resemble: bool, by: By
    ) -> tuple[IssuerPublished, bool]:
        """Publish the next version with this profile, unless it is the profile already.

        Args:
            issuer_id: whose profile it is.
            profile: what it is to say.
            expected_version: the newest one, as its writer believes.
            may_resemble: whether the new name may be one that could be taken for another issuer's: whoever verifies
                reads that a badge is signed by this name, registered here.
            by: who asks.

        Returns:
            The version that now is the newest, and whether it is new.

        Raises:
            NotFoundError: there is no such issuer.
            ConflictError: another version than expected is the newest, somebody else publishes at the same moment, the
                name could be taken for another issuer's, or it is that of an organisation, which is renamed otherwise.
        """
        await self._require_name_of_organisation(issuer_id, profile.name)
        newest = await self.current(issuer_id)
        if profile.name != newest.name:
            # Reserved first, then compared: of two who take such names at once, one sees the other.
            reserved = await self._names.reserve(profile.name, issuer_id)
            if not may_resemble:
                await self._refuse_look_alike(issuer_id, profile.name, reserved=reserved)
        return await self._publish_next(newest, asdict(profile), by, expected=expected_version)

    async def rename(self, issuer_id: str, name: str, by: By) -> IssuerPublished:
        """Publish the next version under this name, which an administrator gave; all else stays.

        Raises:
            NotFoundError: there is no such issuer.
            ConflictError: others publish versions of this issuer all the time.
        """
        await self._names.reserve(name, issuer_id)
        version = await self._publish_over(issuer_id, lambda _: {"name": name}, by, Action.ISSUER_PUBLISHED)
        if version is None:
            raise NotFoundError.for_caller()
        return version

    async def _require_name_of_organisation(self, issuer_id: str, name: str) -> None:
        organisation = await self._catalogue.organisations.newest(issuer_id)
        if organisation is not None and organisation.name != name:
            raise ConflictError(
                f"{issuer_id} is an organisation called {organisation.name}; PUT /v1/organisations/{issuer_id}/name, "
                "with the administrator's key, renames it"
            )

    async def _require_parent_in_tree(self, issuer_id: str, parent: str | None) -> None:
        if await self._catalogue.organisations.newest(issuer_id) is None:
            return
        nearest = await self.parent_in_tree(issuer_id)
        if parent != nearest:
            raise ConflictError(f"{issuer_id} is an organisation; the nearest issuer above it is {nearest}")

    async def _refuse_look_alike(self, issuer_id: str, name: str, *, reserved: bool) -> None:
        alike = await self._catalogue.look_alikes(name, besides=issuer_id)
        if names_no_school(name, urlsplit(self._urls.base).hostname or ""):
            raise ConflictError("the name could be taken for words of the verifier's own; choose another one")
        if not alike and not reserved:
            raise ConflictError("another issuer is taking this name, or one that looks like it, at this moment")
        if alike:
            raise ConflictError(
                f"the name could be taken for that of {', '.join(alike)}; choose another one, or ask the administrator "
                "to publish it"
            )

    async def set_suspension(self, issuer_id: str, reason: SuspensionReason | None, by: By) -> IssuerPublished:
        """Publish that the issuer may issue nothing, for this reason, or with None that it may; unless it is said so.

        Raises:
            NotFoundError: there is no such issuer.
            ConflictError: others publish versions of this issuer all the time.
        """

        def change(newest: IssuerPublished) -> Mapping[str, Any]:
            if reason is None:
                return {"suspension": None}
            since = self._clock() if newest.suspension is None else newest.suspension.since
            return {"suspension": Suspension(reason=reason, since=since)}

        action = Action.ISSUER_RESUMED if reason is None else Action.ISSUER_SUSPENDED
        version = await self._publish_over(issuer_id, change, by, action)
        if version is None:
            raise NotFoundError.for_caller()
        return version

    async def publish_keys(self, issuer_id: str, trace: str, cause: Cause) -> IssuerPublished | None:
        """Publish the next version if the keys' states make another DID document; all else stays.

        Whoever publishes at the same moment reads the keys after we have changed them, or before and then we try again:
        the newest version is read first, then the keys, so a version claimed upon it holds every change before it.

        Returns:
            The newest version, or None where the issuer's first is not published yet.

        Raises:
            ConflictError: others publish versions of this issuer all the time.
        """
        return await self._publish_over(issuer_id, lambda _: {}, By(cause, trace), Action.ISSUER_PUBLISHED)

    async def _publish_over(
        self,
        issuer_id: str,
        change: Callable[[IssuerPublished], Mapping[str, Any]],
        by: By,
        action: Action,
    ) -> IssuerPublished | None:
        """Publish the newest version with this change, again where somebody else publishes at the same moment."""

        async def publish() -> IssuerPublished | None:
            newest = await self.find(issuer_id)
            return None if newest is None else (await self._publish_next(newest, change(newest), by, action=action))[0]

        return await unless_overtaken(publish)

    async def _first_did(self, issuer_id: str, method: DidMethod, cause: Cause) -> str:
        entry = Entry(Action.SIGNING_KEY_ADDED, cause, (issuer_id,), f"issuer {issuer_id}", details={"state": "active"})
        await self._audit.record(entry)
        key, _ = await self._signing_keys.create(issuer_id, KeyState.ACTIVE, self._clock())
        return self._urls.did_web(issuer_id) if method == "web" else did.did_key(key.key_id)

    async def _publish_first(
        self, issuer_id: str, name: str, parent: str | None, profile: Profile, by: By
    ) -> tuple[IssuerPublished, bool]:
        keys = await self._copied_keys(issuer_id)
        now = self._clock()
        event = IssuerPublished(
            issuer_id=issuer_id,
            version=1,
            parent=parent,
            did=name,
            did_document=did_document(name, keys, None),
            registered_at=now,
            published_at=now,
            **asdict(profile),
        )
        await self._try(event)
        answer = await self._claim(event, by, Action.ISSUER_PUBLISHED)
        await self._keys.mark_published(keys)
        return answer

    async def _publish_next(
        self,
        newest: IssuerPublished,
        change: Mapping[str, Any],
        by: By,
        *,
        expected: int | None = None,
        action: Action = Action.ISSUER_PUBLISHED,
    ) -> tuple[IssuerPublished, bool]:
        """Publish the version after `newest` with these fields and today's keys, unless it says the same."""
        keys = await self._copied_keys(newest.issuer_id)
        event = newest.model_copy(
            update={
                **change,
                "version": newest.version + 1,
                "did_document": did_document(newest.did, keys, newest.did_document),
                "published_at": self._clock(),
            }
        )
        if same_content(newest, event):
            await self._publications.finish(newest, by.trace)
            published, new = newest, False
        else:
            _expect(expected, newest.version)
            # What stands already is not tried: keys are distrusted and issuers suspended whatever the profile says.
            if any(getattr(newest, name) != value for name, value in change.items() if name in _SIGNED):
                await self._try(event)
            published, new = await self._claim(event, by, action)
        await self._keys.mark_published(keys)
        return published, new

    async def _copied_keys(self, issuer_id: str) -> list[SigningKey]:
        """Return the keys that a DID document may hold: those that no database alone can lose."""
        return [each for each in await self._keys.of_issuer(issuer_id) if each.copy is not Copy.NONE]

    async def _try(self, event: IssuerPublished) -> None:
        sample = f"{self._urls.base}/achievements/{event.issuer_id}/sample/1"
        await asyncio.to_thread(try_issuer, event, sample, event.published_at)

    async def _claim(self, event: IssuerPublished, by: By, action: Action) -> tuple[IssuerPublished, bool]:
        alike = await self.look_alikes(event) if action is Action.ISSUER_PUBLISHED else []
        published, new = await self._publications.publish(
            event,
            by.trace,
            cause=by.cause,
            action=action,
            details={"look_alikes": ", ".join(alike)} if alike else None,
            otherwise=f"version {event.version} of {event.issuer_id} was published with other content at the same "
            "moment; read it and try again",
        )
        assert isinstance(published, IssuerPublished)  # noqa: S101  # a claim holds the kind that it was made for
        return published, new


def _expect(expected: int | None, current: int) -> None:
    if expected is not None and expected != current:
        raise ConflictError(f"the current version is {current}, not {expected}; read it and try again")
