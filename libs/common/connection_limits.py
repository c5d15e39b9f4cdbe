"""What connections to a service may take; settings name it, and they are read without the server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may take.

    Attributes:
        head_bytes: request line and header fields together; also what may come between two pieces of a body.
        head_fields: number of header fields.
        head_seconds: until a header has ended, from the connection's start or the request's first byte; for a TLS
            handshake too.
        idle_seconds: between two requests.
        write_seconds: for a client that does not read what it asked for.
        connections: in all.
        per_address: from one address (an IPv6 network of 64 bits).
        pipelined: requests that were sent before the one before them was answered.
        proxies: whose connections are those of many clients and count towards `connections` alone.
    """

    head_bytes: int = 32 * 1024
    head_fields: int = 100
    head_seconds: float = 10
    idle_seconds: float = 30
    write_seconds: float = 60
    connections: int = 1000
    per_address: int = 100
    pipelined: int = 16
    proxies: tuple[str, ...] = ()
