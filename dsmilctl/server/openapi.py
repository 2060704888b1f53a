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
    used = [item for endpoint in endpoints for item in (endpoint.body, endpoint.answer) if item is not None]
    types = list(dict.fromkeys([Envelope, *used]))
    found, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    forms = dict(zip(types, found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.full_path, {})[endpoint.method.lower()] = _operation(endpoint, forms)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DSMIL API", "version": "2.0", "x-server": f"dsmilctl {__version__}"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(endpoint: Endpoint, forms: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{endpoint.path.replace('/', '_')}",
        "parameters": [*_path_parts(endpoint), *_query_parts(endpoint)],
        "responses": _responses(endpoint, forms),
    }
    if endpoint.login:
        operation["security"] = [{"bearer": []}]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(endpoint.body)),
            "content": {"application/json": {"schema": forms[endpoint.body]}},
        }
    return operation


def _path_parts(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PART.findall(endpoint.path)
    ]


def _query_parts(endpoint: Endpoint) -> list[dict[str, Any]]:
    _, described = msgspec.json.schema_components([endpoint.query])
    properties = described[endpoint.query.__name__].get("properties", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _responses(endpoint: Endpoint, forms: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    codes = {*COMMON, *endpoint.errors, *(WITH_LOGIN if endpoint.login else ())}
    if _PART.search(endpoint.path):
        codes.add("NOT_FOUND")
    if endpoint.method == "POST":
        codes.add("CONFLICT")  # of an Idempotency-Key
    content = {"application/json": {"schema": forms[Envelope]}}
    responses: dict[str, Any] = {
        str(status): {
            "description": ", ".join(sorted(code for code in codes if STATUSES[code] == status)),
            "content": content,
        }
        for status in sorted({STATUSES[code] for code in codes})
    }
    success: dict[str, Any] = {"description": "done"}
    if endpoint.answer is not None:
        success["content"] = {endpoint.media: {"schema": forms[endpoint.answer]}}
    return {str(endpoint.status): success, **responses}
