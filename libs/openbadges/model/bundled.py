"""The standards' own files that are bundled with the package: JSON-LD contexts and JSON Schemas."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

import orjson


@dataclass(frozen=True, slots=True)
class BundledFile:
    """One file of somebody else's standard, as manifest.json in the data folder describes it."""

    file: str
    url: str
    version: str
    licence: str
    sha256: str
    text: bytes


def _read_bundled() -> dict[str, BundledFile]:
    folder = resources.files("libs.openbadges") / "data"
    bundled = {}
    for entry in orjson.loads((folder / "manifest.json").read_bytes()):
        text = (folder / entry["file"]).read_bytes()
        if hashlib.sha256(text).hexdigest() != entry["sha256"]:
            raise RuntimeError(f"{entry['file']} is not the file that its manifest names; reinstall the package.")
        bundled[entry["url"]] = BundledFile(
            entry["file"], entry["url"], entry["version"], entry["licence"], entry["sha256"], text
        )
    return bundled


BUNDLED: Final = _read_bundled()
"""By the URL under which its standard publishes it."""
