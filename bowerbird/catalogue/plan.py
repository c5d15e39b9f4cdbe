"""What a folder of achievements would publish, in an order in which it can be, and what stands against it. Pure."""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, Final

from pydantic import ValidationError

from bowerbird.catalogue.differences import Change, changes_between
from bowerbird.catalogue.files import AchievementFile, Fault, Folder
from bowerbird.catalogue.written import written
from libs.common.errors import InvalidRequestError
from libs.contracts.events import AchievementPublished
from libs.contracts.rules import asked_for
from services.issuer.catalogue.achievement_api import AchievementRequest, achievement_of
from services.issuer.catalogue.public_texts import warnings_of
from services.issuer.catalogue.publications import same_content
from services.issuer.catalogue.rule_check import RuleCheck

# Of a version that is only asked for; the service says when it was published.
_UNPUBLISHED: Final = datetime.min.replace(tzinfo=UTC)
_FIELDS: Final = ", ".join(AchievementRequest.model_fields)
_MESSAGES: Final[Mapping[str, str]] = {
    "extra_forbidden": f"is no field here; they are {_FIELDS}",
    "missing": "is missing",
    "string_type": "must be text: write it in quotes",
}


@dataclass(frozen=True, slots=True)
class Here:
    """What is published.

    Attributes:
        organisation: whose catalogue it is: the issuer of the API key.
        own: the newest version of each of its achievements, by id.
        shared: likewise of those that the issuer above shares with it.
    """

    organisation: str
    own: Mapping[str, AchievementPublished]
    shared: Mapping[str, AchievementPublished]

    @property
    def parent(self) -> str | None:
        """The issuer above, where it shares anything."""
        return next((each.owner for each in self.shared.values()), None)


