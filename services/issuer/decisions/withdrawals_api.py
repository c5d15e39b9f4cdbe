"""The HTTP route by which evidence is withdrawn."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ForbiddenError, NotFoundError
from libs.common.http import request_trace
from libs.common.problems import documented
from libs.contracts.events import Outcome
from libs.contracts.ids import LAST_ROW
from libs.contracts.reasons import WithdrawalReason
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.api import IssuerId
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.withdrawals import SourceId, Withdrawals

MOST_PIECES = 100
"""So many pieces of evidence are withdrawn by one call, at most."""


class EvidenceName(BaseModel):
    """A piece of evidence: by its batch and row, or by the source id that it was sent with."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "if": {"required": ["source_id"], "properties": {"source_id": {"type": "string"}}},
            "then": {"properties": {"batch_id": {"type": "null"}, "row": {"type": "null"}}},
            "else": {
                "required": ["batch_id", "row"],
                "properties": {"batch_id": {"type": "string"}, "row": {"type": "integer"}},
            },
            "examples": [{"source": "sis", "source_id": "w3-1042"}],
        },
    )

    batch_id: UUID | None = None
    row: Annotated[int, Field(ge=1, le=LAST_ROW)] | None = None
    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = Field(
        default="upload", description="the system that the source id comes from, as when it was sent"
    )
    source_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        by_row = self.batch_id is not None and self.row is not None
        if by_row == (self.source_id is not None) or (self.batch_id is None) != (self.row is None):
            raise ValueError("give batch_id and row, or source_id")
        return self

    @property
    def name(self) -> PieceId | SourceId:
        """Return what names it."""
        if self.batch_id is not None and self.row is not None:
            return PieceId(self.batch_id, self.row)
        assert self.source_id is not None  # noqa: S101  # what the validator holds
        return SourceId(self.source, self.source_id)


class WithdrawalRequest(BaseModel):
    """Evidence to be withdrawn, and why: a code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evidence: Annotated[list[EvidenceName], Field(min_length=1, max_length=MOST_PIECES)]
    reason: WithdrawalReason = Field(
        description="the codes stand in docs/reference/revocation.md", examples=["corrected"]
    )


class WithdrawnAnswer(BaseModel):
    """A piece of evidence, and what followed from its withdrawal."""

    batch_id: UUID
    row: int = Field(description="the row that counted, of evidence that was sent several times", examples=[17])
    source: str
    source_id: str
    withdrawn: bool = Field(description="false where it is asked for and not applied yet")
    reason: WithdrawalReason | None = Field(description="why, as it was withdrawn first")
    revoked: list[UUID] = Field(description="the badges that rested on it and are revoked")
    awarded: list[UUID] = Field(description="the badges that its learner has earned without it, and has instead")


class WithdrawalAnswer(BaseModel):
    """What became of the evidence, each piece once."""

    evidence: list[WithdrawnAnswer]


def withdrawal_routes(keys: ApiKeys, withdrawals: Withdrawals) -> APIRouter:
    """POST /v1/issuers/{id}/withdrawals."""
    router = APIRouter(tags=["decisions"])
    later = {"model": WithdrawalAnswer, "description": "Asked for and not all of it applied yet; ask again."}

    @router.post(
        "/v1/issuers/{issuer_id}/withdrawals",
        responses={202: later, **documented(ForbiddenError, NotFoundError)},
    )
    async def withdraw_evidence(
        issuer_id: IssuerId,
        request: Request,
        response: Response,
        asked: WithdrawalRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.EVIDENCE_WRITE))],
    ) -> WithdrawalAnswer:
        """Take evidence back: it counts no more, and what rests on it is decided again. To do so again changes nothing.

        A badge that is no longer earned is revoked, and its learner is told if told of the award; what is still earned
        at a lower level, or by other evidence, is awarded instead. What is right can be sent under the same source id.
        The key must hold `credentials:revoke` too.
        """
        caller.must_be(issuer_id)
        if Scope.CREDENTIALS_REVOKE not in caller.scopes:
            raise ForbiddenError("evidence is withdrawn by a key that may revoke, with the scope credentials:revoke")
        names = list(dict.fromkeys(each.name for each in asked.evidence))
        cause, trace = cause_of(request), request_trace(request)
        newest = await withdrawals.withdraw(issuer_id, names, asked.reason, cause=cause, trace=trace)
        answer = WithdrawalAnswer(evidence=[_answer(each) for each in newest])
        response.status_code = 200 if all(each.withdrawn for each in answer.evidence) else 202
        return answer

    return router


def _answer(decision: Decision) -> WithdrawnAnswer:
    evidence = decision.evidence
    withdrawn = decision.outcome is Outcome.WITHDRAWN
    return WithdrawnAnswer(
        batch_id=evidence.batch_id,
        row=evidence.row,
        source=evidence.source,
        source_id=evidence.source_id,
        withdrawn=withdrawn,
        reason=WithdrawalReason.read(decision.reason) if withdrawn and decision.reason is not None else None,
        revoked=list(decision.revoked) if withdrawn else [],
        awarded=decision.issued_ids if withdrawn else [],
    )
