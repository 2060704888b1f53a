"""Bodies, headers and paths that make no sense: always the envelope, never a fault, never silence."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.config.paths import Paths
from dsmilctl.server.assembly import assemble
from dsmilctl.server.routes import ENDPOINTS
from tests.server.served import PASSWORDS, UNLIMITED, Served, accounts

POSTS = [
    "/auth/login", "/auth/refresh", "/devices/0x8001/operations",
    "/operations/bulk", "/emergency/release", "/approvals",
]  # fmt: skip


@pytest.fixture
async def direct(home: Paths) -> AsyncIterator[httpx.AsyncClient]:
    """The application without a socket, logged in as the administrator."""
    from dsmilctl.client.local import LocalClient
    from dsmilctl.client.opening import connect

    client = connect("sim")
    assert isinstance(client, LocalClient)
    app, gateway = assemble(client, accounts(), UNLIMITED)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with client, httpx.AsyncClient(transport=transport, base_url="http://test/api/v2") as http:
        body = {"username": "admin", "password": PASSWORDS["admin"]}
        token = (await http.post("/auth/login", json=body)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield http
        await gateway.push.close()


@pytest.fixture
async def admin(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator on a real socket."""
    async with served.http("admin") as http:
        yield http


def enveloped(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which has to be in the envelope."""
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "timestamp", "request_id", "retry_after"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return error


async def test_ten_thousand_random_bodies_are_all_refused_in_the_envelope(direct: httpx.AsyncClient) -> None:
    dice = random.Random(2026)

    for _ in range(10_000):
        path, body = dice.choice(POSTS), random_body(dice)
        answer = await posted(direct, path, body)
        assert 400 <= answer.status_code < 500, (path, body, answer.text)
        enveloped(answer)


async def posted(direct: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
    """The application's answer, asked for without what a client costs."""
    transport = direct._transport
    assert isinstance(transport, httpx.ASGITransport)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    token = direct.headers["authorization"].encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "root_path": "",
        "path": f"/api/v2{path}", "raw_path": b"", "query_string": b"",
        "headers": [(b"authorization", token)],
        "client": ("127.0.0.1", 1), "server": ("test", 80), "scheme": "http",
    }  # fmt: skip
    await transport.app(scope, receive, send)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


