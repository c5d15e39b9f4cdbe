"""The forms of identifiers by which others know organisations. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

_ACARA = re.compile(r"[1-9][0-9]{3,5}")


def canonical(scheme: str, value: str) -> str:
    """Return the one form in which the value of a scheme is kept; a scheme that is not known here has any.

    Raises:
        ValueError: the value has not the form of its scheme.
    """
    form = _FORMS.get(scheme)
    return value if form is None else form(value)


def _acara(value: str) -> str:
    """The ACARA school id: 'ACARA SML ID' of the Australian School List, a number."""
    if _ACARA.fullmatch(value) is None:
        raise ValueError("an ACARA id is a number of four to six digits")
    return value


def _sif(value: str) -> str:
    """A RefId of SIF AU: a GUID, with or without hyphens; kept as a UUID is written (RFC 9562, section 4)."""
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("a SIF RefId is a GUID of 32 hexadecimal digits") from None


_FORMS: Final[Mapping[str, Callable[[str], str]]] = {"acara": _acara, "sif": _sif}
