"""Messages between a service and its worker processes: length and pickle; what a worker writes is read with suspicion.

A worker reads what strangers wrote, in native code too. Should one be taken over, its messages must not run code in
the service: they hold values, and of classes only those that hold values and nothing else.
"""

import dataclasses
import enum
import io
import pickle  # what is read from a worker goes through _Values alone
import struct
from typing import Any, Final

HEADER: Final = struct.Struct(">I")

_PLAIN: Final = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("uuid", "UUID"),
    }
)
_ERRORS: Final = "libs.common.errors"


def write_frame(message: Any) -> bytes:
    """Write a message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def read_values(body: bytes, packages: tuple[str, ...]) -> Any:
    """Read a message of a worker.

    Args:
        body: as the worker wrote it.
        packages: where classes of results may stand, beginnings of modules' names.

    Raises:
        pickle.UnpicklingError: it holds something other than values.
    """
    reader = _Values(io.BytesIO(body))
    reader.packages = (*packages, _ERRORS)
    return reader.load()


class _Values(pickle.Unpickler):
    packages: tuple[str, ...] = ()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith(self.packages) and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and _holds_values(found):
                return found
        raise pickle.UnpicklingError(f"a worker does not send {module}.{name}")


def _holds_values(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or issubclass(kind, tuple | enum.Enum | Exception)
