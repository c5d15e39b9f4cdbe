"""Headers of everything public: what a browser may do with it, who may read it, how long it may be kept."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.response_headers import NOTHING_ALLOWED

PUBLIC_PATHS = (
    "/badges/",
    "/achievements/",
    "/issuers/",
    # The authority's DID document: the latter where the public URL has a path.
    "/.well-known/did.json",
    "/did.json",
    "/status/",
    "/schemas/",
    "/v1/verify",
    "/credentials/verify",
    "/presentations/verify",
)

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Content-Type, traceparent",
    "Access-Control-Max-Age": "86400",
}
_ALWAYS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
# What may be earned is for everybody to find; of learners' badges search engines need not make a list: who has the
# address may look.
_FOUND = "/achievements/"


class PublicHeaders:
    """ASGI middleware: the headers of every public answer, errors too, and the answer to a CORS preflight."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PUBLIC_PATHS):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith(_FOUND):
                    headers.setdefault("X-Robots-Tag", "noindex")
                if message["status"] >= 400:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        if scope["method"] == "OPTIONS":
            raw = [(name.lower().encode(), value.encode()) for name, value in _PREFLIGHT.items()]
            await with_headers({"type": "http.response.start", "status": 204, "headers": raw})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, with_headers)


def page_policy(style_sha256: str, *, form: bool = False) -> str:
    """The Content-Security-Policy of a page: its own style, pictures of ours, nothing else; forms sent to us."""
    others = NOTHING_ALLOWED.replace("form-action 'none'", "form-action 'self'") if form else NOTHING_ALLOWED
    return f"{others}; img-src 'self'; style-src 'sha256-{style_sha256}'"
