"""Writes docs/api/: the OpenAPI 3.1 document of each service, from the routes that it serves."""

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI

from bowerbird.registry import NAMES, find
from libs.access.key_files import make_grant_keys
from libs.common import mongo
from libs.common.runtime import Plumbing
from libs.common.secret_files import SECRET_BYTES

_SECRET_FILES = ("kek_file", "authority_secret_file")
_ACCESS_FILES = ("grant_secret_file", "grant_keys_file")


def documents() -> dict[str, str]:
    """Return file name to text, for everything under docs/api/."""
    return {
        f"{name}.json": json.dumps(asyncio.run(_document(name)), indent=2, ensure_ascii=False) + "\n" for name in NAMES
    }


async def _document(name: str) -> dict[str, Any]:
    """Return what the service describes itself as."""
    return (await built(name)).openapi()


async def built(name: str) -> FastAPI:
    """Return the application of a service. It is built whole, as it runs, and connects to nothing.

    Its settings are their defaults: neither the environment nor the machine makes a difference.
    """
    service = find(name)
    with TemporaryDirectory() as folder:
        settings = service.settings.model_construct(**_needed(service.settings.model_fields.keys(), Path(folder)))
        plumbing = Plumbing(name, settings)
        try:
            service.build(plumbing, settings)
            return plumbing.app
        finally:
            await mongo.close(plumbing.client)


def _needed(known: Collection[str], folder: Path) -> dict[str, Any]:
    """Return the settings without which a service is not built: files with fresh secrets, which serve nothing."""
    files = {name: folder / name for name in _SECRET_FILES if name in known}
    for file in files.values():
        file.touch(mode=0o600)
        file.write_bytes(b64encode(os.urandom(SECRET_BYTES)))
    access = {name: folder / name for name in _ACCESS_FILES}
    make_grant_keys(access["grant_secret_file"], access["grant_keys_file"])
    return files | {name: file for name, file in access.items() if name in known}
