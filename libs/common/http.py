"""The HTTP edge, the same for every service: problem documents, trace, one log line and metrics per request."""

from time import monotonic
from typing import Any, Literal

from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import metrics
from libs.common.body_limits import LimitedBodies, UnreadBodyError
from libs.common.clock import ClockError
from libs.common.docs import add_docs
from libs.common.errors import (
    ERRORS,
    BowerbirdError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
    UnsupportedMediaError,
)
from libs.common.health import Health
from libs.common.media_types import JSON, is_json
from libs.common.openapi import OPERATIONS_TAG, described_app
from libs.common.problems import problem_response
from libs.common.rate_limits import RateLimited, RateLimits, Rates
from libs.common.response_headers import SecurityHeaders
from libs.common.telemetry import continue_trace, get_logger, trace_id
from libs.common.validation import MOST_NAMED, field_errors

ON_REFUSAL = "on_refusal"
"""The attribute of the application's state that is awaited with a request and the error by which it is refused."""
LOGGED = "bowerbird.logged"
"""Where the scope of a request holds further fields of its log line."""

_QUIET_ROUTES = frozenset({"/health/live", "/health/ready"})
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
# What every route may answer, and nobody should meet.
_FAILURES = ("500", "503")
_HEALTH_TYPE = "application/health+json"


class HealthAnswer(BaseModel):
    """The health of a process."""

    status: Literal["pass", "fail"]
    problems: dict[str, str] = Field(description="what is wrong, by the name of the part", examples=[{}])
    longest_stall_seconds: float = Field(
        default=0,
        description="the longest time in the last minute for which nothing else was answered",
        examples=[0.004],
    )


_HEALTH_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All is well."},
    503: {"model": HealthAnswer, "description": "Something is wrong; `problems` names it."},
}


class HealthResponse(JSONResponse):
    """A response of the media type that health checks have."""

    media_type = _HEALTH_TYPE


def create_app(title: str, health: Health, rates: Rates | None = None, *, docs: bool = True) -> FastAPI:
    """Return an application with health and errors in place; the service adds its own routes.

    Args:
        title: the name in its OpenAPI document.
        health: what its health comes from.
        rates: how many requests are answered; without limits, unless told otherwise.
        docs: whether it serves its OpenAPI document at /openapi.json and a page to read and try it at /docs.
    """
    app = described_app(title, served=docs)
    app.add_middleware(LimitedBodies)
    app.add_middleware(RateLimited, RateLimits(rates or Rates()))
    app.add_middleware(RequestTelemetry)
    app.add_exception_handler(BowerbirdError, _on_foreseen)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_cut_off)
    app.add_exception_handler(PyMongoError, _on_unavailable)
    app.add_exception_handler(KafkaError, _on_unavailable)
    app.add_exception_handler(ClockError, _on_unavailable)
    app.add_exception_handler(Exception, _on_defect)
    if docs:
        add_docs(app)
    described: dict[str, Any] = {"tags": [OPERATIONS_TAG], "response_class": HealthResponse}

    @app.get("/health/live", response_model=HealthAnswer, responses=_HEALTH_RESPONSES, **described)
    async def read_liveness() -> Response:
        """Whether the process lives; restart it otherwise."""
        return _health_answer(health.live(), health)

    @app.get("/health/ready", response_model=HealthAnswer, responses=_HEALTH_RESPONSES, **described)
    async def read_readiness() -> Response:
        """Whether the process can serve: it lives, and what it depends on answers."""
        return _health_answer(await health.ready(), health)

    return app


