"""What the OpenAPI document of a service says beyond what FastAPI reads from its routes."""

import warnings
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from libs.common.errors import (
    BowerbirdError,
    ForbiddenError,
    InvalidRequestError,
    TooLargeError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaError,
)
from libs.common.problems import Problem, documented
from libs.common.query_parameters import refuse_unknown_parameters
from libs.common.response_headers import SecurityHeaders

API_VERSION = "1.0.0"
OPERATIONS_TAG = "operations"
_UNUSED = ("HTTPValidationError", "ValidationError")
_ERRORS_IN_GENERAL = (
    "Errors are problem documents (RFC 9457) of the media type `application/problem+json`, also where a status is not"
    " listed. GET may be sent as HEAD."
)


class Application(FastAPI):
    """A FastAPI application whose document names the errors that are really answered, and reads well when generated.

    Operation ids are the names of the handlers. HEAD is GET without content (RFC 9110, section 9.3.2), so it is not
    listed a second time.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application in all its layers; the headers of every answer are the outermost."""
        return SecurityHeaders(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document; made at the first call."""
        if self.openapi_schema is None:
            with warnings.catch_warnings():
                # GET and HEAD of one route have one id until HEAD is taken out; tests hold all others apart.
                warnings.filterwarnings("ignore", "Duplicate Operation ID", UserWarning)
                document = super().openapi()
            _finish(document)
        return self.openapi_schema or {}


def operation_id(route: APIRoute) -> str:
    """Return the id of a route's operation: the name of its handler, which names functions in generated clients."""
    return route.name


def described_app(title: str, *, served: bool = True) -> Application:
    """Return an application without routes but, where it is served, that of its document."""
    return Application(
        title=title,
        version=API_VERSION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/openapi.json" if served else None,
        docs_url=None,
        # A redirect would lead to whatever the header Host says.
        redirect_slashes=False,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        dependencies=[Depends(refuse_unknown_parameters)],
        separate_input_output_schemas=False,
    )


def json_body(*models: type[BaseModel], media_types: Sequence[str] = ("application/json",)) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads its JSON body itself: one of these models."""
    schemas = [_inline(model) for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def file_body(body: dict[str, Any], media_types: Sequence[str]) -> dict[str, Any]:
    """Return the `openapi_extra` of `json_body` for a route that takes files of these types too."""
    content = body["requestBody"]["content"]
    files = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
    return {"requestBody": {**body["requestBody"], "content": {**content, **files}}}


def without_default(schema: dict[str, Any]) -> None:
    """Take the default out of the schema of a field that may be absent and is never null (`json_schema_extra`)."""
    schema.pop("default", None)


def _inline(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model without references: FastAPI knows no models of bodies that it does not read."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            siblings = {name: value for name, value in part.items() if name != "$ref"}
            return resolve({**definitions[part["$ref"].rpartition("/")[2]], **siblings})
        return {name: resolve(value) for name, value in part.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _finish(document: dict[str, Any]) -> None:
    info = document["info"]
    info["description"] = f"{info.get('description', '')}\n\n{_ERRORS_IN_GENERAL}".strip()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for path in document["paths"].values():
        path.pop("head", None)
        for operation in path.values():
            # FastAPI's own is the handler's name in capitals.
            described = operation.get("description", operation.get("summary", ""))
            operation["summary"] = described.partition("\n")[0].rstrip(".")
            _add_errors(operation)
            _name_bodies(operation, schemas)
    for name in _UNUSED:
        schemas.pop(name, None)
    _, problem = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] = dict(sorted({**schemas, **problem["$defs"]}.items()))


def _add_errors(operation: dict[str, Any]) -> None:
    """Add the errors that the edge answers for any route of this form, in place of FastAPI's 422."""
    responses: dict[str, Any] = operation["responses"]
    responses.pop(str(HTTPStatus.UNPROCESSABLE_ENTITY.value), None)
    operations = OPERATIONS_TAG in operation.get("tags", [])
    errors: list[type[BowerbirdError]] = [] if operations else [TooManyRequestsError, UnavailableError]
    if any(_can_be_invalid(parameter) for parameter in operation.get("parameters", [])):
        errors.append(InvalidRequestError)
    if "requestBody" in operation:
        errors += [InvalidRequestError, TooLargeError, UnsupportedMediaError]
    if "security" in operation:
        # Of those who have a key, parameters that are not known are refused.
        errors += [InvalidRequestError, UnauthenticatedError, ForbiddenError]
    for status, response in documented(*errors).items():
        responses.setdefault(str(status), response)
    operation["responses"] = dict(sorted(responses.items()))


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move the schemas of `json_body` among the named ones: generated clients take a model's name from there."""

    def named(schema: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in schema:
            return {"anyOf": [named(each) for each in schema["anyOf"]]}
        if schema.get("type") != "object" or "title" not in schema:
            return schema
        schemas[schema["title"]] = schema
        return {"$ref": f"#/components/schemas/{schema['title']}"}

    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = named(content["schema"])


def _can_be_invalid(parameter: dict[str, Any]) -> bool:
    """Return whether any text at all is not a value of this parameter: then the edge answers 400."""
    return bool(parameter["schema"].keys() - {"type", "title", "description", "examples"})
