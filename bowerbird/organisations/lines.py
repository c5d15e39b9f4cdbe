"""A line of a file of organisations: what may stand in it, and all that is wrong with it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from libs.access.scopes import Scope
from services.issuer.organisations.api import OrganisationRequest

IDENTIFIERS: Final[Mapping[str, str]] = {"acara_id": "acara", "sif_ref_id": "sif", "department_id": "department"}
"""The columns that hold ids of others, and the scheme of each."""
_PROFILE: Final = ("url", "email", "logo", "time_zone", "linkedin_id", "public_evidence", "learners_from_16")
_TRUTHS: Final = ("public_evidence", "learners_from_16")
REQUIRED: Final = ("id", "kind", "name", "issuer")
COLUMNS: Final = (*REQUIRED, "parent", *IDENTIFIERS, "opened_on", *_PROFILE, "key_scopes")
"""Every column, those first that each file has."""

_YES_NO: Final = {"yes": True, "no": False}
_KEY_SCOPES: Final = frozenset(Scope) - {Scope.ISSUERS_WRITE}


class Fault(NamedTuple):
    """What is wrong, and where: the number of the line in the file, and the column, if it is one."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """One organisation as the file has it.

    Attributes:
        number: of the line of the file that it begins in.
        given: by column, what stands there; a column that the file lacks is left as it is here, an empty one empties.
    """

    number: int
    given: Mapping[str, str]

    @property
    def organisation_id(self) -> str:
        """Its id."""
        return self.given["id"]

    @property
    def is_issuer(self) -> bool:
        """Whether it is to be an issuer."""
        return self.given.get("issuer") != "no"

    @property
    def key_scopes(self) -> tuple[str, ...]:
        """What its first API key may do; nothing where it is to have none."""
        return tuple(self.given.get("key_scopes", "").split())

    def request(self, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the body of POST /v1/organisations; what the file does not speak of is as it is now.

        Args:
            current: the organisation as the API answers it, if it is there.
        """
        was: Mapping[str, Any] = current or {}
        request: dict[str, Any] = {each: self.given[each] for each in ("id", "kind", "name")}
        for column in ("parent", "opened_on"):
            request[column] = (self.given[column] or None) if column in self.given else was.get(column)
        identifiers = {each["scheme"]: each["value"] for each in was.get("identifiers", ())}
        for column, scheme in IDENTIFIERS.items():
            if column in self.given:
                identifiers.pop(scheme, None)
                if self.given[column]:
                    identifiers[scheme] = self.given[column]
        request["identifiers"] = [{"scheme": scheme, "value": value} for scheme, value in sorted(identifiers.items())]
        if self.is_issuer:
            request["issuer"] = self._profile(was.get("issuer") or {})
        return request

    def faults(self) -> list[Fault]:
        """Return all that is wrong with it, whatever else stands in the file."""
        found = [Fault(self.number, column, "must not be empty") for column in REQUIRED if not self.given.get(column)]
        found += [
            Fault(self.number, column, "is yes or no")
            for column in ("issuer", *_TRUTHS)
            if self.given.get(column) and self.given[column] not in _YES_NO
        ]
        if self.given.get("issuer") == "no":
            found += [
                Fault(self.number, column, "is of issuers alone: leave it empty, or say yes under issuer")
                for column in _PROFILE
                if self.given.get(column)
            ]
        unknown = [each for each in self.key_scopes if each not in _KEY_SCOPES]
        found += [Fault(self.number, "key_scopes", f"{each} is no scope of a key") for each in unknown]
        told = {each.column for each in found}
        return found + [each for each in self._of_the_request() if each.column not in told]

    def _of_the_request(self) -> list[Fault]:
        if not all(self.given.get(column) for column in REQUIRED):
            return []
        request = self.request()
        try:
            OrganisationRequest.model_validate(request)
        except ValidationError as error:
            return [Fault(self.number, _column(each["loc"], request), _message(each["msg"])) for each in error.errors()]
        return []

    def _profile(self, was: Mapping[str, Any]) -> dict[str, Any]:
        profile: dict[str, Any] = {}
        for column in _PROFILE:
            if column not in self.given:
                profile[column] = was.get(column, False if column in _TRUTHS else None)
            elif column in _TRUTHS:
                profile[column] = _YES_NO.get(self.given[column], False)
            else:
                profile[column] = self.given[column] or None
        return profile


def faults_between(lines: Sequence[Line]) -> list[Fault]:
    """Return what is wrong between lines: one thing in two of them, or a place below itself."""
    return [*_twice(lines, "id", str.casefold), *_identifiers_twice(lines), *_circles(lines)]


def _twice(lines: Sequence[Line], column: str, form: Callable[[str], str]) -> list[Fault]:
    first: dict[str, int] = {}
    found = []
    for each in lines:
        value = form(each.given.get(column, ""))
        if value and first.setdefault(value, each.number) != each.number:
            found.append(Fault(each.number, column, f"stands in line {first[value]} too"))
    return found


def _identifiers_twice(lines: Sequence[Line]) -> list[Fault]:
    def form(text: str) -> str:
        # A RefId with and without hyphens is one.
        return text.casefold().replace("-", "")

    return [fault for column in IDENTIFIERS for fault in _twice(lines, column, form)]


def _circles(lines: Sequence[Line]) -> list[Fault]:
    of_id = {each.organisation_id: each for each in lines if each.given.get("id")}
    found = []
    for each in lines:
        above, seen = each.given.get("parent", ""), {each.given.get("id", "")}
        while above in of_id and above not in seen:
            seen.add(above)
            above = of_id[above].given.get("parent", "")
        if above and above == each.given.get("id"):
            found.append(Fault(each.number, "parent", "stands below this organisation"))
    return found


def _column(place: Sequence[int | str], request: Mapping[str, Any]) -> str:
    """Return the column that a part of the request comes from."""
    names = [str(each) for each in place]
    if names[:1] == ["issuer"] and len(names) > 1:
        return names[1]
    if names[:1] == ["identifiers"]:
        schemes = {scheme: column for column, scheme in IDENTIFIERS.items()}
        index = int(names[1]) if len(names) > 1 else 0
        return schemes.get(request["identifiers"][index]["scheme"], "identifiers")
    return names[0] if names else ""


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")
