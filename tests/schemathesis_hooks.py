"""Loaded by schemathesis in its own process: media types that it does not know, and what no schema says."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Text as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/vc")
def credential(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """JSON, though the media type does not say so."""
    return json.dumps(value).encode()


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """Leave out achievements that describe a level twice: JSON Schema has no word for entries unique by one member."""
    levels = case.body.get("levels") if isinstance(case.body, dict) else None
    if not isinstance(levels, list):
        return True
    named = [each.get("level") for each in levels if isinstance(each, dict)]
    return all(named.count(level) == 1 for level in named)
