"""The process of `bowerbird conformance`: issuing instances and a verifier on one HTTPS port, no stores."""

import asyncio
import base64
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from conformance.configuration import configuration
from conformance.gate import KeyGate
from conformance.issuing.api import issuing_routes
from conformance.issuing.instances import Instances
from conformance.issuing.state import Secrets
from conformance.verification import StatusLists, verifying_routes
from deploy.certificate import self_signed, write_private
from libs.access.key_text import new_key
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.http_server import Server
from libs.common.settings import Settings
from libs.common.telemetry import configure_logging
from libs.common.tls import server_context
from services.verifier.pages.headers import PublicHeaders

HOST = "127.0.0.1"
KEY_FILE, SECRETS_FILE = "api-key", "secrets"


def build(base: str, key: str, secrets: Secrets, clock: Callable[[], datetime]) -> tuple[FastAPI, Instances]:
    """Return the application and its instances.

    Args:
        base: the URL under which it is reached, without a slash at its end.
        key: the API key that issuing requires.
        secrets: what the instances' keys are derived from.
        clock: returns the current time.
    """
    app = create_app("Bowerbird conformance", Health())
    lists = StatusLists()
    instances = Instances(secrets, public_base=base, publish=lists.publish, clock=clock)
    app.include_router(issuing_routes(KeyGate(key), instances))
    app.include_router(verifying_routes(lists, base, clock))
    app.add_middleware(PublicHeaders)
    return app, instances


async def run(folder: Path, port: int, ready: Callable[[dict[str, object]], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is given the configuration just before.

    Raises:
        OSError: the port is taken, or the folder cannot be written.
        SettingsError: the certificate cannot be used.
    """
    certificate, certificate_key = self_signed(folder)
    key = _stored(folder / KEY_FILE, lambda: new_key().encode()).decode()
    stored = Secrets.from_bytes(base64.b64decode(_stored(folder / SECRETS_FILE, _new_secrets)))
    base = f"https://{HOST}:{port}"
    app, instances = build(base, key, stored, lambda: datetime.now(UTC))
    tls = server_context(Settings(tls_cert_file=certificate, tls_key_file=certificate_key))
    configure_logging("conformance", "warning")
    server = Server(app, tls=tls)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    listening = socket.create_server((HOST, port))
    ready(configuration(instances, base, key))
    await server.serve(sockets=[listening])


def _stored(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a private file holds; it is made the first time."""
    if not path.is_file():
        write_private(path, make())
    return path.read_bytes().strip()


def _new_secrets() -> bytes:
    return base64.b64encode(Secrets.generate().to_bytes())
