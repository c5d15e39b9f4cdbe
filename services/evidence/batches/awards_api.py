"""The HTTP call that awards badges by hand: the evidence goes the way of all evidence, with who awards, and why."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.audit.entry import Action, AuditWriter, Entry
from libs.common.body_limits import streamed_body
from libs.common.departures import watched
from libs.common.errors import FieldProblem, InvalidRequestError
from libs.common.http import request_trace
from libs.common.media_types import JSON, check_media_type, essence, is_json
from libs.contracts.events import ByHand
from libs.contracts.reasons import AwardReason
from services.evidence.batches.api import ACCEPTED, CONTENT_ENCODING, SOURCE_PATTERN, is_gzip
from services.evidence.batches.batch import Upload
from services.evidence.batches.body import Limits, plain_blocks
from services.evidence.batches.closed_organisations import ClosedOrganisations
from services.evidence.batches.ingestion import Intake
from services.evidence.batches.one_piece import OnePiece, good_fields, nothing
from services.evidence.batches.quotas import Quotas
from services.evidence.batches.views import BatchView
from services.evidence.sources.forms import NDJSON, STREAMED
from services.evidence.sources.schema import evidence_schema

_Reason = Annotated[AwardReason, Query(description="the codes stand in docs/reference/revocation.md")]
_Source = Annotated[
    str,
    Query(
        pattern=SOURCE_PATTERN,
        description="the sender's system that the source ids come from",
        examples=["registry"],
    ),
]
_Supersedes = Annotated[
    UUID | None,
    Query(
        description="one award alone: the id of a badge of yours, of the same learner, in whose place it is awarded;"
        " that one is revoked as `superseded` with it, and only with it",
        examples=["0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"],
    ),
]
_IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="1 to 200 visible ASCII characters: the same awards sent again under it are the same batch",
        examples=["appeal-2026-17"],
    ),
]
_ONE_ALONE = "One award alone, sent as JSON, can take the place of a badge: a file of awards cannot."
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One award as a JSON object, or a file of them, NDJSON with one such object per line.",
        "content": {
            JSON: {"schema": evidence_schema()},
            NDJSON: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def award_routes(
    intake: Intake,
    keys: ApiKeys,
    audit: AuditWriter,
    limits: Limits,
    *,
    longest_row: int,
    quotas: Quotas,
    closed: ClosedOrganisations,
) -> APIRouter:
    """POST /v1/awards. `longest_row` is in bytes."""
    router = APIRouter(prefix="/v1", tags=["evidence"])

    @router.post(
        "/awards",
        status_code=202,
        responses=ACCEPTED,
        openapi_extra=_BODY,
        dependencies=[streamed_body(limits.sent_bytes)],
    )
    async def award_by_hand(
        request: Request,
        response: Response,
        *,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.CREDENTIALS_AWARD))],
        reason: _Reason,
        idempotency_key: _IdempotencyKey,
        source: _Source = "by-hand",
        supersedes: _Supersedes = None,
        content_encoding: CONTENT_ENCODING = None,
    ) -> BatchView:
        """Award badges by hand, each with its evidence; they become a batch, whose rows say what came of them.

        A rule that counts several pieces of evidence together, or asks for other badges, is not asked. The level or
        score must be one that the achievement gives: what it asks for at least stays. Such evidence counts with no
        other; withdraw it to take the award back. Who awarded, and why, stands in the audit log before anything is.

        One award can take the place of a badge that was wrong (`supersedes`): both change at once or neither does, each
        names the other, and the learner has one mail. Where it earns nothing, the row says why, and the badge stays.
        """
        await closed.require_open(caller.issuer_id)
        media_type = request.headers.get("content-type", "")
        check_media_type(media_type, (JSON, NDJSON))
        if supersedes is not None and not is_json(media_type):
            raise InvalidRequestError(_ONE_ALONE, [FieldProblem(field="supersedes", reason=_ONE_ALONE)])
        cause = cause_of(request)
        # No key of a sender holds a space: evidence under the same key is another batch.
        key = f"award {idempotency_key}"
        upload = Upload(
            caller.issuer_id,
            source,
            "json" if is_json(media_type) else "ndjson",
            request_trace(request),
            key,
            ByHand(reason=reason, awarded_by=cause.principal, supersedes=supersedes),
        )
        batch_id = intake.ids.batch_id(caller.issuer_id, key)
        details = {} if supersedes is None else {"supersedes": str(supersedes)}
        asked = Entry(Action.AWARDED_BY_HAND, cause, (caller.issuer_id,), f"batch {batch_id}", reason.value, details)
        gzipped, charge = is_gzip(content_encoding), partial(quotas.take, caller, "rows")
        if upload.format == "json":
            one = plain_blocks(quotas.counted(caller, request.stream()), limits.of_bytes(longest_row), gzipped=gzipped)
            body, today = b"".join([block async for block in one]), intake.clock().date()
            fields = good_fields(body, today, intake.contact_policy, local=intake.local)
            await audit.record(asked)
            batch = await intake.receive(upload, OnePiece(fields), nothing(), charge)
        else:
            await audit.record(asked)
            with watched(request) as sender:
                sent = quotas.counted(caller, keys.while_valid(request, sender.stream()))
                reader = STREAMED[essence(media_type)].reader(longest_row)
                batch = await intake.receive(upload, reader, plain_blocks(sent, limits, gzipped=gzipped), charge)
        view = BatchView.of(batch, intake.clock())
        response.headers["Location"] = view.links.self
        return view

    return router
