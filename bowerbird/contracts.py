"""Writes docs/events/: a JSON Schema per event and the AsyncAPI documents, generated from the contracts."""

import json
from pathlib import Path
from typing import Any

from bowerbird import asyncapi, generated
from libs.contracts.events import EVENTS


def documents() -> dict[str, str]:
    """Return file name to text, for everything under docs/events/."""
    files: dict[str, Any] = {f"{event.type}.json": event.json_schema() for event in EVENTS}
    files["partners.asyncapi.json"] = asyncapi.partners()
    files["internal.asyncapi.json"] = asyncapi.internal()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def stale(folder: Path) -> list[str]:
    """Return the names of files that are not what the contracts say."""
    return generated.stale(folder, documents())
