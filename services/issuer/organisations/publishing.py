"""Versions of organisations: which comes next, whether it may, and publishing it with the issuer that it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from libs.access.organisations import DEEPEST, OrganisationStore
from libs.audit.entry import Action
from libs.common.errors import ConflictError, NotFoundError
from libs.contracts.events import OrganisationPublished
from libs.contracts.organisations import Closing, ClosingReason, FormerName, Identifier, OrganisationKind
from services.issuer.catalogue.issuers import By, DidMethod, Issuers, Profile, profile_of
from services.issuer.catalogue.publications import Publications, newest_of, same_content, unless_overtaken
from services.issuer.organisations.turns import TreeTurns

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """What may change of an organisation by publishing it again; its name and its end change by operations alone."""

    kind: OrganisationKind
    parent: str | None
    identifiers: tuple[Identifier, ...]
    opened_on: date | None


@dataclass(frozen=True, slots=True)
class IssuerPart:
    """What an organisation that is an issuer says of itself as one; its name is the organisation's."""

    profile: Profile
    did_method: DidMethod | None


class Organisations:
    """Publishes versions of organisations. Each call can be repeated, and finishes what was interrupted."""

    def __init__(
        self,
        stored: OrganisationStore,
        *,
        publications: Publications,
        issuers: Issuers,
        turns: TreeTurns,
        clock: Callable[[], datetime],
    ) -> None:
        self._stored = stored
        self._publications = publications
        self._issuers = issuers
        self._turns = turns
        self._clock = clock

    async def current(self, organisation_id: str) -> OrganisationPublished:
        """Return the newest version.

        Raises:
            NotFoundError: there is no such organisation.
        """
        newest = await self._newest(organisation_id)
        if newest is None:
            raise NotFoundError.for_caller("no organisation")
        return newest

    async def apply(
        self, organisation_id: str, name: str, content: Content, issuer: IssuerPart | None, by: By
    ) -> tuple[OrganisationPublished, bool]:
        """Publish an organisation as it is to be, unless it is so already, and the issuer that it is.

        Where `issuer` is None, an issuer that it is stays one, below the same as the organisation.

        Returns:
            The version that now is the newest, and whether anything is new.

        Raises:
            ConflictError: it has another name, its parent is not known, has closed or stands below it, an identifier is
                another's, or somebody else publishes at the same moment; and as `Issuers.onboard` does.
            UnavailableError: published, and not arrived in time; or others move and close organisations all the time.
        """
        newest = await self._newest(organisation_id)
        if newest is not None and newest.name != name:
            raise ConflictError(
                f"{organisation_id} is called {newest.name}; PUT /v1/organisations/{organisation_id}/name renames it"
            )
        await self._require_own(organisation_id, content.identifiers)
        known = await self._issuers.find(organisation_id)
        if newest is None and known is not None and known.name != name:
            raise ConflictError(f"the issuer {organisation_id} is called {known.name}; publish it by that name first")
        change = {
            "kind": content.kind,
            "parent": content.parent,
            "identifiers": content.identifiers,
            "opened_on": content.opened_on,
        }
        if newest is None:
            # What is new has nothing below it, so it closes no circle and needs no turn.
            await self._require_place(organisation_id, content.parent)
            published, new = await self._publish_first(organisation_id, name, change, by)
        elif content.parent in {None, newest.parent}:
            published, new = await self._publish_next(newest, change, by, Action.ORGANISATION_PUBLISHED)
        else:
            async with self._turns.turn():
                await self._require_place(organisation_id, content.parent)
                published, new = await self._publish_next(newest, change, by, Action.ORGANISATION_PUBLISHED)
        if issuer is None and known is not None:
            issuer = IssuerPart(profile_of(known), None)
        if issuer is None:
            return published, new
        _, issuer_is_new = await self._issuers.onboard(
            organisation_id,
            issuer.profile,
            parent=await self._issuers.parent_in_tree(organisation_id),
            did_method=issuer.did_method,
            expected_version=None,
            by=by,
        )
        return published, new or issuer_is_new

    async def rename(self, organisation_id: str, name: str, since: date, by: By) -> OrganisationPublished:
        """Give an organisation, and the issuer that it is, another name; its former one is kept.

        Raises:
            NotFoundError: there is no such organisation.
            ConflictError: the day is yet to come or before an earlier change of its name, the name could be no
                issuer's, or others publish versions of it all the time.
        """
        newest = await self.current(organisation_id)
        if since > self._clock().date():
            raise ConflictError("a name changes on the day on which this is asked for, or did before")
        if newest.name != name and newest.former_names and since < newest.former_names[-1].until:
            raise ConflictError(f"it has been called {newest.name} since {newest.former_names[-1].until}")

        def change(newest: OrganisationPublished) -> Change:
            if newest.name == name:
                return {}
            return {"name": name, "former_names": (*newest.former_names, FormerName(name=newest.name, until=since))}

        published = await self._publish_over(organisation_id, change, by, Action.ORGANISATION_RENAMED)
        known = await self._issuers.find(organisation_id)
        if known is not None:
            await self._issuers.rename(organisation_id, name, by)
        return published

    async def close(self, organisation_id: str, closing: Closing, by: By) -> OrganisationPublished:
        """Publish that an organisation takes no evidence after a day, or another day, reason or successor of that.

        Raises:
            NotFoundError: there is no such organisation.
            ConflictError: the successor is not known, is itself or followed by it, closes no later, or is no issuer
                where this is one; it merges into none; organisations below it go on; or others publish versions of it
                all the time.
            UnavailableError: published, and not arrived in time; or others move and close organisations all the time.
        """
        if (await self.current(organisation_id)).closing == closing:
            return await self._publish_closing(organisation_id, closing, by)
        async with self._turns.turn():
            await self._require_successor(organisation_id, closing)
            await self._require_none_below(organisation_id, closing)
            return await self._publish_closing(organisation_id, closing, by)

    async def reopen(self, organisation_id: str, by: By) -> OrganisationPublished:
        """Publish that an organisation goes on: it was closed by mistake, or came back.

        Raises:
            NotFoundError: there is no such organisation.
            ConflictError: others publish versions of it all the time.
        """
        await self.current(organisation_id)
        return await self._publish_over(organisation_id, lambda _: {"closing": None}, by, Action.ORGANISATION_REOPENED)

    async def _publish_closing(self, organisation_id: str, closing: Closing, by: By) -> OrganisationPublished:
        return await self._publish_over(organisation_id, lambda _: {"closing": closing}, by, Action.ORGANISATION_CLOSED)

    async def _require_place(self, organisation_id: str, parent: str | None) -> None:
        if parent is None:
            return
        above = await self._walk(parent, lambda each: each.parent)
        if organisation_id in {parent, *above}:
            raise ConflictError(f"{parent} stands below {organisation_id}, or is the same")
        found = await self._newest(parent)
        # One that is claimed and has not arrived yet is not found by those who ask who stands above.
        if found is None or await self._stored.newest(parent) is None:
            raise ConflictError(f"the parent {parent} is not known; add it first")
        if found.closing is not None:
            raise ConflictError(f"the parent {parent} closes on {found.closing.last_day}")
        if len(above) + 2 > DEEPEST:
            raise ConflictError(f"at most {DEEPEST} organisations stand above one another")

    async def _require_own(self, organisation_id: str, identifiers: tuple[Identifier, ...]) -> None:
        holders = await self._stored.holders(each.text for each in identifiers)
        for text, holder in sorted(holders.items()):
            if holder != organisation_id:
                raise ConflictError(f"{text} is the identifier of {holder}")

    async def _require_successor(self, organisation_id: str, closing: Closing) -> None:
        if closing.successor is None:
            if closing.reason is ClosingReason.MERGED:
                raise ConflictError("what merges has a successor")
            return
        if closing.successor == organisation_id:
            raise ConflictError("an organisation does not follow itself")
        successor = await self._newest(closing.successor)
        if successor is None:
            raise ConflictError(f"the successor {closing.successor} is not known")
        if organisation_id in await self._walk(closing.successor, _successor):
            raise ConflictError(f"{organisation_id} follows {closing.successor} itself")
        if await self._issuers.find(organisation_id) is not None and (
            await self._issuers.find(closing.successor) is None
        ):
            raise ConflictError(f"{organisation_id} is an issuer and the successor {closing.successor} is none")
        if successor.closing is not None and successor.closing.last_day <= closing.last_day:
            raise ConflictError(f"the successor {closing.successor} closes on {successor.closing.last_day}")

    async def _require_none_below(self, organisation_id: str, closing: Closing) -> None:
        below = await self._stored.by_ids(await self._stored.below(organisation_id) - {organisation_id})
        for each in below.values():
            if each.closing is None or each.closing.last_day > closing.last_day:
                raise ConflictError(f"{each.organisation_id} stands below it and goes on; move or close it first")

    async def _walk(self, start: str, following: Callable[[OrganisationPublished], str | None]) -> list[str]:
        """Return the ids that follow one another from the one after `start` on, each once, by the newest versions."""
        walked = [start]
        newest = await self._newest(start)
        while newest is not None and (after := following(newest)) is not None and after not in walked:
            walked.append(after)
            newest = await self._newest(after)
        return walked[1:]

    async def _newest(self, organisation_id: str) -> OrganisationPublished | None:
        """Return the newest version claimed or arrived: after a restore the store may know what no claim does."""
        found = await newest_of(
            self._publications.newest(f"{OrganisationPublished.key_prefix}{organisation_id}"),
            self._stored.newest(organisation_id),
        )
        return found if isinstance(found, OrganisationPublished) else None

    async def _publish_first(
        self, organisation_id: str, name: str, content: Change, by: By
    ) -> tuple[OrganisationPublished, bool]:
        now = self._clock()
        event = OrganisationPublished(
            organisation_id=organisation_id, version=1, name=name, registered_at=now, published_at=now, **content
        )
        return await self._claim(event, by, Action.ORGANISATION_PUBLISHED)

    async def _publish_over(
        self, organisation_id: str, change: Callable[[OrganisationPublished], Change], by: By, action: Action
    ) -> OrganisationPublished:
        """Publish the newest version with this change, again where somebody else publishes at the same moment."""

        async def publish() -> OrganisationPublished:
            newest = await self.current(organisation_id)
            return (await self._publish_next(newest, change(newest), by, action))[0]

        return await unless_overtaken(publish)

    async def _publish_next(
        self, newest: OrganisationPublished, change: Change, by: By, action: Action
    ) -> tuple[OrganisationPublished, bool]:
        event = newest.model_copy(update={**change, "version": newest.version + 1, "published_at": self._clock()})
        if same_content(newest, event):
            await self._publications.finish(newest, by.trace)
            return newest, False
        return await self._claim(event, by, action)

    async def _claim(self, event: OrganisationPublished, by: By, action: Action) -> tuple[OrganisationPublished, bool]:
        published, new = await self._publications.publish(
            event,
            by.trace,
            cause=by.cause,
            action=action,
            otherwise=f"version {event.version} of {event.organisation_id} was published with other content at this "
            "moment; read it and try again",
        )
        assert isinstance(published, OrganisationPublished)  # noqa: S101  # a claim holds the kind that it was made for
        return published, new


def _successor(version: OrganisationPublished) -> str | None:
    return None if version.closing is None else version.closing.successor