def start_counting(app: FastAPI) -> None:
    """Let the counters of requests begin at zero for every route that the application has by now, and what fails."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path not in _QUIET_ROUTES:
            metrics.from_zero(metrics.HTTP_REQUESTS, [route.path], route.methods or (), _FAILURES)


def metrics_app() -> ASGIApp:
    """Return what is served on the port of metrics alone: GET /metrics in the text format of Prometheus."""

    def read_metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(routes=[Route("/metrics", read_metrics)])
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return SecurityHeaders(app)


def request_trace(request: Request) -> str:
    """Return the `traceparent` of the request, to be carried on by the events that it causes."""
    trace: str = request.scope["bowerbird.trace"]
    return trace


async def _note_refusal(request: Request, error: BowerbirdError) -> None:
    """Let the audit log know of a refusal of access, before it is answered."""
    record = getattr(request.app.state, ON_REFUSAL, None)
    if error.is_refusal and record is not None:
        await record(request, error)


async def _on_foreseen(request: Request, error: Exception) -> Response:
    assert isinstance(error, BowerbirdError)  # noqa: S101  # registered for nothing else
    await _note_refusal(request, error)
    return problem_response(error, request.url.path)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    whole_body = any(each["loc"] == ("body",) and each["type"] != "missing" for each in error.errors())
    if whole_body and not is_json(request.headers.get("content-type", "")):
        wrong: BowerbirdError = UnsupportedMediaError.of((JSON,))
    else:
        body = getattr(request.scope.get("route"), "body_field", None)
        annotation = None if body is None else body.field_info.annotation
        found = error.errors()
        which = f"; the first {MOST_NAMED} of {len(found)} are named" if len(found) > MOST_NAMED else ""
        wrong = InvalidRequestError(f"parts of the request are not valid{which}", field_errors(found, annotation))
    return problem_response(wrong, request.url.path)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if isinstance(error, UnreadBodyError):
        raise error.error  # for the handler of its own kind
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_here(request))
    if error.status_code == 404:
        return problem_response(NotFoundError("there is no such path here"), request.url.path, headers)
    kind = next((each for each in ERRORS if each.status == error.status_code), None)
    foreseen = BowerbirdError(str(error.detail))
    foreseen.status = error.status_code
    foreseen.code = "http" if kind is None else kind.code
    foreseen.title = str(error.detail) if kind is None else kind.title
    return problem_response(foreseen, request.url.path, headers)


def _methods_here(request: Request) -> list[str]:
    """Return the methods that this path has; the router names only those of the first route that has the path."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


async def _on_cut_off(request: Request, error: Exception) -> Response:
    # Nobody reads this answer. It says whose doing it was: as an error of ours, anybody could raise its alarm.
    return problem_response(InvalidRequestError("the connection ended before the body did"), request.url.path)


async def _on_unavailable(request: Request, error: Exception) -> Response:
    trace = trace_id(request_trace(request))
    get_logger().warning("dependency unavailable", problem=type(error).__name__, trace=trace)
    unavailable = UnavailableError("something that this needs is unavailable; nothing was acknowledged, try again")
    return problem_response(unavailable, request.url.path)


async def _on_defect(request: Request, error: Exception) -> Response:
    # Starlette raises it again after this answer, so that it stands in the log with where it came from.
    defect = BowerbirdError("this is an error of ours and is logged; trying again may help")
    return problem_response(defect, request.url.path)


def _health_answer(problems: dict[str, str], health: Health) -> Response:
    answer = HealthAnswer(
        status="fail" if problems else "pass",
        problems=problems,
        longest_stall_seconds=round(health.stalls.longest(), 4),
    )
    return HealthResponse(answer.model_dump(), 503 if problems else 200)


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
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        if route in _QUIET_ROUTES:
            return  # asked by machines all the time, and not ready is no error: they would drown what callers meet
        metrics.HTTP_REQUESTS.labels(route, method, str(status)).inc()
        metrics.HTTP_SECONDS.labels(route, method).observe(seconds)
        level = "error" if status >= 500 else "info"
        getattr(get_logger(), level)(
            "request",
            route=route,
            method=method,
            status=status,
            seconds=round(seconds, 4),
            trace=trace_id(trace),
            **scope.get(LOGGED, {}),
        )
