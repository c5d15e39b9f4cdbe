"""The OpenAPI documents of the services: current, complete, the same everywhere, and true to what is answered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from bowerbird import generated, openapi
from bowerbird.registry import NAMES
from services.evidence.sources.forms import XLSX, ZIP
from services.evidence.sources.schema import column_table

ROOT = Path(__file__).parents[2]
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: json.loads((ROOT / "docs" / "api" / f"{name}.json").read_text("utf-8")) for name in NAMES
}
OPEN = {"verifier"}


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Service, method, path, operation."""
    for service, document in DOCUMENTS.items():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield service, method, path, operation


EVERY = [pytest.param(*each, id=f"{each[0]}-{each[3]['operationId']}") for each in operations()]


def test_the_committed_documents_are_what_the_routes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither settings nor the machine make a difference.
    monkeypatch.setenv("BOWERBIRD_PUBLIC_URL", "https://badges.example")
    monkeypatch.setenv("BOWERBIRD_HTTP_PORT", "9999")
    monkeypatch.setenv("BOWERBIRD_UPLOAD_ROW_LENGTH", "2048")
    changed = generated.stale(ROOT / "docs" / "api", openapi.documents())
    assert changed == [], "run `bowerbird contracts` and commit what it wrote"


@pytest.mark.parametrize("service", NAMES)
def test_a_document_is_valid_and_says_what_it_is(service: str) -> None:
    document = DOCUMENTS[service]
    validate(document)
    assert set(document["info"]) == {"title", "description", "version", "license"}
    assert "servers" not in document


@pytest.mark.parametrize("service", NAMES)
def test_operation_ids_are_unique_and_short(service: str) -> None:
    ids = [operation["operationId"] for name, _, _, operation in operations() if name == service]
    assert len(ids) == len(set(ids))
    assert all(name.isidentifier() and len(name) < 40 and "_v1_" not in name for name in ids)


@pytest.mark.parametrize(("service", "method", "path", "operation"), EVERY)
def test_an_operation_is_described_to_its_last_part(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    assert method in {"get", "post", "put", "patch", "delete"}
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        assert parameter.get("description") or schema.get("description") or schema.get("format") == "uuid", parameter
    if method in {"post", "put", "patch"}:
        # What is asked for without a body says all in its path.
        assert "requestBody" in operation or path.endswith("/send-again"), path
        body = operation.get("requestBody", {"required": True, "content": {}})
        # Why a signing key is added need not be said.
        assert body.get("required", False) or path.endswith("/signing-keys")
        assert all(content["schema"] for content in body["content"].values())


@pytest.mark.parametrize(("service", "method", "path", "operation"), EVERY)
def test_errors_are_problem_documents_with_the_statuses_that_are_answered(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    responses = operation["responses"]
    assert "422" not in responses
    for status, response in responses.items():
        assert response["description"], status
        if status.startswith("2"):
            assert all(content["schema"] for content in response["content"].values())
            assert response["content"]
        elif status >= "4" and "operations" not in operation["tags"]:
            problem = response["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert problem["example"]["status"] == int(status)
    if "operations" not in operation["tags"]:
        assert "503" in responses


@pytest.mark.parametrize(("service", "method", "path", "operation"), EVERY)
def test_a_route_that_needs_a_key_names_its_scope(
    service: str, method: str, path: str, operation: dict[str, Any]
) -> None:
    if service in OPEN or "operations" in operation["tags"]:
        assert "security" not in operation
        return
    (requirement,) = operation["security"]
    (scope,) = requirement["apiKey"]
    assert ":" in scope
    assert {"401", "403"} <= operation["responses"].keys()
    scheme = DOCUMENTS[service]["components"]["securitySchemes"]["apiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize("service", NAMES)
def test_every_field_of_a_model_is_described_or_says_it_by_its_name_and_type(service: str) -> None:
    for name, schema in DOCUMENTS[service]["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, described in schema.get("properties", {}).items():
            told = {"description", "examples", "format", "$ref", "enum", "const", "anyOf", "items"} & described.keys()
            assert told or described["type"] in {"boolean", "string"}, f"{name}.{field}"


def test_an_upload_documents_its_columns_and_media_types() -> None:
    upload = DOCUMENTS["evidence"]["paths"]["/v1/batches"]["post"]
    body = upload["requestBody"]
    assert set(body["content"]) == {"text/csv", "application/x-ndjson", XLSX, ZIP}
    assert column_table() in body["description"]
    names = {each["name"] for each in upload["parameters"]}
    assert names == {"source", "dry_run", "Idempotency-Key", "Content-Encoding"}
