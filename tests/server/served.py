"""A server on loopback in a thread of its own: real sockets, a real loop, simulated devices."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

import httpx
from websockets.asyncio.client import ClientConnection, connect

from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import connect as open_context
from dsmilctl.client.opening import connect_context
from dsmilctl.config.contexts import Context
from dsmilctl.server.assembly import ServerOptions, assemble
from dsmilctl.server.demo_accounts import COST, demo_users
from dsmilctl.server.gateway import Gateway, Limits
from dsmilctl.server.identity.users import Users
from dsmilctl.server.serve import Listening, serve

T = TypeVar("T")
PASSWORDS = {
    "admin": "dsmil_admin_2024",
    "supervisor": "dsmil_super_2024",
    "operator": "dsmil_op_2024",
    "analyst": "dsmil_analyst_2024",
}
UNLIMITED = ServerOptions(limits=Limits(rate_limiting=False), password_cost=COST)
PATIENCE = 20.0
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""One for all clients: these servers have no TLS, and to load the authorities costs time."""


@cache
def accounts() -> Users:
    """The demo accounts, hashed once."""
    return demo_users()


class Served:
    """One running server.  `DSMIL_HOME` says where its state lies."""

    def __init__(self, options: ServerOptions = UNLIMITED, context: str | Context = "sim") -> None:
        self._options = options
        self._context = context
        self._tokens: dict[str, str] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""
        self.gateway: Gateway
        self.client: LocalClient
        self.loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None]

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(PATIENCE), "the server did not begin"
        assert self.url, "the server failed"
        return self

    def __exit__(self, *error: object) -> None:
        self.loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server did not end"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        wanted = self._context
        client = open_context(wanted) if isinstance(wanted, str) else connect_context(wanted)
        assert isinstance(client, LocalClient)
        self.client = client
        app, self.gateway = assemble(client, accounts(), self._options)

        def ready(url: str) -> None:
            self.url = url
            self._ready.set()

        self._task = asyncio.create_task(serve(app, Listening(), ready))
        await asyncio.wait([self._task])

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def token(self, user: str = "operator") -> str:
        """An access token of a demo account."""
        if user not in self._tokens:
            body = {"username": user, "password": PASSWORDS[user]}
            answer = httpx.post(f"{self.url}/api/v2/auth/login", json=body, timeout=PATIENCE, verify=TLS)
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

    def http(self, user: str | None = "operator") -> httpx.AsyncClient:
        """A client on the API, logged in as a user, or not at all."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.AsyncClient(base_url=f"{self.url}/api/v2", headers=headers, timeout=PATIENCE, verify=TLS)

    def websocket(self, user: str = "operator", **options: Any) -> connect:
        """A WebSocket as a user, not yet opened."""
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return connect(self.ws_url, additional_headers=headers, **options)

    @property
    def ws_url(self) -> str:
        """The WebSocket's URL."""
        return f"{self.url.replace('http', 'ws', 1)}/api/v2/ws"

    def socket(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(self.address, timeout=PATIENCE)


async def say(websocket: ClientConnection, kind: str, **data: Any) -> None:
    """Send a message of that type."""
    await websocket.send(json.dumps({"type": kind, "id": "q", "data": data}))


async def hear(websocket: ClientConnection, kind: str = "") -> dict[str, Any]:
    """The next message, or the next one of that type."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message: dict[str, Any] = json.loads(await websocket.recv())
            if not kind or message["type"] == kind:
                return message


async def subscribe(websocket: ClientConnection, subscription: str, **options: Any) -> dict[str, Any]:
    """Subscribe, and answer the data of the confirmation."""
    await say(websocket, "SUBSCRIBE_ADVANCED", subscription=subscription, **options)
    data: dict[str, Any] = (await hear(websocket, "SUBSCRIPTION_CONFIRMED"))["data"]
    return data
