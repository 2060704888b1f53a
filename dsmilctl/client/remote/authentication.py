"""Authentication: the SDK's logins.  They return what came of them; a server that is not there raises."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.client.remote.results import AuthResult, failure_of
from dsmilctl.client.remote.session import login_of
from dsmilctl.errors import AuthenticationError, DSMILError, MfaRequired, RateLimitError
from dsmilctl.model.identity import CHANGING
from dsmilctl.wire.auth import Login, Logout, Session, Sessions, UserContext
from dsmilctl.wire.base import STATUSES


class Authentication(Connected):
    """Who the client is to the server."""

    async def authenticate(self, username: str, password: str, client_type: str = "python") -> AuthResult:
        """Log in by password."""
        return await self._log_in(login_of(username=username, password=password, client_type=client_type))

    async def authenticate_mfa(
        self, username: str, password: str, mfa_token: str, client_type: str = "python"
    ) -> AuthResult:
        """Log in by password and a second factor, such as the six digits of an authenticator."""
        login = login_of(username=username, password=password, mfa_token=mfa_token, client_type=client_type)
        return await self._log_in(login)

    async def authenticate_certificate(
        self, cert_path: str | Path, cert_password: str | None = None
    ) -> AuthResult:
        """Log in by a client certificate (`.p12` or `.pem`): the server takes the user from it (mutual TLS).

        Raises ConfigError for a file that cannot be used.
        """
        if isinstance(self.transport, HttpTransport):
            await self.transport.close()
            self.transport.certificate = (str(cert_path), cert_password)
        return await self._log_in(login_of(grant="certificate"))

    async def authenticate_token(self, service_token: str) -> AuthResult:
        """Log in by the token of a service account."""
        return await self._log_in(login_of(grant="service_token", service_token=service_token))

    async def _log_in(self, login: Login) -> AuthResult:
        api = self._api
        try:
            tokens = await api.log_in(login)
        except DSMILError as error:
            api.report(error)
            if error.code not in STATUSES or not _is_answer(error):
                raise
            return AuthResult(
                **failure_of(error),
                requires_mfa=isinstance(error, MfaRequired),
                mfa_methods=tuple(getattr(error, "details", {}).get("mfa_methods", ())),
                retry_after=getattr(error, "retry_after", None),
            )
        self._cache.drop()
        return AuthResult(success=True, user=tokens.user_context, expires_in=tokens.expires_in)

    async def logout(self, session_id: str = "") -> None:
        """End this session, or another one of the same user."""
        await self._api.post("/auth/logout", type(None), Logout(session_id=session_id))
        self._api.logs.secured("logout", outcome="SUCCESS")
        if not session_id:
            self._api.session.forget()
            self._cache.drop()

    async def refresh_login(self) -> None:
        """Renew the tokens now; raises AuthenticationError where the login is over."""
        token = await self._api.token()
        await self._api.renew(token, self._api.clock.monotonic() + self.config.timeout)

    async def access_token(self) -> str:
        """The access token, renewed where it ends soon; it opens every door that this client may pass."""
        return await self._api.token()

    async def get_sessions(self) -> list[Session]:
        """The open sessions of this user."""
        return (await self._api.get("/auth/sessions", Sessions)).sessions

    async def permissions(self) -> list[str]:
        """What the server says that one may do; nothing that changes where the context only looks."""
        found = (await self.whoami()).permissions
        return [name for name in found if not (self.context.read_only and name in CHANGING)]

    async def whoami(self) -> UserContext:
        """Who the client is to the server."""
        return await self._api.get("/auth/whoami", UserContext)


def _is_answer(error: DSMILError) -> bool:
    """Whether the server spoke: what it says is returned."""
    return isinstance(error, AuthenticationError | RateLimitError) or hasattr(error, "request_id")
