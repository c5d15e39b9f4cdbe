"""Versions of an achievement: which one comes next, and publishing it. A published version never changes."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from libs.audit.entry import Action, Cause
from libs.common.contact_details import ContactPolicy
from libs.common.errors import ConflictError, FieldProblem
from libs.contracts.events import AchievementPublished
from services.issuer.catalogue.public_texts import refuse_contact_details, warnings_of
from services.issuer.catalogue.publications import Publications, newest_of, same_content, subject_of
from services.issuer.catalogue.repository import Catalogue
from services.issuer.catalogue.rule_check import RuleCheck
from services.issuer.catalogue.trial import try_achievement
from services.issuer.urls import Urls


class Achievements:
    """Publishes versions of achievements."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        publications: Publications,
        urls: Urls,
        clock: Callable[[], datetime],
        contact_policy: ContactPolicy = ContactPolicy.WARN,
    ) -> None:
        self._contact_policy = contact_policy
        self._catalogue = catalogue
        self._rules = RuleCheck(catalogue)
        self._urls = urls
        self._publications = publications
        self._clock = clock

    async def publish(
        self, content: AchievementPublished, version: int | None, trace: str, cause: Cause
    ) -> tuple[AchievementPublished, bool, list[FieldProblem]]:
        """Publish this content as a version.

        Args:
            content: what the version says; its own number and moment do not count.
            version: its number; None for the newest one if that says the same, else for the one after it.
            trace: the `traceparent` of the request.
            cause: who asks, for the audit log.

        Returns:
            The version as it was published first, whether it is new, and what of its texts should perhaps not be
            public.

        Raises:
            ConflictError: this version has other content, versions before it are missing, or its owner is not known.
            InvalidRequestError: no credential of it could be signed, its rule cannot be met, or its texts hold what the
                policy refuses.
        """
        owner = (await self._catalogue.issuers([content.owner])).get(content.owner)
        content = await self._rules.with_owners(content, None if owner is None else owner.parent)
        newest = await newest_of(
            self._publications.newest(subject_of(content)),
            self._catalogue.newest_version(content.owner, content.achievement_id),
        )
        number = 0 if newest is None else newest.version
        if version is None:
            same = newest is not None and same_content(newest, content)
            version = number if same else number + 1
        name = content.achievement_id
        if version > number + 1:
            raise ConflictError(f"the newest version of {name} is {number}; the next is {number + 1}")
        event = content.model_copy(update={"version": version, "published_at": self._clock()})
        if newest is None or not same_content(newest, event):
            await self._try(event)
        published, new = await self._publications.publish(
            event,
            trace,
            cause=cause,
            action=Action.ACHIEVEMENT_PUBLISHED,
            otherwise=f"version {version} of {name} is published with other content and never changes; "
            "raise the version",
        )
        assert isinstance(published, AchievementPublished)  # noqa: S101  # a claim holds the kind it was made for
        # Each text takes some milliseconds, off the event loop.
        return published, new, await asyncio.to_thread(warnings_of, published)

    async def _try(self, event: AchievementPublished) -> None:
        if self._contact_policy is ContactPolicy.REFUSE:
            await asyncio.to_thread(refuse_contact_details, event)
        owner = (await self._catalogue.issuers([event.owner])).get(event.owner)
        if owner is None:
            raise ConflictError("the issuer of this key is not published; onboard it before its achievements")
        await self._rules.require(event)
        # Some 10 ms of work, off the event loop.
        await asyncio.to_thread(try_achievement, event, owner, self._urls.achievement(event), event.published_at)
