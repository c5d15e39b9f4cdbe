"""HTTP routes: what became of the mail about a credential, and how all of an issuer's mails stand."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.common.errors import NotFoundError
from libs.common.mongo import Document
from libs.contracts import ids
from services.notifier.deliveries.delivery import OCCASIONS
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import FailureKind, State


class LastError(BaseModel):
    """Why the last attempt failed: codes only."""

    kind: FailureKind
    code: int | None = Field(default=None, description="the server's reply code (RFC 5321)")
    enhanced: str | None = Field(default=None, description="the enhanced status code (RFC 3463)")
    at: AwareDatetime


class DeliveryView(BaseModel):
    """One mail. Neither name nor address stands in it."""

    id: UUID
    credential_id: UUID
    occasion: str
    state: State
    attempts: int
    due_at: AwareDatetime | None = Field(
        default=None, description="when it is tried next; while it is being sent, when somebody else would try"
    )
    cancel_reason: str | None = None
    last_error: LastError | None = None
    created_at: AwareDatetime
    sent_at: AwareDatetime | None = None

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read a stored delivery."""
        return cls.model_validate({**document, "id": document["_id"]})


class DeliveryList(BaseModel):
    """The mails about one credential."""

    deliveries: list[DeliveryView]


class Summary(BaseModel):
    """How many of an issuer's mails are in each state."""

    issuer_id: str
    total: int
    states: dict[State, int]
    as_of: datetime


def routes(deliveries: Deliveries, keys: ApiKeys, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
    reader = Annotated[Caller, Depends(keys.allowed("deliveries:read"))]

    @router.get("")
    async def of_credential(credential_id: UUID, caller: reader) -> DeliveryList:
        """The mails about a credential of yours."""
        wanted = [ids.delivery_id(credential_id, occasion) for occasion in OCCASIONS]
        found = await deliveries.of_issuer(caller.issuer_id, wanted)
        if not found:
            raise NotFoundError("no mail about this credential is known for your issuer")
        return DeliveryList(deliveries=[DeliveryView.of(each) for each in found])

    @router.get("/summary")
    async def summary(caller: reader) -> Summary:
        """How many of your mails are in each state."""
        states = await deliveries.counts(caller.issuer_id)
        return Summary(issuer_id=caller.issuer_id, total=sum(states.values()), states=states, as_of=clock())

    @router.get("/{delivery_id}")
    async def one(delivery_id: UUID, caller: reader) -> DeliveryView:
        """One mail of yours."""
        found = await deliveries.of_issuer(caller.issuer_id, [delivery_id])
        if not found:
            raise NotFoundError("there is no such delivery of your issuer")
        return DeliveryView.of(found[0])

    return router
