"""Looking for registered parties that names could be taken for: each name once, in portions, on a request's budget.

A name of strange words has a thousand likenesses, and a request can hold thousands of names. So whoever verifies counts
them before they are looked up, where a job can be ended, and what the budget does not reach was not looked for.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from libs.openbadges.model.budget import spend
from libs.openbadges.model.errors import LimitError
from libs.openbadges.trust.names import sought_likenesses, whole_likenesses
from libs.openbadges.trust.parties import KnownParties, Party

NAME_COST: Final = 300
"""Units of work (`budget`) of a name: it is taken apart, and asked for in a query of its own."""

LIKENESS_COST: Final = 2
"""Units of a likeness: it is put together, sent, and looked up in an index."""

MOST_AT_ONCE: Final = 1_000
_MOST_NAMES: Final = 32
"""Likenesses and names after which a portion ends, so that reading and answering it keeps nobody else waiting."""

Portion = Mapping[str, frozenset[str]]
"""Names, and what to look for of each."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Whom a name could be taken for, and by likeness those that it is like as a whole."""

    parties: tuple[Party, ...]
    whole: Mapping[str, tuple[Party, ...]]


class NameSearch:
    """What was found for the names in one request, whichever of its documents they stand in."""

    def __init__(self) -> None:
        """Begin with no name."""
        self._found: dict[str, _Found] = {}

    def portions(self, names: Collection[str]) -> Iterator[Portion]:
        """Yield what to look for, of those names that are not known yet, as far as the budget of the request goes."""
        portion: dict[str, frozenset[str]] = {}
        size = 0
        for name in sorted(each for each in names if each not in self._found):
            try:
                spend(NAME_COST)
                sought = sought_likenesses(name)
                spend(LIKENESS_COST * len(sought))
            except LimitError:
                break
            portion[name] = sought
            size += len(sought)
            if size >= MOST_AT_ONCE or len(portion) >= _MOST_NAMES:
                yield portion
                portion, size = {}, 0
        if portion:
            yield portion

    def keep(self, portion: Portion, parties: KnownParties) -> None:
        """Keep what was found for a portion; where it could not be looked up, it is asked for again."""
        if not parties.available:
            return
        for name, sought in portion.items():
            found = {each: tuple(parties.alike[each]) for each in sorted(sought & parties.alike.keys())}
            whole = {each: found[each] for each in whole_likenesses(name) & found.keys()}
            self._found[name] = _Found(tuple({one.id: one for each in found.values() for one in each}.values()), whole)

    def known(self, names: Collection[str], parties: KnownParties) -> KnownParties:
        """Return the parties with those that these names could be taken for, and whether all names were looked up."""
        found = {name: self._found[name] for name in names if name in self._found}
        alike = dict(parties.alike)
        for each in found.values():
            alike |= each.whole
        return replace(
            parties,
            alike=alike,
            resembled={name: each.parties for name, each in found.items() if each.parties},
            available=parties.available and len(found) == len(names),
        )
