"""Logs (structlog, JSON on stdout) and the trace context that ties HTTP calls to Kafka records.

A log line is one unit of work, rich in fields. Nothing personal is ever a field. OpenTelemetry's API would bring
its SDK with it: the API alone passes a trace context on and makes neither traces nor spans (tested with 1.45).
"""

import logging
import re
import secrets
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from libs.common.log_output import LimitedLines, LogOutput

_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def configure_logging(service: str, level: str) -> None:
    """One JSON object per line on stdout, from us and, up to a number of lines a minute, from the libraries alike."""
    output = LogOutput()
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, output)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(output)
    handler.addFilter(LimitedLines())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Libraries log from warning on: logging their details costs more than the work itself.
    logging.basicConfig(handlers=[handler], level=max(numeric, logging.WARNING), force=True)


def get_logger() -> FilteringBoundLogger:
    """Return the logger of this process."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def new_trace() -> str:
    """Return a fresh W3C `traceparent` (Trace Context, section 3.2)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def continue_trace(traceparent: str | None) -> str:
    """Return the same trace with a span of our own, or a fresh trace where what came is none."""
    if traceparent is None or not _TRACEPARENT.match(traceparent):
        return new_trace()
    version, trace, _span, flags = traceparent.split("-")
    return f"{version}-{trace}-{secrets.token_hex(8)}-{flags}"


def trace_id(traceparent: str) -> str:
    """Return the part of a `traceparent` that all spans of a trace share."""
    return traceparent[3:35]
