"""The OpenAPI document, made from the endpoints and the types that they use.  Source: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl import __version__
from dsmilctl.server.endpoint import Endpoint
from dsmilctl.wire.base import STATUSES, Envelope

REFERENCE = "#/components/schemas/{name}"
COMMON = ("INVALID_PARAMETER", "RATE_LIMITED", "TIMEOUT", "STATE_UNAVAILABLE")
WITH_LOGIN = ("AUTHENTICATION_FAILED", "TOKEN_EXPIRED", "PERMISSION_DENIED")
_PART = re.compile(r"\{(\w+)\}")


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document."""
    types = {item for endpoint in endpoints for item in (endpoint.body, endpoint.answer) if item is not None}
    types |= {endpoint.query for endpoint in endpoints} | {Envelope}
    named = [item for item in types if isinstance(item, type) and issubclass(item, msgspec.Struct)]
    _, schemas = msgspec.json.schema_components(named, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.full_path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DSMIL API", "version": "2.0", "x-server": f"dsmilctl {__version__}"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{endpoint.path.replace('/', '_')}",
        "parameters": [*_path_parts(endpoint), *_query_parts(endpoint, schemas)],
        "responses": _responses(endpoint),
    }
    if endpoint.login:
        operation["security"] = [{"bearer": []}]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema(endpoint.body)}},
        }
    return operation


def _schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": REFERENCE.format(name=kind.__name__)}
    return msgspec.json.schema(kind)


def _path_parts(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PART.findall(endpoint.path)
    ]


def _query_parts(endpoint: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    properties = schemas[endpoint.query.__name__].get("properties", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    codes = {*COMMON, *endpoint.errors, *(WITH_LOGIN if endpoint.login else ())}
    if _PART.search(endpoint.path):
        codes.add("NOT_FOUND")
    if endpoint.method == "POST":
        codes.add("CONFLICT")  # of an Idempotency-Key
    content = {"application/json": {"schema": _schema(Envelope)}}
    responses: dict[str, Any] = {
        str(status): {
            "description": ", ".join(sorted(code for code in codes if STATUSES[code] == status)),
            "content": content,
        }
        for status in sorted({STATUSES[code] for code in codes})
    }
    success: dict[str, Any] = {"description": "done"}
    if endpoint.answer is not None:
        success["content"] = {endpoint.media: {"schema": _schema(endpoint.answer)}}
    return {str(endpoint.status): success, **responses}
