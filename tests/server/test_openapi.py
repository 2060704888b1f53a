"""The OpenAPI document holds: whatever a machine makes up from it is answered as it declares."""

from __future__ import annotations

import warnings
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings

from dsmilctl.server.openapi import document
from dsmilctl.server.routes import ENDPOINTS
from tests.server.served import PASSWORDS, PATIENCE, TLS, Served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of schemathesis and what it brings, while they are imported
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.specs.openapi import checks as openapi_checks

DOCUMENT = document(ENDPOINTS)
for operation in (item for path in DOCUMENT["paths"].values() for item in path.values()):
    operation.pop("security", None)  # every request of these tests is that of somebody who is logged in
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path_regex="stream$")
"""Streams have no end; they have tests of their own."""
FEW = settings(
    max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
    suppress_health_check=list(HealthCheck), database=None,
)  # fmt: skip
CHECKS = (
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
)
"""Every value at its limits and every field missing or of another kind come first, then some at random."""


@pytest.mark.filterwarnings("ignore")
@SCHEMA.parametrize()  # type: ignore[untyped-decorator]  # schemathesis tells no types here
@FEW
def test_every_answer_is_one_that_the_document_declares(case: Any, served: Served) -> None:
    headers = {"Authorization": f"Bearer {token(case.path, served)}"}

    answer = case.call(base_url=served.url, headers=headers, timeout=PATIENCE)

    assert answer.status_code != 500, answer.text
    assert "Traceback" not in answer.text
    case.validate_response(answer, checks=CHECKS)


def token(path: str, served: Served) -> str:
    """The token of the administrator; for a logout one that nobody else uses."""
    if not path.endswith("/logout"):
        return served.token("admin")
    body = {"username": "admin", "password": PASSWORDS["admin"]}
    answer = httpx.post(f"{served.url}/api/v2/auth/login", json=body, timeout=PATIENCE, verify=TLS)
    found: str = answer.json()["access_token"]
    return found