@dataclass(frozen=True, slots=True)
class Step:
    """One version that is to be published.

    Attributes:
        file: that says what it says.
        version: as it will be published.
        newest: the version that is published; none of a new achievement.
        conflict: what stands against it, in view of the version that the file names.
    """

    file: AchievementFile
    version: AchievementPublished
    newest: AchievementPublished | None
    conflict: Fault | None

    @property
    def achievement_id(self) -> str:
        """Its id."""
        return self.version.achievement_id

    @property
    def changes(self) -> tuple[Change, ...]:
        """What changes, by field; nothing of a new achievement."""
        return () if self.newest is None else changes_between(self.newest, self.version)

    @property
    def held(self) -> set[str]:
        """The ids of the owner's own achievements that its rule asks to hold."""
        asked = [] if self.version.rule is None else asked_for(self.version.rule)
        own = f"{self.version.owner}/"
        return {each.removeprefix(own) for each in asked if each.startswith(own)}

    def request(self) -> dict[str, Any]:
        """Return the body of POST /v1/achievements, which names the version: nobody else's is overwritten."""
        said = self.version.model_dump(mode="json", include=set(AchievementRequest.model_fields))
        return {"id": self.achievement_id, **said}

    def warnings(self) -> list[Fault]:
        """Return what of its texts should perhaps not become public, for good."""
        return [self.file.fault(self._place(each["field"]), each["reason"]) for each in warnings_of(self.version)]

    def _place(self, field: str) -> list[str | int]:
        """Return where the file has a field of the version; the service names levels by their words."""
        first, *others = field.split(".")
        if not others:
            return [first]
        numbers = {each["level"]: number for number, each in enumerate(self.file.content["levels"])}
        return [first, numbers[others[0]], *others[1:]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be published.

    Attributes:
        levels: the steps; those of one level stand on none but those of the levels before. None where there are faults.
        unchanged: the ids of those that are published as their files have them.
        absent: the ids of those that are published and have no file; they stay as they are.
    """

    levels: tuple[tuple[Step, ...], ...]
    unchanged: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def steps(self) -> list[Step]:
        """All of them, in an order in which they can be published."""
        return [step for level in self.levels for step in level]


async def plan_of(folder: Folder, here: Here) -> tuple[Plan, list[Fault]]:
    """Return what a folder would publish, and all that is wrong with it, sorted by place."""
    faults = list(folder.faults)
    asked: dict[str, tuple[AchievementFile, AchievementPublished]] = {}
    unchanged: list[str] = []
    unread = set(folder.unread)
    for file in folder.files:
        newest = here.own.get(file.achievement_id)
        faults += _number_faults(file, newest)
        if newest is not None and _says(file, newest):
            # What was published stays so, also where it could not be published any more.
            unchanged.append(file.achievement_id)
            continue
        version, found = _version(file, here)
        faults += found
        if version is None:
            unread.add(file.achievement_id)
        else:
            asked[file.achievement_id] = file, version
    steps, found = await _Together(here, unread, asked).steps()
    faults += found
    unchanged += asked.keys() - {each.achievement_id for each in steps}
    absent = here.own.keys() - {each.achievement_id for each in folder.files} - folder.unread.keys()
    levels = () if faults else _levels(steps)
    return Plan(levels, tuple(sorted(unchanged)), tuple(sorted(absent))), sorted(faults)


def _says(file: AchievementFile, version: AchievementPublished) -> bool:
    """Return whether a file is as this version is written, whatever number it names."""
    number = file.content.get("version", version.version)
    return type(number) is int and {**file.content, "version": version.version} == written(version)


def _number_faults(file: AchievementFile, newest: AchievementPublished | None) -> list[Fault]:
    number, named = 0 if newest is None else newest.version, file.content.get("version")
    if not isinstance(named, int | float) or named <= number + 1:
        return []
    there = f"version {number} is the newest here" if newest else "it is not published here"
    return [file.fault(["version"], f"{there}, so the next is {number + 1}")]


def _version(file: AchievementFile, here: Here) -> tuple[AchievementPublished | None, list[Fault]]:
    """Return what a file asks for, or all that is wrong with it whatever else is published."""
    faults = []
    if file.content.get("id", file.achievement_id) != file.achievement_id:
        faults.append(file.fault(["id"], f"the file's name says {file.achievement_id}"))
    try:
        asked = AchievementRequest.model_validate(file.content)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        return None, [*faults, *(_fault(file, each["loc"], each["type"], each["msg"]) for each in told)]
    newest = here.own.get(file.achievement_id)
    version = achievement_of(asked, here.organisation, _UNPUBLISHED)
    return version.model_copy(update={"version": 1 if newest is None else newest.version + 1}), faults


def _fault(file: AchievementFile, where: Sequence[str | int], kind: str, message: str) -> Fault:
    told = _MESSAGES.get(kind, message.removeprefix("Value error, "))
    # What is missing has no line of its own.
    return file.fault(where, f"{where[-1]} {told}" if kind == "missing" else told)


class _Together:
    """What is published once the files are, as rules are held against it."""

    def __init__(
        self, here: Here, unread: AbstractSet[str], asked: Mapping[str, tuple[AchievementFile, AchievementPublished]]
    ) -> None:
        self._here = here
        self._unread = unread
        self._files = {id_: file for id_, (file, _) in asked.items()}
        self._own = {**here.own, **{id_: version for id_, (_, version) in asked.items()}}
        self._check = RuleCheck(self)

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        """Return what there is of this achievement, if anything."""
        known = self._own if owner == self._here.organisation else self._here.shared
        return known.get(achievement_id)

    async def stacking(self, owner: str) -> set[str]:
        """Return the ids of this owner's achievements that ask to hold others."""
        return {id_ for id_, each in self._own.items() if each.owner == owner and each.rule and asked_for(each.rule)}

    async def steps(self) -> tuple[list[Step], list[Fault]]:
        """Return what is to be published, in no order, and which rules cannot be met."""
        faults: list[Fault] = []
        told = [id_ for id_ in self._files if not self._asks_for_unread(id_)]
        named = [id_ for id_ in told if await self._name_owners(id_, faults)]
        steps = []
        for id_ in named:
            newest, version = self._here.own.get(id_), self._own[id_]
            if newest is None or not same_content(newest, version):
                faults += await self._faults(id_, self._check.require(version))
                steps.append(Step(self._files[id_], version, newest, _conflict(self._files[id_], newest, version)))
        return steps, faults

    def _asks_for_unread(self, id_: str) -> bool:
        """Return whether a rule asks for what has faults of its own, and cannot be held against anything yet."""
        rule = self._own[id_].rule
        return rule is not None and not self._unread.isdisjoint(each.rpartition("/")[2] for each in asked_for(rule))

    async def _name_owners(self, id_: str, faults: list[Fault]) -> bool:
        async def name() -> None:
            self._own[id_] = await self._check.with_owners(self._own[id_], self._here.parent)

        found = await self._faults(id_, name())
        faults += found
        return not found

    async def _faults(self, id_: str, check: Awaitable[None]) -> list[Fault]:
        try:
            await check
        except InvalidRequestError as error:
            return [self._files[id_].fault(_place(each["field"]), each["reason"]) for each in error.errors]
        return []


def _place(field: str) -> list[str | int]:
    return [int(each) if each.isdigit() else each for each in field.split(".")]


def _conflict(
    file: AchievementFile, newest: AchievementPublished | None, version: AchievementPublished
) -> Fault | None:
    """Return what stands against publishing a version, by the number that the file names, if it names one."""
    named = file.content.get("version")
    if newest is None or named is None or named > newest.version:
        return None
    fields = ", ".join(each.field for each in changes_between(newest, version))
    if named == newest.version:
        message = f"version {named} is published, and the file says something else of {fields}: a change is version"
    else:
        message = f"version {newest.version} is published since, with another {fields}: if the file is right, it is"
        message += " version"
    return file.fault(["version"], f"{message} {newest.version + 1}; `bowerbird catalogue diff` shows both")


def _levels(steps: Sequence[Step]) -> tuple[tuple[Step, ...], ...]:
    return tuple(_in_turn({each.achievement_id: each for each in steps}))


def _in_turn(steps: Mapping[str, Step]) -> Iterator[tuple[Step, ...]]:
    """Yield the steps, those first that others ask to hold."""
    sorter = TopologicalSorter({id_: each.held & steps.keys() for id_, each in steps.items()})
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield tuple(steps[id_] for id_ in sorted(ready))
        sorter.done(*ready)
