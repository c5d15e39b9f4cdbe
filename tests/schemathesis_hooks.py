"""Loaded by schemathesis in its own process: how to write the media types that it does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Text as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/vc")
def credential(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """JSON, though the media type does not say so."""
    return json.dumps(value).encode()
