"""Endpoint: one line of the contract, from which the routes and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.client.local import LocalClient
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import Operation
from dsmilctl.model.operation import Request as Change

if TYPE_CHECKING:
    from dsmilctl.server.gateway import Gateway

PREFIX = "/api/v2"


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of an endpoint that takes none."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, judged and decoded: who asks, through which client, and for what.

    `client` passes every change through the guard as `identity`; `body` and `query` are of the endpoint's
    types; `last_event_id` is where an event stream is to go on; `path` holds the parts of the path that vary.
    `heard` waits for what the client says after its request: that it goes away.
    """

    gateway: Gateway
    identity: Identity | None
    client: LocalClient
    path: Mapping[str, str]
    query: Any
    body: Any
    address: str
    token: str
    certificate_user: str
    request_id: str
    last_event_id: str = ""
    heard: Callable[[], Awaitable[Any]] | None = None

    @property
    def user(self) -> Identity:
        """Who asks, on an endpoint that needs somebody to be logged in."""
        assert self.identity is not None, "the endpoint needs no login"
        return self.identity

    async def change(self, request: Change, client: Client | None = None) -> Operation:
        """Carry out one guarded change, and tell those who subscribed to the device what became of it.

        `client` is another one than that of the call: of the parts of a bulk.
        """
        operation = await (client or self.client).change(request)
        self.gateway.push.changed(self.user, operation)
        return operation


Handler = Callable[[Call], Awaitable[Any]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path: its handler and the types of its query, body and answer.

    `login` endpoints need a valid token, `clearance` the least level; `errors` are the codes that it may
    answer beyond those that every endpoint may.  What is not `counted` no rate limit holds up; of what is an
    `operation` an identity has only so many under way at once; an `emergency` is let in also where the users
    cannot be read anew.
    """

    method: str
    path: str
    handler: Handler
    answer: Any
    summary: str
    body: Any = None
    query: type[msgspec.Struct] = NoQuery
    status: int = 200
    login: bool = True
    clearance: Clearance = Clearance.UNCLASSIFIED
    errors: tuple[str, ...] = ()
    media: str = "application/json"
    counted: bool = True
    operation: bool = False
    emergency: bool = False

    @property
    def full_path(self) -> str:
        """The path with the version's prefix."""
        return PREFIX + self.path
