"""Types of fields in requests, whose JSON Schema says exactly what is taken; pydantic's own take more."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo

_VISIBLE: Final = r"[^\s\x00-\x1f\x7f]"


def _in_json(value: object) -> object:
    if isinstance(value, str | bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic answers a ValueError alone
    return value


def _trimmed(text: str) -> str:
    if re.search(_VISIBLE, text) is None:
        raise ValueError("must not be blank")
    return text.strip()


def _not_blank(longest: int) -> FieldInfo:
    # The length is that of the text as it was sent: so the schema says it.
    info: FieldInfo = Field(min_length=1, max_length=longest, json_schema_extra={"pattern": _VISIBLE})
    return info


NumberInJson: Final = BeforeValidator(_in_json)
"""Marks a number, after its bounds: 2 and 2.0 are whole numbers in JSON, and neither `"2"` nor `true` is one."""

Truth = Annotated[bool, Field(strict=True)]
"""`true` or `false`, and neither 1 nor `"yes"`."""

Line = Annotated[str, _not_blank(200), AfterValidator(_trimmed)]
Sentence = Annotated[str, _not_blank(500), AfterValidator(_trimmed)]
Text = Annotated[str, _not_blank(5_000), AfterValidator(_trimmed)]
"""Text that is not blank, without the space around it; of 200, 500 or 5,000 characters as it is sent."""
