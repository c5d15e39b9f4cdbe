"""Reading stored documents one by one: what cannot be read is logged, left out, and costs no other its turn."""

from collections.abc import Callable, Iterable
from datetime import date
from enum import Enum
from functools import reduce
from inspect import Parameter, signature
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, Strict, ValidationError, create_model

from libs.common.errors import UnreadableError
from libs.common.mongo import Collection, Document, full_name
from libs.common.telemetry import get_logger

T = TypeVar("T")

# What reading a document raises that somebody's hand has damaged: a field that is gone, of another kind, or no JSON.
UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)

MOMENT: Final[Document] = {"$type": "date"}
"""What a query asks of a field, lest a document that lacks it, or has something else there, comes first of all."""

Text = Annotated[str, Field(min_length=1)]
"""What has to say something: a name, an id."""

Count = Annotated[int, Field(ge=0, lt=2**31)]
"""How often something was done."""

Seconds = Annotated[float, Field(ge=0, lt=2**37)]
"""A moment that a `datetime` can hold, in seconds since 1970."""


def typed(kind: Callable[..., T], **stored_as: str) -> Callable[[Document], T]:
    """Return what reads documents as a dataclass or named tuple; each field has to be of the very type it declares.

    So damage is found before anything is done by the document, not behind that. A field that may be None, or has a
    default, may be absent. What reads raises ValidationError, which is a ValueError.

    Args:
        kind: what is read.
        stored_as: what fields are called in the document, where that is not their name.
    """
    hints, declared = get_type_hints(kind, include_extras=True), dict[str, Any]()
    for name, parameter in signature(kind).parameters.items():
        absent = None if NoneType in get_args(hints[name]) else ...
        default = absent if parameter.default is Parameter.empty else parameter.default
        declared[name] = _by_value(hints[name]), Field(default=default, alias=stored_as.get(name, name))
    strict = ConfigDict(strict=True, allow_inf_nan=False)
    form = create_model(kind.__name__, __config__=strict, **declared)
    validate = form.__pydantic_validator__.validate_python
    return lambda stored: kind(**validate(stored).__dict__)


def _by_value(hint: Any) -> Any:
    """Return a type that is stored as a text, an enumeration or a day, as one that is read from it."""
    if isinstance(hint, type) and (issubclass(hint, Enum) or hint is date):
        return Annotated[hint, Strict(strict=False)]
    return reduce(or_, map(_by_value, get_args(hint))) if get_origin(hint) is UnionType else hint


class DamagedFieldError(ValueError):
    """Fields of a document, by their names, do not say what they have to."""


def problem_of(error: Exception) -> str:
    """Return what reading a document raised, with the names of the fields at fault; what they hold may be private."""
    if isinstance(error, DamagedFieldError):
        return f"{type(error).__name__}: {', '.join(map(str, error.args))}"
    if not isinstance(error, ValidationError):
        return type(error).__name__
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return f"{type(error).__name__}: {', '.join(dict.fromkeys(str(each['loc'][0]) for each in details if each['loc']))}"


def name_of(key: Any) -> str:
    """Return the id of a document as it is written for people."""
    return key.hex() if isinstance(key, bytes) else str(key)


def log_unreadable(collection: str | None, stored: Document, error: Exception) -> None:
    """Name in the log a document of DATABASE.COLLECTION that cannot be read."""
    get_logger().error(
        "a stored document cannot be read",
        **({} if collection is None else {"collection": collection}),
        document=name_of(stored.get("_id")),
        problem=problem_of(error),
    )


def readable(read: Callable[[Document], T], stored: Document, collection: Collection | None = None) -> T | None:
    """Return what a document of a collection says; None where it cannot be read, which the log then has by its id."""
    try:
        return read(stored)
    except UNREADABLE as error:
        log_unreadable(None if collection is None else full_name(collection), stored, error)
        return None


def read_all(read: Callable[[Document], T], found: Iterable[Document], collection: str | None = None) -> list[T]:
    """Return what these documents of DATABASE.COLLECTION say; the first that cannot be read is named, and raised."""
    said: list[T] = []
    for stored in found:
        try:
            said.append(read(stored))
        except UNREADABLE as error:
            log_unreadable(collection, stored, error)
            raise
    return said


def require_readable(read: Callable[[Document], T], stored: Document, what: str) -> T:
    """Return what a document says; `what` names it for people.

    Raises:
        UnreadableError: it cannot be read.
    """
    said = readable(read, stored)
    if said is None:
        raise UnreadableError(what, stored.get("version"))
    return said


def all_readable(
    read: Callable[[Document], T], found: Iterable[Document], collection: Collection | None = None
) -> list[T]:
    """Return what these documents of a collection say, without those that cannot be read."""
    return [each for stored in found if (each := readable(read, stored, collection)) is not None]
