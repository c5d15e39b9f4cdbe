"""HTTP routes: what became of the mail about a credential, and how all of an issuer's mails stand."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ConflictError, NotFoundError
from libs.common.problems import documented
from libs.contracts.ids import Ids
from services.notifier.deliveries.delivery import LastError, StoredDelivery
from services.notifier.deliveries.repository import Deliveries
from services.notifier.deliveries.resending import Recipient, Resending
from services.notifier.deliveries.schedule import State
from services.notifier.occasion import Occasion


class RecipientView(BaseModel):
    """Where a mail goes, without the address itself."""

    masked: str | None = Field(
        description="the learner's address now, but for its first character and its domain", examples=["m…@oak.example"]
    )
    last_went_there: bool | None = Field(
        default=None, description="whether the last attempt went to this address; none where there was none"
    )


class DeliveryView(BaseModel):
    """One mail, without the learner's name and e-mail address."""

    id: UUID
    credential_id: UUID
    occasion: str = Field(description="what the mail tells", examples=["issued"])
    state: State = Field(examples=["sent"])
    attempts: int = Field(ge=0, description="how often it was handed to a mail server", examples=[1])
    sent_again: int = Field(ge=0, description="how often somebody asked for it to be sent again", examples=[0])
    recipient: RecipientView
    due_at: AwareDatetime | None = Field(
        default=None,
        description="when it is tried next; while it is being sent, when somebody else would try; none while it waits "
        "for the mailbox, which gets so many mails a day from all issuers together",
    )
    held_until: AwareDatetime | None = Field(
        default=None, description="until when a limit on mails of its issuer, in all or to one address, holds it back"
    )
    cancel_reason: str | None = Field(default=None, description="a stable code: why it is not sent any more")
    last_error: LastError | None = None
    created_at: AwareDatetime
    sent_at: AwareDatetime | None = Field(default=None, description="when a mail server took it")

    @classmethod
    def of(cls, stored: StoredDelivery, recipient: Recipient) -> Self:
        """Show a stored delivery."""
        return cls(
            id=stored.id,
            credential_id=stored.credential_id,
            occasion=stored.occasion,
            state=stored.state,
            attempts=stored.attempts,
            sent_again=stored.sending,
            recipient=RecipientView(masked=recipient.masked, last_went_there=recipient.last_went_there),
            due_at=stored.told_due_at,
            held_until=stored.held_until,
            cancel_reason=stored.cancel_reason,
            last_error=stored.last_error,
            created_at=stored.created_at,
            sent_at=stored.sent_at,
        )


class DeliveryList(BaseModel):
    """The mails about one credential."""

    deliveries: list[DeliveryView]


class Summary(BaseModel):
    """How many of an issuer's mails are in each state."""

    issuer_id: str = Field(examples=["wattle-grove"])
    total: int = Field(ge=0, examples=[3])
    states: dict[State, int] = Field(description="mails by state, every state listed")
    as_of: AwareDatetime = Field(description="the moment that the numbers speak of")


def routes(
    deliveries: Deliveries, resending: Resending, keys: ApiKeys, ids: Ids, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
    reader = Annotated[Caller, Depends(keys.reading(Scope.DELIVERIES_READ))]

    @router.get("", responses=documented(NotFoundError))
    async def list_deliveries(
        credential_id: Annotated[UUID, Query(description="the credential that the mails are about")], caller: reader
    ) -> DeliveryList:
        """The mails about a credential of yours."""
        wanted = [ids.delivery_id(credential_id, occasion) for occasion in Occasion]
        found = await deliveries.of_issuer(caller.issuer_id, wanted)
        if not found:
            raise await deliveries.not_found(caller.issuer_id, wanted, "no mail about the credential")
        recipients = await resending.recipients(found, caller)
        return DeliveryList(deliveries=[DeliveryView.of(each, recipients[each.id]) for each in found])

    @router.get("/summary", responses=documented(NotFoundError))
    async def summarise_deliveries(caller: reader) -> Summary:
        """How many of your mails are in each state."""
        states = await deliveries.counts(caller.issuer_id)
        return Summary(issuer_id=caller.issuer_id, total=sum(states.values()), states=states, as_of=clock())

    @router.get("/{delivery_id}", responses=documented(NotFoundError))
    async def read_delivery(delivery_id: UUID, caller: reader) -> DeliveryView:
        """One mail of yours."""
        found = await resending.own(delivery_id, caller)
        recipients = await resending.recipients([found], caller)
        return DeliveryView.of(found, recipients[delivery_id])

    @router.post("/{delivery_id}/send-again", responses=documented(NotFoundError, ConflictError))
    async def send_delivery_again(
        request: Request, delivery_id: UUID, caller: Annotated[Caller, Depends(keys.allowed(Scope.DELIVERIES_SEND))]
    ) -> DeliveryView:
        """Send a mail of yours once more, to the address that its learner has now.

        One that is still to be sent is not sent twice, so asking again changes nothing. A mail can be sent again ten
        minutes after its last attempt ended, five times at most.
        """
        sent = await resending.send_again(delivery_id, caller, cause_of(request))
        recipients = await resending.recipients([sent], caller)
        return DeliveryView.of(sent, recipients[sent.id])

    return router
