"""Validation errors of pydantic in plain words: where, what is wrong, what is allowed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

from libs.common.errors import FieldProblem

MOST_NAMED: Final = 50
"""Parts that a refusal names: a body of 64 kB can have thousands that are not valid."""

_Words = Callable[[Mapping[str, Any]], str]

# By pydantic's error types; the argument is the context that it gives.
_WORDS: Mapping[str, _Words] = {
    "missing": lambda _: "required, but missing",
    "json_invalid": lambda given: f"not JSON: {given.get('error', 'it cannot be read')}",
    "model_attributes_type": lambda _: "must be a JSON object",
    "model_type": lambda _: "must be a JSON object",
    "dict_type": lambda _: "must be a JSON object",
    "list_type": lambda _: "must be a list",
    "frozen_set_type": lambda _: "must be a list",
    "set_type": lambda _: "must be a list",
    "string_type": lambda _: "must be text",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "uuid_type": lambda _: "must be a UUID",
    "uuid_parsing": lambda _: "must be a UUID, such as 0b9f1a52-6a3f-4c57-9d9e-7a3c5f0e8d11",
    "url_type": lambda _: "must be a URL",
    "url_parsing": lambda _: "must be a whole URL, such as https://school.example/",
    "url_scheme": lambda given: f"must be a URL that starts with {given['expected_schemes']}",
    "enum": lambda given: f"must be one of {given['expected']}",
    "literal_error": lambda given: f"must be one of {given['expected']}",
    "string_pattern_mismatch": lambda given: f"must have the form {given['pattern']} (a regular expression)",
    "string_too_short": lambda given: f"must have at least {_counted(given['min_length'], 'character')}",
    "string_too_long": lambda given: f"must have at most {_counted(given['max_length'], 'character')}",
    "too_short": lambda given: f"must have at least {_counted(given['min_length'], 'entry', 'entries')}",
    "too_long": lambda given: f"must have at most {_counted(given['max_length'], 'entry', 'entries')}",
    "greater_than_equal": lambda given: f"must be at least {given['ge']}",
    "greater_than": lambda given: f"must be more than {given['gt']}",
    "less_than_equal": lambda given: f"must be at most {given['le']}",
    "less_than": lambda given: f"must be less than {given['lt']}",
    "value_error": lambda given: str(given["error"]),
}


def field_errors(errors: Sequence[Mapping[str, Any]], body: Any = None) -> list[FieldProblem]:
    """Return the first `MOST_NAMED` of pydantic's errors as field and reason.

    Args:
        errors: as `ValidationError.errors()` gives them, each with a path that starts with body, query, path or header.
        body: the annotation of the request's body, from which the known fields are told.
    """
    return [FieldProblem(field=_path(each["loc"]), reason=_reason(each, body)) for each in errors[:MOST_NAMED]]


def _path(location: Sequence[str | int]) -> str:
    """The path within its part of the request: which part it is, the name tells; a body as a whole is `body`."""
    inner = location[1:] if len(location) > 1 and not _is_offset(location) else location[:1]
    return ".".join(str(part) for part in inner)


def _is_offset(location: Sequence[str | int]) -> bool:
    """Whether the path is that of JSON that cannot be read: its second part is a place in the text."""
    return len(location) == 2 and location[0] == "body" and isinstance(location[1], int)


def _reason(error: Mapping[str, Any], body: Any) -> str:
    kind, location = error["type"], error["loc"]
    if kind == "extra_forbidden":
        known = _fields(body, location[1:-1])
        allowed = f"; known are {', '.join(known)}" if known else ""
        return f"unknown field `{location[-1]}`{allowed}"
    words = _WORDS.get(kind)
    return str(error["msg"]) if words is None else words(error.get("ctx", {}))


def _fields(annotation: Any, path: Sequence[str | int]) -> list[str]:
    """Return the names of the fields of the model that stands at `path` below an annotation; none if none does."""
    model = _model(annotation)
    if model is None:
        return []
    for number, part in enumerate(path):
        if isinstance(part, str) and part in model.model_fields:
            return _fields(model.model_fields[part].annotation, path[number + 1 :])
    return list(model.model_fields)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as `Model`, `list[Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model(inner)) is not None), None)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
