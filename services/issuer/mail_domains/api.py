"""The HTTP routes of the domains that an issuer's mail may go to."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from libs.access.api_keys import ALL_ISSUERS, ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ForbiddenError, NotFoundError
from libs.common.fields import Domain, Sentence
from libs.common.http import request_trace
from libs.common.problems import documented
from services.issuer.mail_domains.setting import MailDomains

IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]


class MailDomainsView(BaseModel):
    """Where mail about an issuer's credentials may go. Each domain stands for those below it too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domains: Annotated[list[Domain], Field(max_length=100)] = Field(
        description="the domains of addresses that are told; an empty list allows every domain",
        examples=[["students.wattlegrove.example"]],
    )


class MailDomainsRequest(MailDomainsView):
    """Where mail about an issuer's credentials may go from now on."""

    reason: Sentence | None = Field(
        default=None,
        description="why, in your own words: it stands in the audit log, for good; name no one",
        examples=["The school has moved its mail"],
    )


def mail_domain_routes(keys: ApiKeys, mail_domains: MailDomains) -> APIRouter:
    """GET and PUT /v1/issuers/{id}/mail-domains."""
    router = APIRouter(prefix="/v1/issuers/{issuer_id}/mail-domains", tags=["issuers"])

    @router.get("", responses=documented(NotFoundError))
    async def read_mail_domains(
        issuer_id: IssuerId, caller: Annotated[Caller, Depends(keys.allowed(Scope.PROFILE_WRITE))]
    ) -> MailDomainsView:
        """The domains that mail about your credentials may go to."""
        caller.must_be(issuer_id)
        return MailDomainsView(domains=list(await mail_domains.of_issuer(issuer_id)))

    @router.put("", responses=documented(NotFoundError))
    async def set_mail_domains(
        request: Request,
        issuer_id: IssuerId,
        asked: MailDomainsRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.ISSUERS_WRITE))],
    ) -> MailDomainsView:
        """Set the domains that mail about an issuer's credentials may go to; the administrator's key may.

        A mail to another domain is not sent and says `refused_domain`; it goes once its domain is allowed.
        """
        if caller.issuer_id != ALL_ISSUERS:
            raise ForbiddenError("only the administrator's key may say where an issuer's mail may go")
        trace = request_trace(request)
        domains = await mail_domains.set(issuer_id, asked.domains, cause_of(request), trace, asked.reason)
        return MailDomainsView(domains=list(domains))

    return router
