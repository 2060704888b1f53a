"""Logins: what a client of a server can do beyond every client: log in, list and end sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dsmilctl.errors import UsageError

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client
    from dsmilctl.client.remote.results import AuthResult
    from dsmilctl.wire.auth import Session


@runtime_checkable
class Logins(Protocol):
    """A client somebody has to log in with."""

    async def authenticate(self, username: str, password: str, client_type: str = "python") -> AuthResult:
        """Log in by password; a refusal is a result, a server that is not there raises."""
        ...

    async def authenticate_mfa(
        self, username: str, password: str, mfa_token: str, client_type: str = "python"
    ) -> AuthResult:
        """Log in by password and a second factor."""
        ...

    async def logout(self, session_id: str = "") -> None:
        """End this session, or another one of the same user."""
        ...

    async def get_sessions(self) -> list[Session]:
        """The open sessions of this user."""
        ...


def logins_of(client: Client) -> Logins:
    """The logins of a client; raises UsageError for a context on this machine."""
    if client.context.kind == "remote" and isinstance(client, Logins):
        return client
    message = f"context {client.context.name} is on this machine: nobody logs in there"
    raise UsageError(message, hint="dsmilctl context add NAME --url https://host:8443")
