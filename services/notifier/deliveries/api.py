"""HTTP routes: what became of the mail about a credential, and how all of an issuer's mails stand."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.common.errors import NotFoundError
from libs.common.mongo import Document
from libs.common.problems import documented
from libs.contracts.ids import Ids
from services.notifier.channels.failure import FailureKind
from services.notifier.deliveries.delivery import OCCASIONS
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.schedule import State


class LastError(BaseModel):
    """Why the last attempt failed: codes only."""

    kind: FailureKind = Field(examples=["temporary"])
    code: int | None = Field(default=None, description="the server's reply code (RFC 5321)", examples=[451])
    enhanced: str | None = Field(default=None, description="the enhanced status code (RFC 3463)", examples=["4.7.1"])
    at: AwareDatetime = Field(description="when it failed")


class DeliveryView(BaseModel):
    """One mail, without the learner's name and e-mail address."""

    id: UUID
    credential_id: UUID
    occasion: str = Field(description="what the mail tells", examples=["issued"])
    state: State = Field(examples=["sent"])
    attempts: int = Field(ge=0, description="how often it was handed to a mail server", examples=[1])
    due_at: AwareDatetime | None = Field(
        default=None, description="when it is tried next; while it is being sent, when somebody else would try"
    )
    cancel_reason: str | None = Field(default=None, description="a stable code: why it is not sent any more")
    last_error: LastError | None = None
    created_at: AwareDatetime
    sent_at: AwareDatetime | None = Field(default=None, description="when a mail server took it")

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read a stored delivery."""
        return cls.model_validate({**document, "id": document["_id"]})


class DeliveryList(BaseModel):
    """The mails about one credential."""

    deliveries: list[DeliveryView]


class Summary(BaseModel):
    """How many of an issuer's mails are in each state."""

    issuer_id: str = Field(examples=["wattle-grove"])
    total: int = Field(ge=0, examples=[3])
    states: dict[State, int] = Field(description="mails by state, every state listed")
    as_of: AwareDatetime = Field(description="the moment that the numbers speak of")


def routes(deliveries: Deliveries, keys: ApiKeys, ids: Ids, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
    reader = Annotated[Caller, Depends(keys.allowed("deliveries:read"))]

    @router.get("", responses=documented(NotFoundError))
    async def list_deliveries(
        credential_id: Annotated[UUID, Query(description="the credential that the mails are about")], caller: reader
    ) -> DeliveryList:
        """The mails about a credential of yours."""
        wanted = [ids.delivery_id(credential_id, occasion) for occasion in OCCASIONS]
        found = await deliveries.of_issuer(caller.issuer_id, wanted)
        if not found:
            raise NotFoundError("no mail about this credential is known for your issuer")
        return DeliveryList(deliveries=[DeliveryView.of(each) for each in found])

    @router.get("/summary")
    async def summarise_deliveries(caller: reader) -> Summary:
        """How many of your mails are in each state."""
        states = await deliveries.counts(caller.issuer_id)
        return Summary(issuer_id=caller.issuer_id, total=sum(states.values()), states=states, as_of=clock())

    @router.get("/{delivery_id}", responses=documented(NotFoundError))
    async def read_delivery(delivery_id: UUID, caller: reader) -> DeliveryView:
        """One mail of yours."""
        found = await deliveries.of_issuer(caller.issuer_id, [delivery_id])
        if not found:
            raise NotFoundError("there is no such delivery of your issuer")
        return DeliveryView.of(found[0])

    return router
