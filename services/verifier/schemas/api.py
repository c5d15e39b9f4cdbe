"""The route of event schemas: what `ce_dataschema` names can be fetched, by partners and by their tools."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path
from fastapi.responses import Response

from libs.common.errors import NotFoundError
from libs.common.problems import documented
from libs.contracts.events import EVENTS

_FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600"}

EventType = Annotated[
    str, Path(description="the CloudEvents type", examples=["org.bowerbirdbadges.credential.issued.v1"])
]


def schema_routes() -> APIRouter:
    """Return the one route, for the types of events that partners read."""
    written = {event.type: orjson.dumps(event.json_schema()) for event in EVENTS if event.is_for_partners()}
    router = APIRouter()

    async def schema(event_type: EventType) -> Response:
        """The JSON Schema (2020-12) of the data of one type of event."""
        if event_type not in written:
            raise NotFoundError("there is no type of event with this name that partners read")
        return Response(written[event_type], media_type="application/schema+json", headers=_FOR_AN_HOUR)

    router.add_api_route(
        "/schemas/{event_type}.json",
        schema,
        methods=["GET"],
        name="read_event_schema",
        tags=["events"],
        response_class=Response,
        responses={
            200: {"description": "The schema.", "content": {"application/schema+json": {"schema": {"type": "object"}}}},
            **documented(NotFoundError),
        },
    )
    return router
