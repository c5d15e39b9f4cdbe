"""The one process of `bowerbird interop`: the issuer's instances and the verifier on one HTTPS port, no stores."""

import asyncio
import base64
import hmac
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from pydantic import AnyHttpUrl

from conformance.configuration import configuration
from conformance.issuing.api import SCOPE, interop_routes
from conformance.issuing.instances import Instances
from conformance.issuing.store import MemoryInterop, Secrets
from deploy.embedded.certificate import self_signed, write_private
from libs.access.api_keys import Caller, new_key
from libs.common.errors import UnauthenticatedError
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.runtime import Server
from libs.common.settings import Settings
from libs.common.telemetry import configure_logging
from libs.common.tls import server_context
from services.verifier.material.memory import MemoryRepository
from services.verifier.service import ServiceSettings, serve

HOST = "127.0.0.1"
KEY_FILE, SECRETS_FILE = "api-key", "secrets"


@dataclass(frozen=True, slots=True)
class OneKey:
    """A gate with one API key, which opens issuing and nothing else.

    It stands in the Authorization header, or in the address as `access_token` (RFC 6750, sections 2.1 and 2.3): the
    suite of Bitstring Status List sends no headers of ours.
    """

    key: str

    def allowed(self, scope: str) -> Callable[[Request], Awaitable[Caller]]:
        """A FastAPI dependency: the holder of the key."""

        async def dependency(request: Request) -> Caller:
            scheme, _, sent = request.headers.get("authorization", "").partition(" ")
            if not scheme:
                scheme, sent = "bearer", request.query_params.get("access_token", "")
            known = hmac.compare_digest(sent.strip().encode(), self.key.encode())
            if scheme.lower() != "bearer" or not known or scope != SCOPE:
                raise UnauthenticatedError(
                    "send `Authorization: Bearer bb_…` with the key that was printed at the start"
                )
            return Caller("interop", frozenset({SCOPE}))

        return dependency


def build(base: str, key: str, kept: Secrets, clock: Callable[[], datetime]) -> tuple[FastAPI, Instances]:
    """The application and its instances.

    Args:
        base: the address under which it is reached, without a slash at its end.
        key: the API key that issuing wants.
        kept: what the instances' keys come from.
        clock: tells the moment.
    """
    app = create_app("Bowerbird interoperability", Health())
    lists = MemoryRepository()
    instances = Instances(MemoryInterop(kept), public_base=base, publish=lists.publish, clock=clock)
    app.include_router(interop_routes(OneKey(key), instances))
    serve(app, lists, ServiceSettings(public_url=AnyHttpUrl(base), interop=True), clock)
    return app, instances


async def run(folder: Path, port: int, ready: Callable[[dict[str, object]], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is told the configuration just before.

    Raises:
        OSError: the port cannot be had, or the folder cannot be written.
        SettingsError: the certificate cannot be used.
    """
    certificate, certificate_key = self_signed(folder)
    key = _kept(folder / KEY_FILE, lambda: new_key().encode()).decode()
    kept = Secrets.from_bytes(base64.b64decode(_kept(folder / SECRETS_FILE, _new_secrets)))
    base = f"https://{HOST}:{port}"
    app, instances = build(base, key, kept, lambda: datetime.now(UTC))
    tls = server_context(Settings(tls_cert_file=certificate, tls_key_file=certificate_key))
    configure_logging("interop", "warning")
    config = uvicorn.Config(app, host=HOST, port=port, log_config=None, access_log=False, lifespan="off")
    if tls is not None:
        config.ssl_context_factory = lambda *_: tls
    server = Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    listening = socket.create_server((HOST, port))
    ready(await configuration(instances, base, key))
    await server.serve(sockets=[listening])


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What a private file holds; made at the first time."""
    if not path.is_file():
        write_private(path, make())
    return path.read_bytes().strip()


def _new_secrets() -> bytes:
    return base64.b64encode(secrets.token_bytes(len(Secrets.generate().to_bytes())))
