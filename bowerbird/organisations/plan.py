"""What a file of organisations would change of those that are there, in the order in which it can be done. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bowerbird.organisations.lines import Fault, Line
from services.issuer.organisations.api import OrganisationRequest

Known = Mapping[str, Mapping[str, Any]]
"""The organisations that are there, as GET /v1/organisations answers them, by id."""

_PLAIN: Final = ("kind", "parent", "opened_on")


@dataclass(frozen=True, slots=True)
class Step:
    """One organisation that is to be published, or given its first API key.

    Attributes:
        number: of its line; None of one that the file does not name, and that follows those above it.
        request: the body of POST /v1/organisations; None where all of it is so already.
        is_new: whether it is not there yet.
        changes: what changes, in words.
        key_scopes: of its first API key; nothing where none is to be made.
    """

    organisation_id: str
    number: int | None
    request: Mapping[str, Any] | None
    is_new: bool
    changes: tuple[str, ...]
    key_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        levels: the steps; those of one level need those of the levels before, and nothing of each other.
        unchanged: how many organisations of the file are as it says.
        absent: how many that are there stand not in the file; they stay as they are.
    """

    levels: tuple[tuple[Step, ...], ...]
    unchanged: int
    absent: int

    @property
    def steps(self) -> list[Step]:
        """All of them, in an order in which they can be done."""
        return [step for level in self.levels for step in level]


def plan_of(
    lines: Sequence[Line], known: Known, issuers: Known, unfinished: Collection[str] = ()
) -> tuple[Plan, list[Fault]]:
    """Return what the file would change, and what of it cannot be.

    Args:
        lines: the organisations of the file.
        known: the organisations that are there.
        issuers: the issuers that are there, whether or not they are organisations.
        unfinished: ids of those whose first key was asked for and perhaps never received.
    """

    def current_of(id_: str) -> Mapping[str, Any] | None:
        return known.get(id_) or ({"issuer": issuers[id_]} if id_ in issuers else None)

    requests = {each.organisation_id: _request(each, current_of(each.organisation_id)) for each in lines}
    faults = [fault for each in lines for fault in _faults(each, requests, known, issuers)]
    if faults:
        return Plan((), 0, 0), faults
    parents = {id_: each["parent"] for each_known in (known, requests) for id_, each in each_known.items()}
    issuing = {id_ for each_known in (known, requests) for id_, each in each_known.items() if each["issuer"]}
    steps = []
    for line in lines:
        id_ = line.organisation_id
        current, request = known.get(id_), requests[id_]
        changes = _changes(request, current, _nearest(id_, parents, issuing))
        has_key = current is not None and current["api_keys"] > 0 and id_ not in unfinished
        scopes = () if has_key else line.key_scopes
        if changes or scopes:
            steps.append(Step(id_, line.number, request if changes else None, current is None, changes, scopes))
    steps += _followers(known, requests, parents, issuing)
    touched = {each.organisation_id for each in steps}
    unchanged = sum(each.organisation_id not in touched for each in lines)
    return Plan(_levels(steps, parents), unchanged, len(known.keys() - requests.keys())), []


def _request(line: Line, current: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the request in the one form in which the service keeps and answers it."""
    request = OrganisationRequest.model_validate(line.request(current))
    return request.model_dump(mode="json", exclude={"issuer": {"did_method"}})


def _faults(line: Line, requests: Known, known: Known, issuers: Known) -> list[Fault]:
    current, request = known.get(line.organisation_id), requests[line.organisation_id]
    issuer = issuers.get(line.organisation_id)
    found = []
    parent = request["parent"]
    if parent is not None and parent not in requests and parent not in known:
        found.append(Fault(line.number, "parent", f"{parent} stands neither in the file nor here"))
    if current is not None and current["name"] != request["name"]:
        told = f"is called {current['name']!r} here; `bowerbird organisations rename` gives it another name"
        found.append(Fault(line.number, "name", told))
    if current is None and issuer is not None and issuer["name"] != request["name"]:
        found.append(
            Fault(line.number, "name", f"is an issuer called {issuer['name']!r} here: give it that name first")
        )
    if issuer is not None and not request["issuer"]:
        found.append(Fault(line.number, "issuer", "is an issuer here, and stays one"))
    return found


def _changes(request: Mapping[str, Any], current: Mapping[str, Any] | None, nearest: str | None) -> tuple[str, ...]:
    if current is None:
        return ("new issuer" if request["issuer"] else "new",)
    found = [
        f"{name}: {_said(current[name])} → {_said(request[name])}" for name in _PLAIN if current[name] != request[name]
    ]
    before, after = (_identifiers(each["identifiers"]) for each in (current, request))
    found += [
        f"{scheme}: {_said(before.get(scheme))} → {_said(after.get(scheme))}"
        for scheme in sorted(before.keys() | after.keys())
        if before.get(scheme) != after.get(scheme)
    ]
    if not request["issuer"]:
        return tuple(found)
    if not current["issuer"]:
        return (*found, "becomes an issuer")
    was = current["issuer"]
    found += [
        f"{name}: {_said(was[name])} → {_said(value)}"
        for name, value in request["issuer"].items()
        if was[name] != value
    ]
    if was["parent"] != nearest:
        found.append(f"awards what {_said(nearest)} shares, no longer {_said(was['parent'])}")
    return tuple(found)


def _followers(
    known: Known, requests: Known, parents: Mapping[str, str | None], issuing: Collection[str]
) -> list[Step]:
    """Return the issuers that the file does not name and below which another one stands nearest now."""
    found = []
    for id_, current in known.items():
        if id_ in requests or not current["issuer"]:
            continue
        nearest = _nearest(id_, parents, issuing)
        if current["issuer"]["parent"] != nearest:
            names = ("kind", "name", "parent", "opened_on", "identifiers")
            request = {"id": id_, **{name: current[name] for name in names}}
            change = f"awards what {_said(nearest)} shares, no longer {_said(current['issuer']['parent'])}"
            found.append(Step(id_, None, request, False, (change,), ()))
    return found


def _nearest(id_: str, parents: Mapping[str, str | None], issuing: Collection[str]) -> str | None:
    above, seen = parents.get(id_), {id_}
    while above is not None and above not in issuing and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return above if above in issuing else None


def _levels(steps: Sequence[Step], parents: Mapping[str, str | None]) -> tuple[tuple[Step, ...], ...]:
    levels: dict[int, list[Step]] = {}
    for step in steps:
        depth, above, seen = 0, parents.get(step.organisation_id), {step.organisation_id}
        while above is not None and above not in seen:
            seen.add(above)
            depth, above = depth + 1, parents.get(above)
        levels.setdefault(depth, []).append(step)
    return tuple(tuple(levels[depth]) for depth in sorted(levels))


def _identifiers(identifiers: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["scheme"]: each["value"] for each in identifiers}


def _said(value: object) -> str:
    return "nothing" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
