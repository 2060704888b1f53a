"""A server whose guard is awake: policy, buckets, approvals, users with cheap hashes, a clock to turn."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import Serving, connect_context
from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.server.assembly import ServerOptions, assemble
from dsmilctl.server.gateway import Gateway
from dsmilctl.server.identity.passwords import Cost, Hasher, token_digest
from dsmilctl.server.identity.users import User, Users
from dsmilctl.server.serve import Listening, serve

CHEAP = Cost(rounds=1, memory=8, lanes=1)
PASSWORD = "correct horse battery"
WHY = "the night shift asked for it"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SERVICE_TOKEN = "dsmil-service-canary-5d1f"
QUARANTINED, CRITICAL, MEDIUM, LOW = 0x8009, 0x8001, 0x8030, 0x8040
OPERATIONS = "/devices/{}/operations"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Wall:
    """The machine's clock, put forward or back by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.passed = 0.0

    def now(self) -> int:
        return SYSTEM.now() + round((self.ahead + self.passed) * NANOSECONDS)

    def monotonic(self) -> float:
        return SYSTEM.monotonic() + self.passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds


@cache
def hashed() -> str:
    """The cheap hash of the password."""
    return Hasher(CHEAP).hash(PASSWORD)


def somebody(name: str, clearance: str = "SECRET", **facts: Any) -> User:
    """A user with the password of all."""
    given: dict[str, Any] = {"user_id": f"id-{name}", "password": hashed()} | facts
    return User(name=name, clearance=clearance, **given)


def everybody() -> dict[str, User]:
    """Those that the tests are about."""
    users = [
        somebody("ada", "TOP_SECRET"),
        somebody("grace", "TOP_SECRET"),
        somebody("operator", "SECRET", devices=tuple(range(0x8000, 0x803C))),
        somebody("analyst", "CONFIDENTIAL", devices=tuple(range(0x8000, 0x8024))),
        somebody("visitor", "RESTRICTED"),
        somebody("careful", totp=SECRET),
        somebody("script", service_tokens=(token_digest(SERVICE_TOKEN),), password=""),
        somebody("gone", disabled=True),
    ]
    return {user.name: user for user in users}


class Doors:
    """One server on a socket, and people who talk to it."""

    def __init__(self, url: str, gateway: Gateway, users: Users, verify: ssl.SSLContext) -> None:
        self.url = url
        self.gateway = gateway
        self.users = users
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v2", timeout=20, verify=verify)
        self._tokens: dict[str, str] = {}

    async def login(self, username: str, password: str = PASSWORD, **fields: Any) -> httpx.Response:
        """A login as it is answered."""
        body = {"username": username, "password": password} | fields
        return await self._http.post("/auth/login", json=body)

    async def token(self, user: str) -> str:
        """An access token of a user."""
        if user not in self._tokens:
            answer = await self.login(user)
            assert answer.status_code == 200, answer.text
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

    async def ask(
        self, user: str, method: str, path: str, body: Any = None, *, token: str = "", **headers: str
    ) -> httpx.Response:
        """A request of somebody."""
        credentials = token or (await self.token(user) if user else "")
        sent: Mapping[str, str] = (
            {"Authorization": f"Bearer {credentials}", **headers} if credentials else headers
        )
        return await self._http.request(method, path, json=body, headers=sent)

    async def write(
        self, user: str, device: int = CRITICAL, value: str = "0x5", **fields: Any
    ) -> httpx.Response:
        """A write of CONFIG."""
        data = {"register": fields.pop("register", "CONFIG"), "value": value}
        body = {"operation_type": "WRITE", "operation_data": data, "justification": WHY} | fields
        return await self.ask(user, "POST", OPERATIONS.format(device), body)

    async def read(self, user: str, device: int = CRITICAL, **fields: Any) -> httpx.Response:
        """A read of TEMP."""
        body = {"operation_type": "READ", "operation_data": {"register": "TEMP"}} | fields
        return await self.ask(user, "POST", OPERATIONS.format(device), body)

    async def wish(self, user: str = "ada", device: int = CRITICAL, **fields: Any) -> httpx.Response:
        """Ask for an approval of the write."""
        data = {"register": "CONFIG", "value": "0x5"}
        body = {"device_id": device, "operation_type": "WRITE", "operation_data": data, "justification": WHY}
        return await self.ask(user, "POST", "/approvals", body | fields)

    async def decide(self, user: str, approval: str, verb: str = "approve") -> httpx.Response:
        """The word of somebody on an approval."""
        return await self.ask(user, "POST", f"/approvals/{approval}/{verb}", {"justification": WHY})

    async def approved(
        self, user: str = "ada", by: str = "grace", device: int = CRITICAL, **fields: Any
    ) -> str:
        """An approval that was given."""
        asked = await self.wish(user, device, **fields)
        assert asked.status_code == 201, asked.text
        approval: str = asked.json()["approval_id"]
        decided = await self.decide(by, approval)
        assert decided.json()["status"] == "APPROVED", decided.text
        return approval

    async def journal(self, user: str = "ada") -> list[dict[str, Any]]:
        """The newest records of the journal."""
        answer = await self.ask(user, "GET", "/audit?limit=200")
        assert answer.status_code == 200, answer.text
        records: list[dict[str, Any]] = answer.json()["records"]
        return records

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


@asynccontextmanager
async def doors(
    *,
    limits: bool = False,
    clock: Any = SYSTEM,
    users: Users | None = None,
    options: ServerOptions | None = None,
    listening: Listening | None = None,
    verify: ssl.SSLContext = PLAIN,
    approval_seconds: float = 900.0,
    driver: Mapping[str, Any] | None = None,
) -> AsyncIterator[Doors]:
    """A running server; `DSMIL_HOME` says where its state lies."""
    context = Context(
        name="plant", drivers=(DriverUse("sim", dict(driver or {})),), target="simulated", fleet="plant"
    )
    serving = Serving(rate_limits=limits, approval_seconds=approval_seconds)
    client: LocalClient = connect_context(context, clock=clock, serving=serving)
    known = users or Users(users=everybody())
    app, gateway = assemble(client, known, options or ServerOptions(password_cost=CHEAP), clock)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, listening or Listening(), ready.set_result))
    both: list[asyncio.Future[Any]] = [ready, task]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    server = Doors(await ready, gateway, known, verify)
    try:
        yield server
    finally:
        await server.close()
        task.cancel()
        await asyncio.wait([task])


def users_file(folder: Path) -> Users:
    """Everybody, in a file."""
    users = Users(folder / "users.json")
    for user in everybody().values():
        users.put(user)
    return users
