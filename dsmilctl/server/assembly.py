"""Assembly: a whole server put together over an open client, for `serve`, `sim serve` and tests."""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette

from dsmilctl.client.local import LocalClient
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.server.app import build_app
from dsmilctl.server.gateway import Gateway, Limits
from dsmilctl.server.identity.access import AccessControl
from dsmilctl.server.identity.lockout import Lockout
from dsmilctl.server.identity.passwords import Cost, Hasher
from dsmilctl.server.identity.sessions import Sessions
from dsmilctl.server.identity.tokens import TokenMaker
from dsmilctl.server.identity.users import Users


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a server can be told.  Times in seconds; `signing_key` is an Ed25519 key in PEM."""

    limits: Limits = Limits()
    token_lifetime: int = 3600
    session_idle: float = 3600.0
    lockout_threshold: int = 3
    lockout_seconds: float = 1800.0
    signing_key: bytes = b""
    password_cost: Cost = Cost()


def assemble(
    client: LocalClient, users: Users, options: ServerOptions | None = None, clock: Clock = SYSTEM
) -> tuple[Starlette, Gateway]:
    """The application and its gateway."""
    chosen = options or ServerOptions()
    access = AccessControl(
        users,
        clock,
        tokens=TokenMaker(clock, lifetime=chosen.token_lifetime, pem=chosen.signing_key),
        sessions=Sessions(clock, idle=chosen.session_idle),
        lockout=Lockout(clock, threshold=chosen.lockout_threshold, seconds=chosen.lockout_seconds),
        limits=chosen.limits,
        allowances=lambda identity: client.for_identity(identity).allowances,
        granted=lambda identity: client.for_identity(identity).granted,
        hasher=Hasher(chosen.password_cost),
    )
    if client.consents is not None:
        client.consents.know_approvers(access.standing)
    gateway = Gateway(client, access, limits=chosen.limits, clock=clock)
    return build_app(gateway), gateway
