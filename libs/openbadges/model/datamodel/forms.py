"""The forms of single values: identifiers, types, texts in a language, one thing or several."""

import re
from typing import Any, Final

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import types_of

CODE: Final = "not_a_credential"
"""The code of nearly every refusal here: the document is not what the data model calls by its name."""

# An absolute URL (RFC 3986) that is also an IRI as N-Quads can hold it.
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20<>\"{}|\\^`\x7f-\x9f\ud800-\udfff]+\Z")
# The same without anything beyond ASCII, which nearly all are: several times as fast to see.
_USUAL_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[!#-;=?-\[\]_a-z~]++\Z")
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z")
_VALUE_OBJECT: Final = frozenset({"@value", "@language", "@direction"})


def refuse(message: str, path: str) -> CredentialError:
    """Make the error for a value that the data model does not allow."""
    return CredentialError(CODE, message, path)


def is_url(value: Any) -> bool:
    """Return whether a value is an absolute URL (VCDM 2.0, section 4.4)."""
    return isinstance(value, str) and (_USUAL_URL.match(value) or _URL.match(value)) is not None


def require_url(value: Any, path: str) -> None:
    """Raises CredentialError for anything but one absolute URL."""
    if not is_url(value):
        shown = repr(value)
        raise CredentialError(
            "iri_invalid", f"{shown if len(shown) <= 200 else shown[:200] + ' …'} is not one absolute URL.", path
        )


def check_id(thing: dict[str, Any], path: str, *, required: bool = False) -> None:
    """Check an identifier; where it is optional, it may be left out and never be empty (VCDM 2.0, section 4.4).

    Raises:
        CredentialError: not a single URL, or missing and required.
    """
    if "id" in thing:
        if not is_url(thing["id"]):
            require_url(thing["id"], f"{path}/id")
    elif required:
        raise refuse("An id is missing here.", f"{path}/id")


def checked_types(thing: dict[str, Any], path: str) -> list[str]:
    """Return the types, one or several (VCDM 2.0, section 4.5).

    Raises:
        CredentialError: none, or something that is not text.
    """
    names: list[Any] = types_of(thing)
    if not names or not all(isinstance(one, str) and one for one in names):
        raise refuse("A type is one or more names.", f"{path}/type")
    return names


def things(value: Any, path: str) -> list[tuple[dict[str, Any], str]]:
    """Return one or several objects with their places.

    Raises:
        CredentialError: none at all, or something that is not an object with content.
    """
    listed = [(one, f"{path}/{place}") for place, one in enumerate(value)] if isinstance(value, list) else None
    if listed is None:
        listed = [(value, path)]
    if not listed:
        raise refuse("There is at least one object here.", path)
    for one, place in listed:
        if not isinstance(one, dict) or not one:
            raise refuse("This is an object that says something.", place)
    return listed


def check_text(value: Any, path: str) -> None:
    """Check a name or description: text, or texts with a language (VCDM 2.0, sections 4.6 and 11.1).

    Raises:
        CredentialError: something else, or a value object with more than @value, @language and @direction.
    """
    if isinstance(value, str):
        return
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise refuse("This is text, or a text with its language.", path)
    for one in listed:
        if isinstance(one, str):
            continue
        if not isinstance(one, dict) or not isinstance(one.get("@value"), str) or not one.keys() <= _VALUE_OBJECT:
            raise refuse("A text with a language has @value, @language and @direction, and nothing else.", path)
        language, direction = one.get("@language"), one.get("@direction")
        if "@language" in one and not (isinstance(language, str) and _LANGUAGE.match(language)):
            raise refuse("@language is a language tag (BCP 47).", f"{path}/@language")
        if "@direction" in one and direction not in {"ltr", "rtl"}:
            raise refuse("@direction is ltr or rtl.", f"{path}/@direction")


def check_contexts_form(document: dict[str, Any], *first: str) -> str:
    """Check that the contexts are an ordered set that begins as it must (VCDM 2.0, section 4.3); answer the first.

    Raises:
        CredentialError: another form, another beginning, an entry that is neither a URL nor an object.
    """
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts or contexts[0] not in first:
        raise refuse("@context is a list whose first entry is that of verifiable credentials.", "/@context")
    for one in contexts:
        if not (is_url(one) or (isinstance(one, dict) and one)):
            raise refuse("A context is a URL or an object.", f"/@context/{contexts.index(one)}")
    return str(contexts[0])
