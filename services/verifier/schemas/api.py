"""The route of event schemas: what `ce_dataschema` names can be fetched, by partners and by their tools."""

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from libs.common.errors import NotFoundError
from libs.contracts.events import EVENTS

_FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600"}


def schema_routes() -> APIRouter:
    """Return the one route, for the types of events that partners read."""
    written = {event.type: orjson.dumps(event.json_schema()) for event in EVENTS if event.is_for_partners()}
    router = APIRouter()

    async def schema(event_type: str) -> Response:
        """Return the JSON Schema (2020-12) of the data of one type of event."""
        if event_type not in written:
            raise NotFoundError("there is no type of event with this name that partners read")
        return Response(written[event_type], media_type="application/schema+json", headers=_FOR_AN_HOUR)

    router.add_api_route(
        "/schemas/{event_type}.json",
        schema,
        methods=["GET"],
        summary="The JSON Schema of a type of event",
        response_class=Response,
    )
    return router
