"""The audit logs as operators' commands write in them: who runs a command, and on which machine."""

import getpass
import os
import socket
import sys

import structlog

from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.mongo import Collection, Database
from libs.common.telemetry import new_trace, trace_id


def operators_log(database: Database, restoring: Collection | None = None) -> AuditLog:
    """Return the audit log of a service, for a command: its lines go to stderr, since stdout is the command's answer.

    Args:
        database: that of the service.
        restoring: the collection that will become the log; None where it is not being restored.
    """
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    return AuditLog(database, restoring=restoring)


def operators_cause(trace: str | None = None) -> Cause:
    """Return by whom and where this command is run.

    Args:
        trace: the `traceparent` of what the command publishes; None where it publishes nothing.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"  # a container's user has a number, and often no name
    return Cause(f"operator:{user}", trace_id(trace or new_trace()), client=socket.gethostname())
