"""Headers of every answer: what a browser must not do with it, and that nobody keeps it unless it says so."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING_ALLOWED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": NOTHING_ALLOWED,
    "Cache-Control": "no-store",
}
_HTTPS_ONLY: Final = {"Strict-Transport-Security": "max-age=31536000"}


def security_headers(scheme: str) -> dict[str, str]:
    """Return the headers of an answer over this scheme that says nothing else itself."""
    return {**_ALWAYS, **_HTTPS_ONLY} if scheme == "https" else _ALWAYS


class SecurityHeaders:
    """ASGI middleware around everything else, errors too. What an answer says itself stays as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers(scope.get("scheme", "http")).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
