"""The event contracts against what stands in docs/events/ and against records written by earlier versions."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from pydantic import AwareDatetime

from bowerbird import contracts
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import (
    Origin,
    Outgoing,
    UnknownTypeError,
    UnreadableRecordError,
    body_of,
    headers_of,
    read_event,
    readable_headers,
)
from libs.contracts.events import EVENTS, Event
from services.issuer.rules.words import rule_words
from tests.ids import IDS, event_id
from tests.issuer_doubles import ruled

ROOT = Path(__file__).parents[2]
# As version 0.1.0 wrote their data. A file here is never edited: a contract that cannot read it any more is a new type.
ORIGIN = Origin("https://badges.example.org", "issuer", IDS.event_id)
WRITTEN_EARLIER = Path(__file__).parent / "events"


def earlier(contract: type[Event]) -> bytes:
    return (WRITTEN_EARLIER / f"{contract.type}.json").read_bytes()


def test_the_schemas_and_the_asyncapi_document_are_what_the_code_says() -> None:
    assert contracts.stale(ROOT / "docs" / "events") == [], "run `bowerbird contracts` and commit what it wrote"


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_an_event_of_an_earlier_version_is_read(contract: type[Event]) -> None:
    event = read_event({"ce_type": contract.type}, earlier(contract))
    assert type(event) is contract


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_an_event_of_a_later_version_with_a_new_field_is_read(contract: type[Event]) -> None:
    later = {**json.loads(earlier(contract)), "a_field_of_tomorrow": {"x": 1}}
    assert read_event({"ce_type": contract.type}, json.dumps(later).encode()) == read_event(
        {"ce_type": contract.type}, earlier(contract)
    )


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_what_is_written_satisfies_the_published_schema(contract: type[Event]) -> None:
    event = contract.model_validate_json(earlier(contract))
    schema = json.loads((ROOT / "docs" / "events" / f"{contract.type}.json").read_text(encoding="utf-8"))
    jsonschema_rs.validate(schema, json.loads(event.model_dump_json(exclude_none=True)))


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_an_event_survives_the_way_through_a_record(contract: type[Event]) -> None:
    event = contract.model_validate_json(earlier(contract))
    headers = readable_headers(headers_of(Outgoing(event, new_trace()), ORIGIN))
    assert read_event(headers, body_of(event)) == event
    assert headers["ce_id"] == event_id(event)


def test_what_was_worked_out_of_an_event_is_not_written() -> None:
    holds = {"type": "holds", "achievement": "wattle/teamwork"}
    event = ruled(
        "keeper", {"type": "all", "of": [{"type": "evidence", "level": "relational", "activities": 2}, holds]}
    )
    assert event.rule is not None
    assert rule_words(event.rule)
    assert read_event({"ce_type": event.type}, body_of(event)) == event


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_key_id_and_time_are_declared_from_fields_that_no_event_lacks(contract: type[Event]) -> None:
    declared = {*contract.key_fields, *contract.id_fields, contract.time_field}
    always_there = {name for name, field in contract.model_fields.items() if field.is_required() or field.default}
    assert declared <= always_there
    assert contract.model_fields[contract.time_field].annotation is AwareDatetime


@pytest.mark.parametrize("contract", EVENTS, ids=lambda contract: contract.type)
def test_a_type_begins_with_a_reverse_domain_name_and_ends_with_its_major_version(contract: type[Event]) -> None:
    assert re.fullmatch(r"org\.bowerbirdbadges(\.[a-z][a-z-]*)+\.v[1-9]\d*", contract.type)


def test_the_source_is_an_absolute_uri_under_the_authoritys_own() -> None:
    assert ORIGIN.source == "https://badges.example.org/services/issuer"


def test_the_id_of_an_event_depends_on_nothing_but_the_fact() -> None:
    first, second = (EVENTS[0].model_validate_json(earlier(EVENTS[0])) for _ in range(2))
    assert event_id(first) == event_id(second)


def test_of_events_about_a_learner_only_the_contact_has_a_field_for_a_name_or_an_address() -> None:
    personal = {"name", "email", "learner_name", "learner_email", "phone", "birth_date"}
    about_a_learner = [contract for contract in EVENTS if "learner_id" in contract.model_fields]
    with_personal = {contract.type for contract in about_a_learner if personal & contract.model_fields.keys()}
    assert with_personal == {"org.bowerbirdbadges.learner.contact.v1"}


def test_the_reason_of_an_unreadable_record_names_fields_and_no_values() -> None:
    with pytest.raises(UnreadableRecordError) as caught:
        read_event({"ce_type": "org.bowerbirdbadges.learner.contact.v1"}, b'{"learner_id": "zoe@learners.example"}')
    assert caught.value.reason == "breaks_contract"
    assert "learner_id" in str(caught.value)
    assert "zoe" not in str(caught.value)


def test_a_header_that_is_null_or_not_text_is_left_out() -> None:
    assert readable_headers([("a", b"1"), ("b", b"\xff"), ("c", None)]) == {"a": "1", "c": ""}


@pytest.mark.parametrize("newer", ["org.bowerbirdbadges.evidence.submitted.v2", "org.bowerbirdbadges.a-noun.done.v10"])
def test_a_type_of_a_later_version_is_told_from_a_foreign_one(newer: str) -> None:
    with pytest.raises(UnknownTypeError):
        read_event({"ce_type": newer}, b"what a later version writes")


@pytest.mark.parametrize(
    "foreign", ["com.example.order.placed.v1", "org.bowerbirdbadges.v1", "org.bowerbirdbadges.order.placed", "a" * 500]
)
def test_a_type_that_is_not_ours_in_form_makes_the_record_unreadable(foreign: str) -> None:
    with pytest.raises(UnreadableRecordError) as caught:
        read_event({"ce_type": foreign}, b"{}")
    assert caught.value.reason == "unknown_type"


def test_every_type_of_ours_has_the_form_that_later_ones_are_known_by() -> None:
    for contract in EVENTS:
        with pytest.raises(UnknownTypeError):
            read_event({"ce_type": f"{contract.type}7"}, b"{}")
