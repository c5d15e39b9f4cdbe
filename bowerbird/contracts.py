"""Writes docs/events/: a JSON Schema per event and the AsyncAPI documents, generated from the contracts."""

import json
from pathlib import Path
from typing import Any

from bowerbird import asyncapi
from libs.contracts.events import EVENTS


def documents() -> dict[str, str]:
    """Return file name to text, for everything under docs/events/."""
    files: dict[str, Any] = {f"{event.type}.json": event.json_schema() for event in EVENTS}
    files["partners.asyncapi.json"] = asyncapi.partners()
    files["internal.asyncapi.json"] = asyncapi.internal()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def write(folder: Path) -> list[str]:
    """Write what differs from the contracts and remove what they no longer know; return the names changed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    changed = stale(folder)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def stale(folder: Path) -> list[str]:
    """Return the names of files that are not what the contracts say."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
