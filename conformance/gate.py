"""Who may issue here: the holder of the one API key that is made at the first start."""

import hmac
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query, Request

from libs.common.errors import UnauthenticatedError


@dataclass(frozen=True, slots=True)
class KeyGate:
    """A FastAPI dependency that lets the holder of one key pass.

    The key stands in the Authorization header, or in the URL as `access_token` (RFC 6750, sections 2.1 and 2.3): the
    suite of Bitstring Status List sends no headers of ours.
    """

    key: str = field(repr=False)

    async def admit(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            UnauthenticatedError: no key, or another one.
        """
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            scheme, sent = "bearer", request.query_params.get("access_token", "")
        matches = hmac.compare_digest(sent.strip().encode(), self.key.encode())
        if scheme.lower() != "bearer" or not matches:
            raise UnauthenticatedError("send `Authorization: Bearer bb_…` with the key that was printed at the start")

    async def __call__(
        self, request: Request, access_token: Annotated[str, Query(include_in_schema=False)] = ""
    ) -> None:
        """Let the request pass; `access_token` is declared so that it is a parameter of every call."""
        await self.admit(request)
