"""UUIDs as text, several times as fast as the standard library writes them: an award's are written a dozen times."""

from uuid import UUID

import orjson


def uuid_text(value: UUID) -> str:
    """Return what `str` does: 32 small hexadecimal digits with hyphens (RFC 9562, section 4)."""
    return orjson.dumps(value)[1:-1].decode()
