"""HTTP routes: erasing the names and addresses that an issuer has given of its learners."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.http import request_trace
from libs.contracts.ids import Ids
from services.notifier.contacts.erasing import Erasing

_LearnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Learners(BaseModel, extra="forbid"):
    """Whose names and addresses are to be erased."""

    learner_ids: list[_LearnerId] = Field(
        min_length=1,
        max_length=500,
        description="as they stand in the column learner_id of your evidence",
        examples=[["S-2041"]],
    )


class Erasure(BaseModel):
    """What is erased."""

    erased: int = Field(ge=0, description="of how many of them there was a name or an address", examples=[1])
    erased_at: AwareDatetime = Field(description="what was given up to this moment is deleted, within seconds")


def contact_routes(erasing: Erasing, keys: ApiKeys, ids: Ids) -> APIRouter:
    """Return the call that erases contacts."""
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"])

    @router.post("/erase", status_code=202)
    async def erase_contacts(
        request: Request, asked: Learners, caller: Annotated[Caller, Depends(keys.allowed(Scope.CONTACTS_ERASE))]
    ) -> Erasure:
        """Erase the names and addresses of learners of yours, and cancel the mails to them that are not sent.

        Badges hold neither, and stay as they are: revoke them, or take them down, where they should not. An address
        that you send later is taken again. Of a learner without a contact nothing is done, so asking again is safe.
        Where what was sent a moment ago is still being read, the answer is 503: ask again. A row that was refused is
        kept as it was sent for 30 days, with the name in it, unless the operator has set another time. That somebody
        was erased is kept, by an id.
        """
        learners = {ids.learner_id(caller.issuer_id, each) for each in asked.learner_ids}
        erased, at = await erasing.erase(learners, caller.issuer_id, cause_of(request), request_trace(request))
        return Erasure(erased=erased, erased_at=at)

    return router
