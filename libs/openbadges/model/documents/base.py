"""What every object of the data models has in common, and the kinds of text in them."""

from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
    model_validator,
)

from libs.openbadges.model import times

T = TypeVar("T")

Text = Annotated[str, StringConstraints(min_length=1)]
Iri = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`]+$")]
CompactJws = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$")]


def _moment(text: str) -> str:
    times.read(text)
    return text


class _Alone(list[T]):
    """A list of one that was written without brackets."""


def _listed(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    return validate(value) if isinstance(value, list | tuple) else _Alone(validate([value]))


def _as_it_came(value: object, write: SerializerFunctionWrapHandler) -> object:
    written = write(value)
    return written[0] if isinstance(value, _Alone) else written


DateTime = Annotated[str, AfterValidator(_moment)]
"""An xsd:dateTime with a zone, kept as it was written."""

Many = Annotated[list[T], WrapValidator(_listed), WrapSerializer(_as_it_came)]
"""Any number of a thing; one alone may stand without brackets, which JSON-LD reads the same. Written as it came."""

_EXTENSION: Final = "ext:"


def vocabulary(*words: str) -> AfterValidator:
    """Allow the words of an enumeration and extensions of it, `ext:…` (Open Badges 3.0, enumerations)."""
    known = frozenset(words)

    def check(word: str) -> str:
        if word not in known and not word.startswith(_EXTENSION):
            raise ValueError(f"{word!r} is no word of this vocabulary and does not begin with ext:.")
        return word

    return AfterValidator(check)


class Part(BaseModel):
    """Any object of the data model. What a specification extends it with is kept as it came."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    TYPE: ClassVar[str] = ""
    """What the object's `type` must contain; empty where it may be anything."""

    @model_validator(mode="after")
    def _is_of_its_type(self) -> "Part":
        types = getattr(self, "type", None)
        if self.TYPE and self.TYPE not in (types if isinstance(types, list) else [types]):
            raise ValueError(f"The type does not contain {self.TYPE}.")
        return self

    def to_json(self) -> dict[str, Any]:
        """Write the object as it stands in a credential: absent values left out, the type first given kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
