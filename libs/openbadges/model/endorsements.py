"""Where endorsements stand in a credential, and what each may speak of there (class EndorsementCredential)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MOST_ENDORSEMENTS: Final = 32
"""Endorsements that are verified in one verification, those within a learner record's credentials included."""

_MEMBERS: Final = ("endorsement", "endorsementJwt")


@dataclass(frozen=True, slots=True)
class EndorsementEntry:
    """An endorsement where it stands, unread.

    Attributes:
        pointer: JSON Pointer to it (RFC 6901).
        subjects: the ids of what it may speak of there.
        given: the endorsement.
    """

    pointer: str
    subjects: frozenset[str]
    given: Any


def endorsements_of(document: dict[str, Any]) -> list[EndorsementEntry]:
    """Return the endorsements in a credential, one more than `MOST_ENDORSEMENTS` at most.

    On the credential itself one may speak of the credential and of the achievement and profiles in it; on a profile or
    an achievement, of that alone (Open Badges 3.0, the properties `endorsement` and `endorsementJwt`).
    """
    found: list[EndorsementEntry] = []
    for thing, place in _endorsable(document):
        for name in _MEMBERS:
            if name in thing:
                subjects = ids_of([thing] if place else [document, *(one for one, _ in _endorsable(document))])
                held = thing[name] if isinstance(thing[name], list) else [thing[name]]
                places = enumerate(held[: MOST_ENDORSEMENTS + 1 - len(found)])
                found += [EndorsementEntry(f"{place}/{name}/{number}", subjects, one) for number, one in places]
    return found


def without_jwts(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out every `endorsementJwt`, which Open Badges 3.0 defines and its context does not.

    For a credential in a JWT, which is signed as it stands: there the missing term leaves nothing unsigned.
    """
    if not any("endorsementJwt" in thing for thing, _ in _endorsable(document)):
        return document
    copy: dict[str, Any] = _copied(document)
    for thing, _ in _endorsable(copy):
        thing.pop("endorsementJwt", None)
    return copy


def _endorsable(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Go through what endorsements may stand on, with JSON Pointers: the credential, profiles, achievements."""
    yield document, ""
    issuer = document.get("issuer")
    if isinstance(issuer, dict):
        yield issuer, "/issuer"
    for subject, place in _objects(document.get("credentialSubject"), "/credentialSubject"):
        if isinstance(source := subject.get("source"), dict):
            yield source, f"{place}/source"
        for achievement, where in _objects(subject.get("achievement"), f"{place}/achievement"):
            yield achievement, where
            if isinstance(creator := achievement.get("creator"), dict):
                yield creator, f"{where}/creator"


def _objects(value: Any, place: str) -> list[tuple[dict[str, Any], str]]:
    """Return one object or several with their places."""
    if isinstance(value, list):
        return [(one, f"{place}/{number}") for number, one in enumerate(value) if isinstance(one, dict)]
    return [(value, place)] if isinstance(value, dict) else []


def ids_of(things: list[Any]) -> frozenset[str]:
    """Return the ids of those of several objects that have one."""
    return frozenset(one["id"] for one in things if isinstance(one, dict) and isinstance(one.get("id"), str))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
