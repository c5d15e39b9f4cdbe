"""The audit logs as operators' commands write in them: who runs a command, and on which machine."""

import getpass
import os
import socket
import sys

import structlog

from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.mongo import Database
from libs.common.telemetry import new_trace, trace_id
from libs.contracts.rights import AUDIT


def operators_log(database: Database, collection: str = AUDIT) -> AuditLog:
    """Return the audit log of a service, for a command: its lines go to stderr, since stdout is the command's answer.

    Args:
        database: that of the service.
        collection: where the log stands; another name only while it is being restored.
    """
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    return AuditLog(database, collection)


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
