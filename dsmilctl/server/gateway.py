"""Gateway: everything that a server holds: the local client, who may come in, and what it remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.client.local import LocalClient
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.model.identity import Identity
from dsmilctl.server.idempotency import Idempotency
from dsmilctl.server.kept_bulks import KeptBulks
from dsmilctl.server.metrics import Metrics
from dsmilctl.server.push.seats import Seats
from dsmilctl.server.push.switchboard import Switchboard
from dsmilctl.server.recent import RecentReads
from dsmilctl.wire.auth import Login, Session, Tokens, UserContext
from dsmilctl.wire.emergency import StopInfo
from dsmilctl.wire.operations import BulkAnswer


class Access(Protocol):
    """Who may come in: logins, tokens and sessions."""

    async def login(self, login: Login, *, address: str, certificate_user: str) -> Tokens:
        """Log somebody in; raises AuthenticationError, MfaRequired, AccountLocked or RateLimitError."""
        ...

    async def refresh(self, refresh_token: str, *, address: str) -> Tokens:
        """A new pair for a refresh token that was not used before; raises AuthenticationError."""
        ...

    def authenticate(self, token: str, *, in_emergency: bool = False) -> Identity:
        """Whose token it is, in an emergency as far as is known; raises AuthenticationError."""
        ...

    async def logout(self, identity: Identity, session_id: str) -> None:
        """End this session or another one of the same user; raises NotFound."""
        ...

    def sessions(self, identity: Identity) -> Sequence[Session]:
        """The sessions of this user."""
        ...

    def user_context(self, identity: Identity) -> UserContext:
        """Who somebody is and what that person may see and do."""
        ...

    @property
    def failures(self) -> int:
        """Failed logins since the start."""
        ...

    @property
    def throttled(self) -> int:
        """Logins that were refused since the start because too many from their address had failed."""
        ...

    @property
    def active(self) -> int:
        """Sessions that are open."""
        ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The server's settings that clients learn from the capabilities.

    `max_clients` may listen at once, of one account `clients_per_account` (0: a quarter of all).
    From one address `logins_per_minute` may fail (0: any number).  `alarm_watch` is how old a value with
    limits may get before the server reads it itself, in seconds (0: any age).
    """

    bulk_operation_max_devices: int = 84
    max_clients: int = 1000
    clients_per_account: int = 0
    logins_per_minute: int = 30
    heartbeat: float = 60.0
    rate_limiting: bool = True
    alarm_watch: float = 5.0

    @property
    def share(self) -> int:
        """How many of those who listen may belong to one account."""
        if not self.rate_limiting:
            return self.max_clients
        return min(self.clients_per_account or max(1, self.max_clients // 4), self.max_clients)


class Gateway:
    """One server: the client over its devices, its doors, its memory."""

    def __init__(
        self, client: LocalClient, access: Access, *, limits: Limits | None = None, clock: Clock = SYSTEM
    ) -> None:
        self.client = client
        self.access = access
        self.limits = limits or Limits()
        self.clock = clock
        self.metrics = Metrics(clock)
        self.idempotency = Idempotency(clock)
        self.reads = RecentReads()
        self.seats = Seats(self.limits.max_clients, self.limits.share)
        self.push = Switchboard(client, clock, self.metrics)
        self.bulks = KeptBulks()

    def keep_bulk(self, identity: Identity, bulk: BulkAnswer) -> None:
        """Keep a bulk for its user, and tell that user's clients."""
        self.bulks.keep(identity.user, bulk)
        self.push.bulk_ended(identity, bulk)

    def broadcast_stop(self, stop: StopInfo) -> None:
        """Tell every connected client of an emergency stop."""
        self.push.stopped(stop)

    def client_for(self, identity: Identity | None) -> LocalClient:
        """The client that passes every change through the guard as this identity."""
        return self.client if identity is None else self.client.for_identity(identity)

    async def client_for_bulk(
        self, identity: Identity, *, changes: bool, justification: str | None
    ) -> LocalClient:
        """The client for the parts of one bulk, which the guard has judged and counted as a whole."""
        whole = self.client.for_identity(identity)
        return await whole.for_bulk(changes=changes, justification=justification)

    async def client_for_reads(self, identity: Identity) -> Client:
        """The client for one read, which is counted here: the refusal tells when to try again."""
        return await self.client.for_identity(identity).for_bulk(changes=False)