def random_body(dice: random.Random) -> bytes:
    """Noise, JSON of some shape, or a request that is nearly right."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(dice.randrange(1, 200))
    if kind == 1:
        return json.dumps(random_value(dice, 3)).encode()
    near: dict[str, Any] = {"operation_type": dice.choice(["WRITE", "READ", "read", 5, None])}
    near |= {dice.choice(["operation_data", "username", "devices"]): random_value(dice, 2)}
    near |= {"".join(dice.choices(string.ascii_letters, k=8)): 1}
    text = json.dumps(near).encode()
    if kind == 2:
        return text
    where = dice.randrange(len(text))
    return text[:where] + dice.randbytes(2) + text[where:]


def random_value(dice: random.Random, depth: int) -> Any:
    simple = [None, True, -1, 10**400, 1.5, "", "\x00", "\u202e", "0x8000", "x" * 300]
    if depth == 0:
        return dice.choice(simple)
    some = [random_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return dice.choice([*simple, some, {str(item)[:20]: item for item in some}])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"a":' * 20_000, b"[" * 100_000,
        b'{"operation_type":"READ","operation_type":1e999}', b'{"timeout_ms":' + b"9" * 5000 + b"}",
        b'{"operation_type":"READ","operation_data":{"register":"\\u0000"}}',
        b'{"operation_type":"READ","operation_data":{"register":"\\ud800"}}',
        b'{"operation_type":"READ","operation_data":{"offset":-99999999999999999999}}',
        b'{"operation_type":"WRITE","operation_data":{"register":"CONFIG","value":1e400}}',
        b'{"operation_type":"WRITE","operation_data":{"register":"CONFIG","value":"0x' + b"F" * 5000 + b'"}}',
        b'{"operation_type":"READ","timeout_ms":0}', b'{"operation_type":"READ","timeout_ms":1e12}',
    ],
    ids=range(17),
)  # fmt: skip
async def test_bodies_at_the_edge_are_refused_in_the_envelope(admin: httpx.AsyncClient, body: bytes) -> None:
    answer = await admin.post("/devices/0x8001/operations", content=body)

    assert answer.status_code == 422, answer.text
    assert enveloped(answer)["code"] == "INVALID_PARAMETER"


async def test_an_unknown_field_is_named_with_the_nearest_that_there_is(admin: httpx.AsyncClient) -> None:
    body = {"operation_type": "READ", "operation_data": {"registr": "TEMP"}, "priority": "HIGH"}
    inner = enveloped(await admin.post("/devices/0x8001/operations", json=body))
    outer = enveloped(await admin.post("/devices/0x8001/operations", json={"operation_typ": "READ"}))

    assert inner["details"]["target"] == "registr"
    assert "registr" in inner["message"]
    assert outer["details"]["target"] == "operation_typ"
    assert "operation_type" in outer["details"]["hint"]


@pytest.mark.parametrize(
    ("path", "body", "target", "hint"),
    [
        ("/devices/0x8001/operations", {"operation_type": "WRIT"}, "operation_type", "WRITE?"),
        ("/devices/0x8001/operations", {"operation_type": "PAINT"}, "operation_type", "RESET, WRITE"),
        ("/devices/0x8001/operations", {}, "operation_type", "operation_data"),
        ("/devices/0x8001/operations", {"operation_type": "READ", "timeout_ms": "x"}, "timeout_ms", ""),
        ("/operations/bulk", {"operations": [{"device_id": 1, "operation_tipe": "READ"}]},
         "operation_tipe", "operation_type?"),
        ("/operations/bulk", {"operations": [{"device_id": 1, "operation_type": "READ",
                                              "operation_data": {"registr": 1}}]}, "registr", "register?"),
        ("/operations/bulk", {"operations": [{"device_id": 1, "operation_type": "READ", "x": 1}]},
         "x", "fields: device_id"),
        ("/operations/bulk", {"operations": [], "execution_mode": "PARALEL"}, "execution_mode", "PARALLEL?"),
        ("/devices/0x8001/operations", {"operation_type": "READ", "operation_data": {"settings": {"a": []}}},
         "settings", ""),
    ],
)  # fmt: skip
async def test_a_mistake_in_a_body_is_told_with_its_place_and_what_would_be_right(
    admin: httpx.AsyncClient, path: str, body: dict[str, Any], target: str, hint: str
) -> None:
    error = enveloped(await admin.post(path, json=body))

    assert (error["code"], error["details"].get("target")) == ("INVALID_PARAMETER", target)
    assert hint in error["details"].get("hint", "")


async def test_a_parameter_of_a_query_is_told_with_its_choices(admin: httpx.AsyncClient) -> None:
    error = enveloped(await admin.get("/devices?risk_level=SEVERE"))

    assert error["details"]["target"] == "risk_level"
    assert error["details"]["hint"] == "risk_level: CRITICAL, HIGH, LOW, MEDIUM, MODERATE"


async def test_a_refusal_names_fields_of_the_body_and_not_options_of_the_command(
    admin: httpx.AsyncClient,
) -> None:
    write = {"operation_type": "WRITE", "operation_data": {"register": "CONFIG", "value": 5}}
    alone = enveloped(await admin.post("/devices/0x8001/operations", json=write))
    items = [write | {"device_id": 0x8001}, write | {"device_id": 0x8002, "justification": "as it is asked"}]
    bulk = (await admin.post("/operations/bulk", json={"operations": items})).json()

    assert alone["details"]["target"] == "justification"
    assert alone["details"]["hint"] == '"justification": "why this is done"'
    assert bulk["results"][0]["hint"] == '"justification": "why this is done"'


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"]
)
async def test_a_body_of_another_kind_is_refused_by_what_it_holds(
    admin: httpx.AsyncClient, kind: str
) -> None:
    answer = await admin.post(
        "/devices/0x8001/operations", content=b"<operation/>", headers={"content-type": kind}
    )

    assert answer.status_code == 422
    enveloped(answer)


async def test_a_compressed_body_is_not_unpacked(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(
        "/devices/0x8001/operations", content=b"\x1f\x8b", headers={"content-encoding": "gzip"}
    )

    assert answer.status_code == 422
    assert "compressed" in enveloped(answer)["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/devices/%00", "/devices/%ff%fe", "/devices/..%2f..%2fetc%2fpasswd", "/devices/0x", "/devices/-1",
        "/devices/999999", "/devices/" + "9" * 3000, "/devices/0x8001%0d%0aX: y/registers",
        "/devices/%F0%9F%92%A9",
        "/operations/bulk/%00", "/sdk/%00", "/devices/", "/devices/0x8001/registers/",
        "/devices/0x8001/history?start_date=%00", "/devices?limit=0", "/devices?limit=101", 
        "/devices?offset=-1",
        "/devices?limit=5&limit=6", "/devices?fields=%00", "/devices?risk_level=low", "/devices?colour=red",
        "/devices?fields=device_id,colour", "/audit?since=yesterday%20noonish", 
        "/audit?limit=99999999999999999999",
    ],
)  # fmt: skip
async def test_paths_and_queries_at_the_edge_are_refused_in_the_envelope(
    admin: httpx.AsyncClient, path: str
) -> None:
    answer = await admin.get(path)

    assert answer.status_code in (404, 422), answer.text
    enveloped(answer)


@given(path=st.text(max_size=40), query=st.text(max_size=40))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
async def test_whatever_stands_in_a_path_is_answered(admin: httpx.AsyncClient, path: str, query: str) -> None:
    from urllib.parse import quote

    answer = await admin.get(f"/devices/{quote(path, safe='')}?{quote(query, safe='=&')}")

    assert answer.status_code in (200, 404, 422)


async def test_every_endpoint_refuses_a_stranger_and_another_method_in_the_envelope(served: Served) -> None:
    async with served.http(None) as http:
        for endpoint in ENDPOINTS:
            path = re.sub(r"\{(\w+)\}", "0x8001", endpoint.path)
            if endpoint.login:
                answer = await http.request(endpoint.method, path)
                assert answer.status_code == 401, (path, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert enveloped(answer)["code"] == "AUTHENTICATION_FAILED"
            answer = await http.request("PATCH", path)
            assert answer.status_code == 405, path
            assert answer.headers["allow"]


async def test_headers_that_claim_something_change_nothing(served: Served) -> None:
    claims = {
        "X-User": "admin", "X-Forwarded-User": "admin", "X-Clearance": "TOP_SECRET", 
        "X-Client-Cert-CN": "admin",
        "X-Forwarded-For": "10.0.0.1", "X-Original-URL": "/api/v2/audit", "X-HTTP-Method-Override": "DELETE",
        "Forwarded": "for=10.0.0.1",
    }  # fmt: skip
    async with (
        served.http(None) as stranger,
        served.http("analyst") as analyst,
        served.http("admin") as admin,
    ):
        refused = await stranger.get("/devices", headers=claims)
        still = await analyst.get("/audit", headers=claims)
        who = await analyst.get("/auth/whoami", headers=claims)
        await stranger.post("/auth/login", json={"username": "x", "password": "y"}, headers=claims)
        sessions = await admin.get("/auth/sessions", headers=claims)

    assert refused.status_code == 401
    assert still.status_code == 403
    assert who.json()["username"] == "analyst"
    assert {session["address"] for session in sessions.json()["sessions"]} == {"127.0.0.1"}


async def test_pages_of_other_origins_are_let_in_by_no_header(served: Served) -> None:
    async with served.http() as http:
        asked = await http.options(
            "/devices",
            headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"},
        )
        answer = await http.get("/devices", headers={"Origin": "https://elsewhere.example"})

    assert asked.status_code == 405
    allowed = [name for name in (*asked.headers, *answer.headers) if name.startswith("access-control")]
    assert allowed == []


@pytest.mark.parametrize(
    ("given", "taken"), [("job-17", True), ("a" * 65, False), ("two words", False), ("<script>", False)]
)
async def test_a_request_id_comes_back_where_it_is_harmless(served: Served, given: str, taken: bool) -> None:
    async with served.http() as http:
        answer = await http.get("/devices?limit=1", headers={"X-Request-ID": given})

    assert (answer.headers["x-request-id"] == given) is taken
    assert re.fullmatch(r"[0-9]+\.[0-9]{2}", answer.headers["x-response-time"])
