"""The schema that an event names can be fetched by whoever reads the event."""

import jsonschema_rs
import pytest

from bowerbird import asyncapi
from libs.contracts.cloudevents import Origin
from libs.contracts.events import CredentialIssued, Event, EvidenceSubmitted
from tests.ids import IDS
from tests.verifier_doubles import PUBLIC, MemoryRepository, application, client

EXAMPLES = [
    (message["examples"][0]["headers"], message["examples"][0]["payload"])
    for message in asyncapi.partners()["components"]["messages"].values()
]


@pytest.mark.parametrize(("headers", "payload"), EXAMPLES, ids=lambda value: value.get("ce_type", ""))
async def test_the_schema_of_an_event_that_partners_read_is_served_and_holds(
    headers: dict[str, str], payload: dict[str, object]
) -> None:
    url = Origin(PUBLIC, "issuer", IDS.event_id).schema_url(headers["ce_type"])
    async with client(application(MemoryRepository())) as http:
        answer = await http.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    jsonschema_rs.validate(answer.json(), payload)


@pytest.mark.parametrize("contract", [EvidenceSubmitted, CredentialIssued])
async def test_the_schema_of_an_inner_event_is_not_served(contract: type[Event]) -> None:
    async with client(application(MemoryRepository())) as http:
        answer = await http.get(f"/schemas/{contract.type}.json")
    assert (answer.status_code == 200) == contract.is_for_partners()
