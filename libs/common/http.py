"""The HTTP edge, the same for every service: problem documents, trace, one log line and metrics per request."""

from time import monotonic

import orjson
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import metrics
from libs.common.errors import BowerbirdError, InvalidRequestError, NotFoundError, UnavailableError
from libs.common.health import Health
from libs.common.telemetry import continue_trace, get_logger, trace_id

_PROBLEM_BASE = "urn:bowerbird:problem:"
_QUIET_ROUTES = frozenset({"/metrics", "/health/live", "/health/ready"})


def create_app(title: str, health: Health) -> FastAPI:
    """An application with health, metrics and errors in place; the service adds its own routes."""
    app = FastAPI(title=title, openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.add_middleware(RequestTelemetry)
    app.add_exception_handler(BowerbirdError, _on_foreseen)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(PyMongoError, _on_away)
    app.add_exception_handler(KafkaError, _on_away)
    app.add_exception_handler(Exception, _on_defect)

    @app.get("/health/live", include_in_schema=False)
    async def live() -> Response:
        return _health_answer(health.live())

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> Response:
        return _health_answer(await health.ready())

    @app.get("/metrics", include_in_schema=False)
    async def expose() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def request_trace(request: Request) -> str:
    """The `traceparent` of the request in hand, to be carried on by the events that it causes."""
    trace: str = request.scope["bowerbird.trace"]
    return trace


def problem(error: BowerbirdError, instance: str) -> Response:
    """An RFC 9457 problem document."""
    body: dict[str, object] = {
        "type": _PROBLEM_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "instance": instance,
    }
    if isinstance(error, InvalidRequestError) and error.errors:
        body["errors"] = error.errors
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 503:
        headers["Retry-After"] = "5"
    return Response(orjson.dumps(body), error.status, headers, media_type="application/problem+json")


async def _on_foreseen(request: Request, error: Exception) -> Response:
    assert isinstance(error, BowerbirdError)  # noqa: S101  # registered for nothing else
    return problem(error, request.url.path)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    errors = [{"field": ".".join(str(part) for part in e["loc"]), "reason": e["msg"]} for e in error.errors()]
    return problem(InvalidRequestError("some parts of the request are not valid", errors), request.url.path)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if error.status_code == 404:
        return problem(NotFoundError("no such address"), request.url.path)
    foreseen = BowerbirdError(str(error.detail))
    foreseen.status, foreseen.code, foreseen.title = error.status_code, "http", str(error.detail)
    return problem(foreseen, request.url.path)


async def _on_away(request: Request, error: Exception) -> Response:
    get_logger().warning("dependency away", problem=type(error).__name__, trace=trace_id(request_trace(request)))
    return problem(UnavailableError("what this needs is away; nothing was acknowledged, try again"), request.url.path)


async def _on_defect(request: Request, error: Exception) -> Response:
    # Starlette raises it again after this answer, so that it stands in the log with where it came from.
    return problem(BowerbirdError("this is our fault and is logged; trying again may help"), request.url.path)


def _health_answer(problems: dict[str, str]) -> Response:
    body = {"status": "fail" if problems else "pass", "problems": problems}
    return Response(orjson.dumps(body), 503 if problems else 200, media_type="application/health+json")


class RequestTelemetry:
    """ASGI middleware: a trace for each request, its one log line and its metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = monotonic()
        headers = dict(scope["headers"])
        trace = continue_trace(headers.get(b"traceparent", b"").decode("latin-1"))
        scope["bowerbird.trace"] = trace
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"traceparent", trace.encode()))
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._account(scope, trace, status, monotonic() - started)

    @staticmethod
    def _account(scope: Scope, trace: str, status: int, seconds: float) -> None:
        # The template, never the path: labels stay bounded, and no id stands in a log by accident.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in {"GET", "POST", "PUT", "DELETE", "HEAD"} else "OTHER"
        metrics.HTTP_REQUESTS.labels(route, method, str(status)).inc()
        metrics.HTTP_SECONDS.labels(route, method).observe(seconds)
        if route not in _QUIET_ROUTES:
            level = "error" if status >= 500 else "info"
            getattr(get_logger(), level)(
                "request", route=route, method=method, status=status, seconds=round(seconds, 4), trace=trace_id(trace)
            )
